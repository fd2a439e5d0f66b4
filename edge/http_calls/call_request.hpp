#pragma once
// Which call an HTTP request makes, as a message of the nuropb-gw protocol. Pure; safe on any input.
//
//   POST /call/SERVICE/METHOD      a request; the body is its params, and the response the service's result
//   POST /command/SERVICE/METHOD   a command
//   POST /event/TOPIC              an event; ?target=USER, once for each user, addresses it
//   GET  /services/SERVICE         the description of a service
//
// ?ttl=MILLISECONDS, or "Prefer: wait=SECONDS" (RFC 7240), is the time to wait for an answer.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/http/answer.hpp"
#include "common/http/request_head.hpp"
#include "common/json/scan.hpp"
#include "common/records.hpp"

namespace nuropb::edge {

struct CallRequest {
  records::Type verb = records::Type::request;  ///< request, command, event or describe
  std::string service, method;                  ///< of an event, `service` is the topic
  std::vector<std::string> targets;             ///< user ids; empty: everyone
  std::optional<std::uint64_t> ttl_ms;
  std::string traceparent;  ///< W3C; empty: the request has no valid one
  /// X-Request-Id, or a generated one: the trace_id of the message, which the response repeats.
  std::string id;
};

/// The call of this head, or the refusal of a request that is none.
std::variant<CallRequest, HttpAnswer> read_call(const RequestHead& head);

/// The message for that call, or the refusal of its body. An empty body stands for no parameters, {}, and for the event null.
/// `most`: bytes of the largest message.
std::variant<std::string, HttpAnswer> message_of(const CallRequest& call, std::string_view body, json::Limits limits,
                                                 std::size_t most);

}  // namespace nuropb::edge
