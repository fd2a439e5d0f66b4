#pragma once
// Translates between ring records and NuroPb messages: pure functions that define the meaning of both in one place.

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/ids.hpp"
#include "common/json/scan.hpp"
#include "common/records.hpp"
#include "common/result.hpp"
#include "meshd/address_seal.hpp"
#include "meshd/mesh/transport.hpp"
#include "meshd/session_table.hpp"

namespace nuropb::meshd {

/// A member's name with quotes and colon, ready to be inserted into messages. Empty if the name is empty.
class MemberName {
 public:
  MemberName() = default;
  MemberName(const std::string& name) : text_(name.empty() ? std::string() : nuropb::json::quoted(name) + ':') {}
  MemberName(const char* name) : MemberName(std::string(name)) {}
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

/// Keys of the context under which a service finds data from meshd's record of the session, never from an edge
/// (nuropb-wire.md, "Context"). An empty key is not sent. Events, which everyone may read, never carry the token.
struct ContextKeys {
  MemberName user, token, claims;
};

struct RequestSettings {
  milliseconds max_ttl{0};
  nuropb::json::Limits json{};  ///< for JSON that clients send
  ContextKeys context{};
};

/// The message to publish for a request, command, describe or event. An error names the part of the record that a
/// correct edge could not have written. `from`: the address of the response, sealed by `addresses`.
Result<mesh::Outgoing> to_outgoing(records::Type type, const records::Request& request, const Session& session,
                                   const ReturnAddress& from, const AddressSeal& addresses, SteadyTime now,
                                   const RequestSettings& settings);
Result<mesh::Outgoing> to_outgoing(const records::Event& event, const Session& session, const ReturnAddress& from,
                                   const AddressSeal& addresses, SteadyTime now, const RequestSettings& settings);

/// A response on its way back: the address of its request, and the record's payload.
struct Returned {
  ReturnAddress to;
  std::string payload;
};

/// Translates a service's response. An invalid body becomes a NuropbMessageError, so that the client does not wait in
/// vain; a correlation id that we have not sealed yields nothing.
std::optional<Returned> to_returned(const mesh::Incoming& message, const AddressSeal& addresses,
                                    std::uint32_t max_message, std::size_t json_depth);

/// Translates the outcome of a published message. Empty if no response is needed (a request was confirmed, or its
/// deadline passed, which the edge detects itself). Commands and events have no response except the confirmation.
std::optional<Returned> to_returned(const mesh::Report& report, const AddressSeal& addresses);
/// A response that the gateway creates itself.
Returned answer_of(const ReturnAddress& to, std::string_view raw_result, std::string_view raw_error);
/// The error response for a request that was not sent.
Returned refusal(const ReturnAddress& to, std::string_view error, std::string_view description);
/// The same for a request that would exceed a limit, which the description names.
Returned over_limit(const ReturnAddress& to, std::string_view description);
/// A success response with a null result.
Returned done(const ReturnAddress& to);
/// A success response with a result.
Returned done(const ReturnAddress& to, std::string_view raw_result);

/// A mesh_event record's payload for an event of the mesh. An error says what is wrong with the event.
Result<std::string> to_mesh_event(const mesh::Incoming& message, HandlerKind handler, std::uint32_t max_message,
                                  std::size_t json_depth, bool forward_context);

}  // namespace nuropb::meshd
