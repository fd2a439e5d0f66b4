#pragma once
// Between ring records and NuroPb messages: pure functions, the meaning of the gateway in one place.

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/ids.hpp"
#include "common/records.hpp"
#include "common/result.hpp"
#include "meshd/mesh/answer.hpp"
#include "meshd/mesh/transport.hpp"
#include "meshd/session_table.hpp"

namespace nuropb::meshd {

/// The part of a request's context that comes from our own record of the session, never from an edge:
/// `"user_id":"ann","Authorisation":"tok",` (protocol.md, "Context"). `token_key` empty: no token is sent.
std::string context_head(const Identity& identity, std::string_view token_key);

struct RequestLimits {
  milliseconds max_ttl{0};
  std::size_t json_depth = 256;
};

/// The message for the broker. An error says which part of the record no honest edge could have written.
Result<mesh::Outgoing> to_outgoing(const records::Request& request, const Session& session, const ReturnAddress& from,
                                   SteadyTime now, const RequestLimits& limits);

/// An answer on its way back: which worker, which request, what. `payload` is the record's bytes.
struct Returned {
  ReturnAddress to;
  std::string payload;
};

/// From a service's response. A body that is no response becomes a NuropbMessageError, so that the asker does not wait
/// in vain; a correlation id that is not one of ours (another instance, a stranger) is nothing.
std::optional<Returned> to_returned(const mesh::Incoming& message, std::uint32_t instance, std::uint32_t max_message,
                                    std::size_t json_depth);

/// From what became of a request that we published; nothing where nobody has to be told (it is confirmed, or its own
/// deadline passed, which the edge sees by itself).
std::optional<Returned> to_returned(const mesh::Report& report, std::uint32_t instance);

/// From why a request was not sent.
Returned to_returned(const mesh::ServiceError& error, const ReturnAddress& to);

}  // namespace nuropb::meshd
