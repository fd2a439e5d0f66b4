#include "meshd/workers/attach_limit.hpp"

#include <algorithm>

namespace nuropb::meshd {
namespace {

constexpr std::size_t most_remembered = 256;

}  // namespace

AttachLimit::AttachLimit(std::uint32_t max_workers)
    : attachments_{attachments_per_s, std::max(least_burst, max_workers)} {}

bool AttachLimit::may_connect(pid_t process, SteadyTime now) {
  if (processes_.size() >= most_remembered && !processes_.contains(process)) {
    std::erase_if(processes_, [now](const auto& entry) { return entry.second.rested(now); });
    // Too many processes within seconds. Forgetting them is acceptable, because attachments are limited in total as
    // well.
    if (processes_.size() >= most_remembered) processes_.clear();
  }
  return processes_[process].take({connections_per_s, connections_burst}, now, 0).over == RateLimit::Over::nothing;
}

bool AttachLimit::may_attach(bool returning, SteadyTime now) {
  return (returning ? returning_ : new_).take(attachments_, now, 0).over == RateLimit::Over::nothing;
}

}  // namespace nuropb::meshd
