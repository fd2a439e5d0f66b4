#pragma once
// How a consumer's request ended: the label of nuropb_gateway_requests_total. Counted by the edge, once for each.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nuropb {

enum class RequestOutcome : std::uint8_t {
  ok,             ///< the service's result; of a command or event: the broker has it
  error,          ///< the service's error
  denied,         ///< the policy, or the token, does not allow it
  refused,        ///< not sent: a limit, a full queue, a gateway that stops
  not_delivered,  ///< there is no such service
  timeout,        ///< no answer in time
  unknown,        ///< it may have run: meshd, or the connection to the broker, was lost
  abandoned,      ///< its consumer left before the answer came
  count_
};
inline constexpr std::size_t request_outcomes = static_cast<std::size_t>(RequestOutcome::count_);
inline constexpr std::array<std::string_view, request_outcomes> request_outcome_names{
    "ok", "error", "denied", "refused", "not_delivered", "timeout", "unknown", "abandoned"};

}  // namespace nuropb
