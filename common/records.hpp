#pragma once
// What edges and meshd say to each other over the rings: a closed table of record types and their bytes.
//
// A record is a ring header (shm/ring.hpp: length, type, flags, sequence) and a payload. Each payload is a fixed
// little-endian head followed by its texts, whose lengths stand in the head; encoder and decoder are pure functions.
// Decoders take any bytes: meshd reads what a hostile edge wrote (design rule 2). The lengths in the head must add up
// to the payload's length exactly.
//
// `session` is the edge's slot for a socket, below ReturnAddress::max_session; `serial` tells successive sockets in one
// slot apart, so that a verdict for a socket that is gone can't be taken for its successor's.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/handler_kinds.hpp"
#include "common/ids.hpp"
#include "common/outcome.hpp"

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

// Bounds of the texts in a record, in bytes. Decoders refuse what is longer.
inline constexpr std::size_t max_name = 255;  ///< service, method: an AMQP routing key is no longer
inline constexpr std::size_t max_trace_id = 1024;
inline constexpr std::size_t max_credential = 16 * 1024;
inline constexpr std::size_t max_ticket = 32 * 1024;  ///< holds the credential, sealed
inline constexpr std::size_t max_user_id = 1024;
inline constexpr std::size_t max_username = 6 * 1024 + 2;  ///< raw JSON: 1,024 bytes, each escaped at worst
inline constexpr std::size_t max_peer = 128;
inline constexpr std::size_t max_error = 4096;  ///< an error object of ours, raw JSON
inline constexpr std::size_t max_notice = 4096;
inline constexpr std::size_t max_traceparent = 55;  ///< common/trace.hpp
inline constexpr std::size_t max_reason = 123;      ///< RFC 6455 section 5.5: 125 bytes less the code
inline constexpr std::size_t max_backend_key = 1024;
inline constexpr std::size_t max_console_params = 256;
inline constexpr std::size_t max_standing = 16 * 1024;  ///< a call to a Snorky service that an edge keeps, and its key
inline constexpr std::size_t max_resume_token = 256;
inline constexpr std::size_t max_pending_text =
    48 * 1024;  ///< the trace_ids that one session with numbered messages may have outstanding, one byte between
inline constexpr std::size_t max_resumed_text = max_pending_text + 12 * 1024;
inline constexpr std::size_t max_framing = 16 * 1024;    ///< what a consumer's message has around a service's text
inline constexpr std::size_t max_named_sessions = 4096;  ///< in one push or close_sessions; more go in a second record

/// Where the edge found the credential (protocol.md section 2, authorization order), or a ticket that meshd gave out
/// for this session earlier and that stands in for the credential after a restart of meshd.
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
  std::string_view credential;  ///< the bare token, or ticket bytes; never logged
  std::string_view peer;        ///< the consumer's address as text, for logs and limits
  HandlerKind handler = HandlerKind::web_socket;
};

struct CloseSession {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  bool lost = false;  ///< its consumer did not mean to leave, and may come back for what it misses
};

/// Where a message of a consumer's comes from, in time and in traces. Nothing is decided by it: it is measured, and passed on.
struct Origin {
  std::uint64_t sent_us = 0;       ///< when the edge took it up; latency.hpp, to_us
  std::uint32_t waited_us = 0;     ///< how long before that its message was read off the socket
  std::string_view traceparent{};  ///< W3C, as the consumer sent it; empty: it sent none that is valid
};

/// A request, command or describe (whose method and params are empty). `sequence` travels in the ring header; each is
/// answered by one Response with it: a command once the broker has it.
struct Request {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint64_t deadline_ms = 0;  ///< when the consumer stops waiting; clock.hpp, to_ring_ms
  std::string_view service;       ///< plain text
  std::string_view method;        ///< plain text
  std::string_view trace_id;      ///< raw JSON value as the consumer sent it, or a string that the edge made up
  std::string_view params;        ///< raw JSON, validated by the edge; meshd validates again only what it parses
  Origin origin{};
};

/// An event of a consumer's, for the mesh. Answered like a command.
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

