#include "meshd/mesh/refusals.hpp"

#include "common/log.hpp"

namespace nuropb::mesh {
namespace {

constexpr std::array<std::string_view, refusal_kinds> names{
    "protocol", "type", "queue", "too_large", "encryption", "body", "method", "parameters", "identity"};
// These texts contain untrusted input.
constexpr std::size_t longest_logged = 200;

std::string shortened(std::string_view text) {
  return text.size() <= longest_logged ? std::string(text) : std::string(text.substr(0, longest_logged)) + "…";
}

}  // namespace

std::string_view to_text(Refusal reason) { return names[static_cast<std::size_t>(reason)]; }

std::uint64_t Refusals::total() const {
  std::uint64_t sum = 0;
  for (const auto& count : counts_) sum += count.load(std::memory_order_relaxed);
  return sum;
}

void Refusals::note(Refusal reason, std::string_view why, std::string_view routing_key,
                    std::string_view correlation_id) {
  counts_[static_cast<std::size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  const auto left_out = pause_.due(std::chrono::steady_clock::now());
  if (!left_out) return;
  log::warning("message refused", {{"kind", to_text(reason)},
                                   {"reason", shortened(why)},
                                   {"routing_key", shortened(routing_key)},
                                   {"correlation_id", shortened(correlation_id)},
                                   {"left_out", *left_out},
                                   {"so_far", total()}});
}

}  // namespace nuropb::mesh
