#pragma once
// The protocol between edges and meshd on the rings: a closed table of record types and their bytes.
//
// A record is a ring header (shm/ring.hpp: length, type, flags, sequence) and a payload. Each payload is a fixed
// little-endian head followed by its texts, whose lengths stand in the head; encoder and decoder are pure functions.
// Decoders take any bytes: a hostile edge may have written them (design.md, rule 2). The lengths in the head must add up
// to the payload's length exactly.
//
// `session` is the edge's slot for a socket, below ReturnAddress::max_session. `serial` distinguishes successive
// sockets in one slot, so that an auth result for a closed socket is never applied to its successor.
//
// This file has the table and the records of sessions, requests and events. Those of sequenced messages, of messages to
// many sessions and of Snorky are in records_*.hpp, which this header includes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/handler_kinds.hpp"
#include "common/ids.hpp"
#include "common/outcome.hpp"
#include "common/records_measured.hpp"
#include "common/records_pushes.hpp"
#include "common/records_resume.hpp"
#include "common/records_snorky.hpp"

namespace nuropb::records {

enum class Type : std::uint16_t {
  // edge → meshd
  open_session = 1,
  close_session = 2,
  request = 3,
  command = 4,
  describe = 5,
  event = 6,
  subscribe = 7,
  unsubscribe = 8,
  authorize = 9,
  pushed = 10,
  backend_call = 11,
  snorky_call = 12,
  resume = 13,
  console_call = 16,
  // meshd → edge
  session_accepted = 65,
  session_refused = 66,
  response = 67,
  end_session = 68,
  mesh_event = 69,
  subscription_ended = 70,
  session_notice = 71,
  push = 72,
  close_sessions = 73,
  backend_answer = 74,
  snorky_answer = 75,
  numbered = 76,
  resumed = 77,
};

// Bounds of the texts in a record, in bytes. Decoders reject longer ones.
inline constexpr std::size_t max_name = 255;  ///< service, method: an AMQP routing key is no longer
inline constexpr std::size_t max_trace_id = 1024;
inline constexpr std::size_t max_credential = 16 * 1024;
inline constexpr std::size_t max_ticket = 32 * 1024;  ///< contains the encrypted credential
inline constexpr std::size_t max_user_id = 1024;
inline constexpr std::size_t max_username = 6 * 1024 + 2;  ///< raw JSON: 1,024 bytes, each escaped at worst
inline constexpr std::size_t max_peer = 128;
inline constexpr std::size_t max_error = 4096;  ///< an error object of ours, raw JSON
inline constexpr std::size_t max_notice = 4096;
inline constexpr std::size_t max_traceparent = 55;  ///< common/trace.hpp
inline constexpr std::size_t max_reason = 123;      ///< RFC 6455 section 5.5: 125 bytes less the code
inline constexpr std::size_t max_backend_key = 1024;
inline constexpr std::size_t max_console_params = 256;
/// A call to a Snorky service that an edge stores for replay, and its key.
inline constexpr std::size_t max_standing = 16 * 1024;
inline constexpr std::size_t max_resume_token = 256;
inline constexpr std::size_t max_pending_text =
    48 * 1024;  ///< the trace_ids that one session with numbered messages may have outstanding, one byte between
inline constexpr std::size_t max_resumed_text = max_pending_text + 12 * 1024;
inline constexpr std::size_t max_framing = 16 * 1024;  ///< what a client's message has around a service's text
/// In one push or close_sessions; the rest goes into further records.
inline constexpr std::size_t max_named_sessions = 4096;

/// Where the edge found the credential (nuropb-wire.md section 2, authorization order), or a ticket that meshd issued
/// for this session earlier and that replaces the credential after a restart of meshd.
enum class CredentialKind : std::uint8_t {
  header = 1,
  cookie = 2,
  ticket = 3,
  session_cookie = 4,  ///< Tornado's signed value
  subprotocol = 5,
  message = 6,  ///< authorize, as the first message or later
  query = 7,
  client_certificate = 8,  ///< the name in a certificate that the edge's TLS has verified
  none = 9,                ///< anonymous, where snorky.anonymous allows it
};
inline constexpr std::uint32_t max_credential_kind = 9;

struct OpenSession {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  SessionId session_id;
  CredentialKind kind = CredentialKind::header;
  std::string_view credential;  ///< the bare token, or a ticket's bytes; never logged
  std::string_view peer;        ///< the client's address as text, for logs and limits
  HandlerKind handler = HandlerKind::web_socket;
  /// Unix time at which a client certificate expires; 0 for all other credentials.
  std::uint64_t valid_until = 0;
};

struct CloseSession {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  /// The connection was lost, so the client may reconnect and resume the session.
  bool lost = false;
};

/// A request, command or describe (whose method and params are empty). `sequence` is in the ring header. Each gets
/// exactly one Response with that sequence: for a command, once the broker has confirmed it.
struct Request {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint64_t deadline_ms = 0;  ///< when the consumer stops waiting; clock.hpp, to_ring_ms
  std::string_view service;       ///< plain text
  std::string_view method;        ///< plain text
  std::string_view trace_id;      ///< raw JSON value as the client sent it, or a string that the edge generated
  std::string_view params;        ///< raw JSON, validated by the edge; meshd validates only what it parses
  Origin origin{};
};

/// An event that a client publishes on the mesh. Answered like a command.
struct Event {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint64_t deadline_ms = 0;
  std::string_view topic;     ///< plain text
  std::string_view trace_id;  ///< raw JSON
  std::string_view event;     ///< raw JSON
  std::string_view target;    ///< raw JSON: null or a list of user ids
  Origin origin{};
};

/// subscribe or unsubscribe with a topic pattern (common/topic.hpp). Answered once the broker has confirmed it;
/// idempotent.
struct Subscription {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::string_view topic;  ///< plain text
  std::uint64_t deadline_ms = 0;
  /// Raw JSON. Empty if the edge itself restores a subscription after a restart of meshd.
  std::string_view trace_id{};
  Origin origin{};
};

/// A client's new token for its existing session. Answered by one Response and, if the token is valid, by another
/// SessionAccepted with the ticket that replaces the previous one.
struct Authorize {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::string_view token;  ///< never logged
  std::uint64_t deadline_ms = 0;
  std::string_view trace_id{};  ///< raw JSON
};

struct SessionAccepted {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::string_view user_id;   ///< plain text
  std::string_view username;  ///< raw JSON: a string or null
  std::string_view ticket;    ///< opaque to the edge, which sends it back as CredentialKind::ticket
  /// A resume token for the client. Empty if it already has one, or if resume.enabled is off.
  std::string_view resume{};
};

struct SessionRefused {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint16_t code = 0;   ///< WebSocket close code (common/close_codes.hpp)
  std::string_view reason;  ///< at most 123 bytes
};

/// `sequence` of the request is in the ring header.
struct Response {
  std::uint32_t session = 0;
  std::string_view result;  ///< raw JSON
  std::string_view error;   ///< raw JSON: null or an error object
  RequestOutcome outcome = RequestOutcome::ok;
  Stages stages{};
};

struct EndSession {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint16_t code = 0;
  std::string_view reason;
};

/// A complete message from meshd to one client.
struct SessionNotice {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::string_view text;  ///< raw JSON
};

/// An event of the mesh for sessions of this edge. The edge knows which of them have subscribed to it.
struct MeshEvent {
  std::string_view topic;    ///< plain text: the routing key of the event
  std::string_view event;    ///< raw JSON
  std::string_view context;  ///< raw JSON; empty: not forwarded to clients (events.forward_context)
  std::string_view target;   ///< raw JSON: null or a list of user ids
  HandlerKind handler = HandlerKind::web_socket;  ///< for sessions of this kind only
  /// W3C traceparent of the event; empty if it had no valid one.
  std::string_view traceparent{};
};

/// A subscription that is no longer allowed, because the policy changed or the broker refused it.
struct SubscriptionEnded {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::string_view topic;
  std::string_view error;  ///< raw JSON: an error object
};

/// Encoders append the payload to `out`. Precondition: each text's length fits its head field.
void encode(const OpenSession& r, std::string& out);
void encode(const CloseSession& r, std::string& out);
void encode(const Request& r, std::string& out);
void encode(const Event& r, std::string& out);
void encode(const Subscription& r, std::string& out);
void encode(const Authorize& r, std::string& out);
void encode(const SessionNotice& r, std::string& out);
void encode(const SessionAccepted& r, std::string& out);
void encode(const SessionRefused& r, std::string& out);
void encode(const Response& r, std::string& out);
void encode(const EndSession& r, std::string& out);
void encode(const MeshEvent& r, std::string& out);
void encode(const SubscriptionEnded& r, std::string& out);
void encode(const Push& r, std::string& out);
void encode(const CloseSessions& r, std::string& out);
void encode(const Pushed& r, std::string& out);
void encode(const SnorkyCall& r, std::string& out);
void encode(const BackendCall& r, std::string& out);
void encode(const ConsoleCall& r, std::string& out);
void encode(const SnorkyAnswer& r, std::string& out);
void encode(const BackendAnswer& r, std::string& out);
void encode(const Resume& r, std::string& out);
void encode(const Numbered& r, std::string& out);
void encode(const Resumed& r, std::string& out);
/// Stores the measured stages in an encoded Response.
void set_stages(std::string& response, const Stages& stages);

/// Empty if the bytes are not a valid record of that type. Views point into `payload`.
template <class Record>
std::optional<Record> decode(std::string_view payload);
template <>
std::optional<OpenSession> decode<OpenSession>(std::string_view payload);
template <>
std::optional<CloseSession> decode<CloseSession>(std::string_view payload);
template <>
std::optional<Request> decode<Request>(std::string_view payload);
template <>
std::optional<Event> decode<Event>(std::string_view payload);
template <>
std::optional<Subscription> decode<Subscription>(std::string_view payload);
template <>
std::optional<Authorize> decode<Authorize>(std::string_view payload);
template <>
std::optional<SessionNotice> decode<SessionNotice>(std::string_view payload);
template <>
std::optional<SessionAccepted> decode<SessionAccepted>(std::string_view payload);
template <>
std::optional<SessionRefused> decode<SessionRefused>(std::string_view payload);
template <>
std::optional<Response> decode<Response>(std::string_view payload);
template <>
std::optional<EndSession> decode<EndSession>(std::string_view payload);
template <>
std::optional<MeshEvent> decode<MeshEvent>(std::string_view payload);
template <>
std::optional<SubscriptionEnded> decode<SubscriptionEnded>(std::string_view payload);
template <>
std::optional<Push> decode<Push>(std::string_view payload);
template <>
std::optional<CloseSessions> decode<CloseSessions>(std::string_view payload);
template <>
std::optional<Pushed> decode<Pushed>(std::string_view payload);
template <>
std::optional<SnorkyCall> decode<SnorkyCall>(std::string_view payload);
template <>
std::optional<BackendCall> decode<BackendCall>(std::string_view payload);
template <>
std::optional<ConsoleCall> decode<ConsoleCall>(std::string_view payload);
template <>
std::optional<SnorkyAnswer> decode<SnorkyAnswer>(std::string_view payload);
template <>
std::optional<BackendAnswer> decode<BackendAnswer>(std::string_view payload);
template <>
std::optional<Resume> decode<Resume>(std::string_view payload);
template <>
std::optional<Numbered> decode<Numbered>(std::string_view payload);
template <>
std::optional<Resumed> decode<Resumed>(std::string_view payload);

/// Size limits of a type's payload, checked against the ring header before any byte of the payload is copied.
struct Bounds {
  std::uint32_t minimum = 0;
  std::uint32_t maximum = 0;
};
/// Empty for a type that does not exist in this direction. `max_message` is limits.message_bytes of the config.
std::optional<Bounds> bounds_to_meshd(std::uint16_t type, std::uint32_t max_message);
std::optional<Bounds> bounds_to_edge(std::uint16_t type, std::uint32_t max_message);

}  // namespace nuropb::records