/// subscribe, unsubscribe: to a topic pattern (common/topic.hpp). Answered once the broker has it; twice is once.
struct Subscription {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::string_view topic;  ///< plain text
  std::uint64_t deadline_ms = 0;
  std::string_view trace_id{};  ///< raw JSON; empty: the edge asks by itself, for what stood before a restart of meshd
};

/// A consumer's fresh token for the session that it has. Answered by one Response, and if it is good by another
/// SessionAccepted with the ticket that counts from now on.
struct Authorize {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::string_view token;  ///< never logged
  std::uint64_t deadline_ms = 0;
  std::string_view trace_id{};  ///< raw JSON
};

/// What a session says of its numbered messages (design, *Resume*). keep and resume are answered by their sequence.
struct Resume {
  enum class What : std::uint32_t {
    keep = 1,    ///< number this session's messages from now on, and keep them
    resume = 2,  ///< take over the session that `token` is for; `number` is the last message that its consumer has seen
    seen = 3,    ///< the consumer has seen all up to `number`
    again = 4,   ///< to a new meshd: this session was numbered, `token` is its token, `number` the last it was given
    pending = 5,  ///< to a new meshd, behind `again`: this sequence is still to be answered
    say =
        6,  ///< an answer that the edge has, made up or come before meshd knew of the numbers: to be numbered. `text` is raw
            ///< JSON, `number` the sequence that it answers, and one more; 0: of none that meshd was told of
  };
  static constexpr std::uint32_t last_what = 6;
  What what = What::keep;
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint64_t number = 0;
  std::uint64_t deadline_ms = 0;
  std::string_view token{};
  std::string_view trace_id{};  ///< raw JSON
  std::string_view text{};
};

/// A message of a session whose messages are numbered. With `answers`, it is the answer to the edge's own request
/// `sequence`; with `inherited`, to the one that `sequence` was announced for in Resumed::What::pending.
struct Numbered {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint64_t number = 0;
  bool answers = false;
  bool inherited = false;
  bool refused = false;                         ///< it is an answer, and says no
  std::string_view text;                        ///< the message, raw JSON, without its number
  RequestOutcome outcome = RequestOutcome::ok;  ///< of the request that it answers
};

/// What becomes of a session's messages.
struct Resumed {
  enum class What : std::uint32_t {
    kept = 1,     ///< they are numbered from now on; the answer follows
    resumed = 2,  ///< the socket has the session `session_id` now; `text` tells the consumer. Topics and pending follow
    topic = 3,    ///< `text` is a pattern that it is subscribed to
    pending = 4,  ///< `text` is the trace_id of a request of an earlier socket; `sequence` names it
  };
  static constexpr std::uint32_t last_what = 4;
  What what = What::kept;
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint64_t number = 0;  ///< the last message that its consumer has
  SessionId session_id;
  std::string_view token;  ///< what it can be resumed with next
  std::string_view text;
};

struct SessionAccepted {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::string_view user_id;   ///< plain text
  std::string_view username;  ///< raw JSON: a string or null
  std::string_view ticket;    ///< opaque to the edge: handed back as CredentialKind::ticket
  std::string_view resume{};  ///< a token for the consumer; empty: it has one, or resume.enabled is off
};

struct SessionRefused {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint16_t code = 0;   ///< WebSocket close code (common/close_codes.hpp)
  std::string_view reason;  ///< at most 123 bytes
};

/// What meshd has measured of a request.
struct Stages {
  std::uint64_t taken_us = 0;  ///< when it took the answer; latency.hpp, to_us. 0: nothing was measured
  std::uint32_t request_ring_us = 0, broker_us = 0, service_us = 0;
};

/// `sequence` of the request travels in the ring header.
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

/// What meshd has to say to one consumer: a whole message.
struct SessionNotice {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::string_view text;  ///< raw JSON
};

/// An event of the mesh that sessions of this edge have subscribed to; which of them, the edge knows.
struct MeshEvent {
  std::string_view topic;                         ///< plain text: the routing key it came by
  std::string_view event;                         ///< raw JSON
  std::string_view context;                       ///< raw JSON; empty: not for consumers (events.forward_context)
  std::string_view target;                        ///< raw JSON: null or a list of user ids
  HandlerKind handler = HandlerKind::web_socket;  ///< for sessions of this kind only
};

