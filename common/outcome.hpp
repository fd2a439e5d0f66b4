#pragma once
// How a client's request ended: the label of nuropb_gateway_requests_total. The edge counts each request once.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nuropb {

enum class RequestOutcome : std::uint8_t {
  ok,             ///< the service's result; for a command or event: confirmed by the broker
  error,          ///< the service's error
  denied,         ///< not allowed by the policy or the token
  refused,        ///< not sent: a limit, a full queue, or a gateway that is shutting down
  not_delivered,  ///< there is no such service
  timeout,        ///< no response in time
  unknown,        ///< it may have run: meshd or the connection to the broker was lost
  abandoned,      ///< its client left before the response arrived
  count_
};
inline constexpr std::size_t request_outcomes = static_cast<std::size_t>(RequestOutcome::count_);
inline constexpr std::array<std::string_view, request_outcomes> request_outcome_names{
    "ok", "error", "denied", "refused", "not_delivered", "timeout", "unknown", "abandoned"};

}  // namespace nuropb
