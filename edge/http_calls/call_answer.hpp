#pragma once
// The HTTP response to a call: its result with 200 or 202, or a problem (RFC 9457) whose status depends on NuroPb's error.
//
//   400 the request is malformed         404 no such service             429 over a limit: not run, try again later
//   401 the token is not accepted        408 the body came too slowly    502 the service's own error
//   403 not allowed                      413 too large                   503 not run: try again later
//                                                                        504 not run within the time to wait
//   424 the outcome is unknown: the call may have run
//
// 424 (RFC 4918) is what no client and no proxy repeats by itself. curl --retry repeats 408, 429, 500, 502, 503, 504, 522 and 524;
// Envoy's "5xx" repeats all of these, its "retriable-4xx" 409; HAProxy 404, 408, 425, 500 to 504. A call that may have
// run must not be repeated by any of them (design.md, rule 1). Pure; safe on any input.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/answer.hpp"
#include "common/json/scan.hpp"

namespace nuropb::edge {

/// A problem with NuroPb's error in its members `error` and `detail`. With 429 and 503 it includes Retry-After, and with 424
/// "outcome":"unknown".
HttpAnswer problem(int status, std::string_view error, std::string_view detail);
/// The same from an answer whose body is an error object of the gateway (common/http/answer.hpp).
HttpAnswer problem_of(const HttpAnswer& refusal);

/// The response to the call whose message has the trace_id `id`; `returns_result`: 200 with the result, or else 202 without a
/// body. Empty if the text is not the answer to that message.
std::optional<HttpAnswer> answer_of(std::string_view text, std::string_view id, bool returns_result);

/// The response to a call whose session ends with this close code. `sent`: its message was passed on, so it may have run. A session
/// that ends with 1009 has no memory for the message: one that is too large is refused before.
HttpAnswer answer_of_close(std::uint16_t code, std::string_view reason, bool sent);

}  // namespace nuropb::edge
