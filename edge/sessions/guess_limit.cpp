#include "edge/sessions/guess_limit.hpp"

#include <algorithm>

namespace nuropb::edge {
namespace {

IpAddress host_of(std::string_view text) {
  const auto address = IpAddress::parse(text);
  return address ? address->host() : IpAddress();
}

}  // namespace

bool GuessLimit::may_ask(std::string_view host, std::string_view secret, SteadyTime now) {
  if (per_second_ == 0) return true;
  if (full_at_.size() >= sweep_at_) {
    std::erase_if(full_at_, [&](const auto& entry) { return entry.second <= now; });
    sweep_at_ = std::max<std::size_t>(1024, 2 * full_at_.size());
  }
  const std::chrono::nanoseconds one(1'000'000'000ULL / per_second_);
  const IpAddress key = host_of(host);
  auto found = full_at_.find(key);
  // If this many addresses guess at once, a limit per address does not help any more.
  if (found == full_at_.end() && full_at_.size() >= most_hosts) return true;
  if (found == full_at_.end()) found = full_at_.emplace(key, now).first;
  found->second = std::max(found->second, now);
  if (found->second - now + one > one * at_once_) return good_.contains(hash_(secret));
  found->second += one;
  return true;
}

void GuessLimit::accepted(std::string_view host, std::string_view secret) {
  if (per_second_ == 0) return;
  if (const auto found = full_at_.find(host_of(host)); found != full_at_.end())
    found->second -= std::chrono::nanoseconds(1'000'000'000ULL / per_second_);
  remember(secret);
}

void GuessLimit::remember(std::string_view secret) {
  const std::size_t hash = hash_(secret);
  if (!good_.insert(hash).second) return;
  good_order_.push_back(hash);
  if (good_order_.size() <= most_remembered) return;
  good_.erase(good_order_.front());
  good_order_.pop_front();
}

}  // namespace nuropb::edge