/// A subscription that a changed policy, or the broker, does not allow any more.
struct SubscriptionEnded {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::string_view topic;
  std::string_view error;  ///< raw JSON: an error object
};

/// One socket of an edge.
struct SessionRef {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  auto operator<=>(const SessionRef&) const = default;
};

/// Many of them, as they lie in a record. Views bytes that live as long as the record's payload.
class SessionRefs {
 public:
  static constexpr std::size_t entry = sizeof(SessionRef);
  SessionRefs() = default;
  /// `bytes` is whole entries.
  explicit SessionRefs(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] std::size_t size() const { return bytes_.size() / entry; }
  [[nodiscard]] SessionRef operator[](std::size_t i) const;
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  /// Adds one to text that becomes such bytes.
  static void append(std::string& bytes, SessionRef ref);

 private:
  std::string_view bytes_;
};

/// A message for many sockets of one edge at once: it is framed once.
struct Push {
  std::uint64_t op = 0;      ///< answered by one Pushed with it; 0: nobody counts
  bool all = false;          ///< every session of the edge that is of the kind `handler`; `sessions` is empty then
  bool whole_frame = false;  ///< goes to a /ws socket as it is, not inside an envelope
  SessionRefs sessions;      ///< those that are gone are passed over
  std::string_view text;     ///< raw JSON
  HandlerKind handler = HandlerKind::web_socket;
};

struct CloseSessions {
  std::uint64_t op = 0;
  bool all = false;
  std::uint16_t code = 0;
  SessionRefs sessions;
  std::string_view reason;
  HandlerKind handler = HandlerKind::web_socket;
};

/// How many connections took a push, or were closed.
struct Pushed {
  std::uint64_t op = 0;
  std::uint32_t taken = 0;
};

/// A consumer's call to a Snorky service, or a backend's, sliced out of its envelope (protocol.md section 3). Answered by
/// one SnorkyAnswer, or BackendAnswer, with its sequence.
struct SnorkyCall {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  bool restoring = false;    ///< the edge brings back what stood before a restart of meshd
  std::string_view service;  ///< plain text
  std::string_view command;  ///< plain text
  std::string_view call_id;  ///< raw JSON; empty: the call had none
  std::string_view params;   ///< raw JSON
};
struct BackendCall {
  std::string_view key;      ///< as it came in X-Backend-Key; never logged
  std::string_view service;  ///< empty: only the key is to be judged
  std::string_view command;
  std::string_view call_id;
  std::string_view params;
};

/// What somebody at the console asks, with the token that was shown: who that is, and what he may, meshd says. Answered
/// by one BackendAnswer with its sequence.
struct ConsoleCall {
  std::string_view token;     ///< a bearer token; never logged
  std::string_view what;      ///< "status" or "kill"
  std::string_view params{};  ///< raw JSON
};

struct SnorkyAnswer {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  /// The edge keeps `call` under `key`, to bring it to the next meshd; without a `call` it lets go of what it keeps there.
  std::string_view key;   ///< empty: neither
  std::string_view call;  ///< an envelope: raw JSON
  std::string_view text;  ///< the frame for the consumer
};
struct BackendAnswer {
  std::uint16_t status = 0;  ///< of HTTP
  std::string_view text;     ///< the body, raw JSON
};

/// Encoders append the payload to `out`. Texts longer than their head field can say are a programming mistake.
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
/// Puts what was measured into an encoded Response.
void set_stages(std::string& response, const Stages& stages);

/// Nothing, if the bytes are not such a record. Views point into `payload`.
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

/// Bounds of a type's payload, checked against the ring header before a byte of the payload is copied.
struct Bounds {
  std::uint32_t minimum = 0;
  std::uint32_t maximum = 0;
};
/// Nothing for a type that this direction does not know. `max_message` is limits.message_bytes of the config.
std::optional<Bounds> bounds_to_meshd(std::uint16_t type, std::uint32_t max_message);
std::optional<Bounds> bounds_to_edge(std::uint16_t type, std::uint32_t max_message);

}  // namespace nuropb::records
