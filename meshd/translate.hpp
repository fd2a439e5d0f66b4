#pragma once
// Between ring records and NuroPb messages: pure functions, the meaning of the gateway in one place.

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

/// A member's name with quotes and colon, as it goes into message after message. Nothing, if the name is empty.
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

/// Keys of the context under which a service finds what meshd's record of the session says, no edge (nuropb-wire.md,
/// "Context"). Any may be empty: it is not sent then. Events, which anybody may read, never carry the token.
struct ContextKeys {
  MemberName user, token, claims;
};

struct RequestSettings {
  milliseconds max_ttl{0};
  nuropb::json::Limits json{};  ///< of what clients write
  ContextKeys context{};
};

/// The message for the broker: of a request, command or describe, or of an event. An error says which part of the record
/// no honest edge could have written. `from`: where the answer goes, sealed by `addresses`.
Result<mesh::Outgoing> to_outgoing(records::Type type, const records::Request& request, const Session& session,
                                   const ReturnAddress& from, const AddressSeal& addresses, SteadyTime now,
                                   const RequestSettings& settings);
Result<mesh::Outgoing> to_outgoing(const records::Event& event, const Session& session, const ReturnAddress& from,
                                   const AddressSeal& addresses, SteadyTime now, const RequestSettings& settings);

/// An answer on its way back: which worker, which request, what. `payload` is the record's bytes.
struct Returned {
  ReturnAddress to;
  std::string payload;
};

/// From a service's response. A body that is no response becomes a NuropbMessageError, so that the asker does not wait
/// in vain; a correlation id that we have not sealed is nothing.
std::optional<Returned> to_returned(const mesh::Incoming& message, const AddressSeal& addresses,
                                    std::uint32_t max_message, std::size_t json_depth);

/// From what became of a message that we published; nothing where nobody has to be told (a request is confirmed, or its
/// deadline passed, which the edge sees by itself). Commands and events have no other answer than that they are confirmed.
std::optional<Returned> to_returned(const mesh::Report& report, const AddressSeal& addresses);
/// An answer of our own.
Returned answer_of(const ReturnAddress& to, std::string_view raw_result, std::string_view raw_error);
/// Nothing was sent: the answer of our own.
Returned refusal(const ReturnAddress& to, std::string_view error, std::string_view description);
/// It is done, and there is nothing to tell.
Returned done(const ReturnAddress& to);
/// It is done, and this is what there is to tell.
Returned done(const ReturnAddress& to, std::string_view raw_result);

/// A mesh_event record's payload from an event of the mesh. An error says what is wrong with the event.
Result<std::string> to_mesh_event(const mesh::Incoming& message, HandlerKind handler, std::uint32_t max_message,
                                  std::size_t json_depth, bool forward_context);

}  // namespace nuropb::meshd
