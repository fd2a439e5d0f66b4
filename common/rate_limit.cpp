#include "common/rate_limit.hpp"

#include <algorithm>

namespace nuropb {
namespace {

using std::chrono::nanoseconds;

/// The time in which this amount is refilled. Amounts are below 2^32 or one message, so nothing overflows.
nanoseconds time_for(std::uint64_t amount, std::uint32_t rate) {
  return nanoseconds(std::min(amount, std::uint64_t{1} << 32) * 1'000'000'000ULL / rate);
}

}  // namespace

bool RateLimit::Bucket::has(std::uint64_t amount, std::uint32_t rate, std::uint32_t burst, SteadyTime now) const {
  if (full_at <= now) return true;
  return full_at - now + time_for(amount, rate) <= time_for(burst == 0 ? rate : burst, rate);
}

void RateLimit::Bucket::take(std::uint64_t amount, std::uint32_t rate, SteadyTime now) {
  full_at = std::max(full_at, now) + time_for(amount, rate);
}

RateLimit::Answer RateLimit::take(const Rates& rates, SteadyTime now, std::size_t bytes) {
  const bool many = rates.messages_per_s > 0 && !messages_.has(1, rates.messages_per_s, rates.messages_burst, now);
  const bool much = rates.bytes_per_s > 0 && !bytes_.has(bytes, rates.bytes_per_s, rates.bytes_burst, now);
  if (!many && !much) {
    if (rates.messages_per_s > 0) messages_.take(1, rates.messages_per_s, now);
    if (rates.bytes_per_s > 0) bytes_.take(bytes, rates.bytes_per_s, now);
    return {};
  }
  Answer answer{many ? Over::messages : Over::bytes, false};
  if (many) {
    answer.out_of_patience = !penalty_messages_.has(1, rates.messages_per_s, rates.messages_burst, now);
    if (!answer.out_of_patience) penalty_messages_.take(1, rates.messages_per_s, now);
  } else {
    answer.out_of_patience = !penalty_bytes_.has(bytes, rates.bytes_per_s, rates.bytes_burst, now);
    if (!answer.out_of_patience) penalty_bytes_.take(bytes, rates.bytes_per_s, now);
  }
  return answer;
}

bool RateLimit::rested(SteadyTime now) const {
  for (const Bucket* bucket : {&messages_, &bytes_, &penalty_messages_, &penalty_bytes_}) {
    if (bucket->full_at > now) return false;
  }
  return true;
}

}  // namespace nuropb
