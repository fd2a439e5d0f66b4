#include "common/records.hpp"

#include <cassert>
#include <cstring>
#include <initializer_list>
#include <limits>

namespace nuropb::records {
namespace {

// The fixed heads. Little-endian and without holes; both processes run on one host, so the host's order is the order.
struct OpenSessionHead {
  std::uint32_t session, serial;
  std::uint8_t session_id[16];
  std::uint32_t kind, credential, peer;
};
struct CloseSessionHead {
  std::uint32_t session, serial;
};
struct RequestHead {
  std::uint32_t session, serial;
  std::uint64_t deadline_ms;
  std::uint32_t service, method, trace_id, params;
};
struct EventHead {
  std::uint32_t session, serial;
  std::uint64_t deadline_ms;
  std::uint32_t topic, trace_id, event, target;
};
struct SubscriptionHead {
  std::uint32_t session, serial, topic;
};
struct AuthorizeHead {  // session_notice too
  std::uint32_t session, serial, text;
};
struct MeshEventHead {
  std::uint32_t topic, event, context, target;
};
struct SubscriptionEndedHead {
  std::uint32_t session, serial, topic, error;
};
struct SessionAcceptedHead {
  std::uint32_t session, serial, user_id, username, ticket;
};
struct EndingHead {  // session_refused and end_session
  std::uint32_t session, serial, code, reason;
};
struct ResponseHead {
  std::uint32_t session, result, error;
};
struct PushHead {
  std::uint64_t op;
  std::uint32_t flags, sessions, text, reserved;
};
struct CloseSessionsHead {
  std::uint64_t op;
  std::uint32_t flags, code, sessions, reason;
};
struct PushedHead {
  std::uint64_t op;
  std::uint32_t taken, reserved;
};
struct SnorkyCallHead {
  std::uint32_t session, serial, flags, service, command, call_id, params;
};
struct BackendCallHead {
  std::uint32_t key, service, command, call_id, params;
};
struct SnorkyAnswerHead {
  std::uint32_t session, serial, key, call, text;
};
struct BackendAnswerHead {
  std::uint32_t status, text;
};
static_assert(sizeof(SnorkyCallHead) == 28 && sizeof(BackendCallHead) == 20 && sizeof(SnorkyAnswerHead) == 20 && sizeof(BackendAnswerHead) == 8);
constexpr std::uint32_t flag_restoring = 1;
constexpr std::uint32_t flag_all = 1, flag_whole_frame = 2;
static_assert(sizeof(OpenSessionHead) == 36 && sizeof(CloseSessionHead) == 8 && sizeof(RequestHead) == 32);
static_assert(sizeof(SessionAcceptedHead) == 20 && sizeof(EndingHead) == 16 && sizeof(ResponseHead) == 12);
static_assert(sizeof(EventHead) == 32 && sizeof(SubscriptionHead) == 12 && sizeof(MeshEventHead) == 16 && sizeof(SubscriptionEndedHead) == 16);

static_assert(sizeof(PushHead) == 24 && sizeof(CloseSessionsHead) == 24 && sizeof(PushedHead) == 16 && sizeof(SessionRef) == 8);

std::uint32_t size32(std::string_view text) {
  assert(text.size() <= std::numeric_limits<std::uint32_t>::max());
  return static_cast<std::uint32_t>(text.size());
}

template <class Head>
void put(std::string& out, const Head& head, std::initializer_list<std::string_view> texts) {
  std::size_t size = out.size() + sizeof head;
  for (const auto text : texts) size += text.size();
  out.reserve(size);
  out.append(reinterpret_cast<const char*>(&head), sizeof head);
  for (const auto text : texts) out.append(text);
}

/// Cuts the texts off the payload one by one. Good only if every length was within its bound and nothing is left over.
class Reader {
 public:
  explicit Reader(std::string_view payload) : rest_(payload) {}
  template <class Head>
  bool head(Head& head) {
    if (rest_.size() < sizeof head) return false;
    std::memcpy(&head, rest_.data(), sizeof head);
    rest_.remove_prefix(sizeof head);
    return true;
  }
  std::string_view text(std::uint32_t size, std::size_t maximum) {
    if (size > maximum || size > rest_.size()) {
      good_ = false;
      return {};
    }
    const auto text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }
  [[nodiscard]] bool complete() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

constexpr std::size_t no_bound = std::numeric_limits<std::uint32_t>::max();  // the ring header's bounds hold already

template <class Ending>
std::optional<Ending> decode_ending(std::string_view payload) {
  Reader in(payload);
  EndingHead h;
  if (!in.head(h) || h.code > 0xffff) return {};
  Ending r{h.session, h.serial, static_cast<std::uint16_t>(h.code), {}};
  r.reason = in.text(h.reason, max_reason);
  return in.complete() ? std::optional(r) : std::nullopt;
}

/// Those that a record names; none if it is for all.
std::optional<SessionRefs> refs(Reader& in, std::uint32_t count, bool all) {
  if (count > max_named_sessions || (all && count != 0)) return {};
  return SessionRefs(in.text(static_cast<std::uint32_t>(count * SessionRefs::entry), max_named_sessions * SessionRefs::entry));
}

}  // namespace

SessionRef SessionRefs::operator[](std::size_t i) const {
  SessionRef out;
  std::memcpy(&out, bytes_.data() + i * entry, entry);  // nothing in a payload is aligned
  return out;
}
void SessionRefs::append(std::string& bytes, SessionRef ref) { bytes.append(reinterpret_cast<const char*>(&ref), entry); }

void encode(const OpenSession& r, std::string& out) {
  OpenSessionHead h{r.session, r.serial, {}, static_cast<std::uint32_t>(r.kind), size32(r.credential), size32(r.peer)};
  std::memcpy(h.session_id, r.session_id.bytes.data(), sizeof h.session_id);
  put(out, h, {r.credential, r.peer});
}
void encode(const CloseSession& r, std::string& out) { put(out, CloseSessionHead{r.session, r.serial}, {}); }
void encode(const Request& r, std::string& out) {
  put(out, RequestHead{r.session, r.serial, r.deadline_ms, size32(r.service), size32(r.method), size32(r.trace_id), size32(r.params)},
      {r.service, r.method, r.trace_id, r.params});
}
void encode(const Event& r, std::string& out) {
  put(out, EventHead{r.session, r.serial, r.deadline_ms, size32(r.topic), size32(r.trace_id), size32(r.event), size32(r.target)},
      {r.topic, r.trace_id, r.event, r.target});
}
void encode(const Subscription& r, std::string& out) { put(out, SubscriptionHead{r.session, r.serial, size32(r.topic)}, {r.topic}); }
void encode(const Authorize& r, std::string& out) { put(out, AuthorizeHead{r.session, r.serial, size32(r.token)}, {r.token}); }
void encode(const SessionNotice& r, std::string& out) { put(out, AuthorizeHead{r.session, r.serial, size32(r.text)}, {r.text}); }
void encode(const MeshEvent& r, std::string& out) {
  put(out, MeshEventHead{size32(r.topic), size32(r.event), size32(r.context), size32(r.target)}, {r.topic, r.event, r.context, r.target});
}
void encode(const SubscriptionEnded& r, std::string& out) {
  put(out, SubscriptionEndedHead{r.session, r.serial, size32(r.topic), size32(r.error)}, {r.topic, r.error});
}
void encode(const SessionAccepted& r, std::string& out) {
  put(out, SessionAcceptedHead{r.session, r.serial, size32(r.user_id), size32(r.username), size32(r.ticket)}, {r.user_id, r.username, r.ticket});
}
void encode(const SessionRefused& r, std::string& out) { put(out, EndingHead{r.session, r.serial, r.code, size32(r.reason)}, {r.reason}); }
void encode(const Response& r, std::string& out) { put(out, ResponseHead{r.session, size32(r.result), size32(r.error)}, {r.result, r.error}); }
void encode(const EndSession& r, std::string& out) { put(out, EndingHead{r.session, r.serial, r.code, size32(r.reason)}, {r.reason}); }
void encode(const Push& r, std::string& out) {
  const std::uint32_t flags = (r.all ? flag_all : 0) | (r.whole_frame ? flag_whole_frame : 0);
  put(out, PushHead{r.op, flags, static_cast<std::uint32_t>(r.sessions.size()), size32(r.text), 0}, {r.sessions.bytes(), r.text});
}
void encode(const CloseSessions& r, std::string& out) {
  put(out, CloseSessionsHead{r.op, r.all ? flag_all : 0, r.code, static_cast<std::uint32_t>(r.sessions.size()), size32(r.reason)},
      {r.sessions.bytes(), r.reason});
}
void encode(const Pushed& r, std::string& out) { put(out, PushedHead{r.op, r.taken, 0}, {}); }
void encode(const SnorkyCall& r, std::string& out) {
  put(out, SnorkyCallHead{r.session, r.serial, r.restoring ? flag_restoring : 0, size32(r.service), size32(r.command), size32(r.call_id), size32(r.params)},
      {r.service, r.command, r.call_id, r.params});
}
void encode(const BackendCall& r, std::string& out) {
  put(out, BackendCallHead{size32(r.key), size32(r.service), size32(r.command), size32(r.call_id), size32(r.params)},
      {r.key, r.service, r.command, r.call_id, r.params});
}
void encode(const SnorkyAnswer& r, std::string& out) {
  put(out, SnorkyAnswerHead{r.session, r.serial, size32(r.key), size32(r.call), size32(r.text)}, {r.key, r.call, r.text});
}
void encode(const BackendAnswer& r, std::string& out) { put(out, BackendAnswerHead{r.status, size32(r.text)}, {r.text}); }

template <>
std::optional<OpenSession> decode<OpenSession>(std::string_view payload) {
  Reader in(payload);
  OpenSessionHead h;
  if (!in.head(h) || h.kind < 1 || h.kind > max_credential_kind) return {};
  OpenSession r;
  r.session = h.session;
  r.serial = h.serial;
  std::memcpy(r.session_id.bytes.data(), h.session_id, sizeof h.session_id);
  r.kind = static_cast<CredentialKind>(h.kind);
  r.credential = in.text(h.credential, r.kind == CredentialKind::ticket ? max_ticket : max_credential);
  r.peer = in.text(h.peer, max_peer);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<CloseSession> decode<CloseSession>(std::string_view payload) {
  Reader in(payload);
  CloseSessionHead h;
  if (!in.head(h) || !in.complete()) return {};
  return CloseSession{h.session, h.serial};
}

template <>
std::optional<Request> decode<Request>(std::string_view payload) {
  Reader in(payload);
  RequestHead h;
  if (!in.head(h)) return {};
  Request r;
  r.session = h.session;
  r.serial = h.serial;
  r.deadline_ms = h.deadline_ms;
  r.service = in.text(h.service, max_name);
  r.method = in.text(h.method, max_name);
  r.trace_id = in.text(h.trace_id, max_trace_id);
  r.params = in.text(h.params, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<Event> decode<Event>(std::string_view payload) {
  Reader in(payload);
  EventHead h;
  if (!in.head(h)) return {};
  Event r{h.session, h.serial, h.deadline_ms, {}, {}, {}, {}};
  r.topic = in.text(h.topic, max_name);
  r.trace_id = in.text(h.trace_id, max_trace_id);
  r.event = in.text(h.event, no_bound);
  r.target = in.text(h.target, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<Subscription> decode<Subscription>(std::string_view payload) {
  Reader in(payload);
  SubscriptionHead h;
  if (!in.head(h)) return {};
  Subscription r{h.session, h.serial, {}};
  r.topic = in.text(h.topic, max_name);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<Authorize> decode<Authorize>(std::string_view payload) {
  Reader in(payload);
  AuthorizeHead h;
  if (!in.head(h)) return {};
  Authorize r{h.session, h.serial, {}};
  r.token = in.text(h.text, max_credential);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<SessionNotice> decode<SessionNotice>(std::string_view payload) {
  Reader in(payload);
  AuthorizeHead h;
  if (!in.head(h)) return {};
  SessionNotice r{h.session, h.serial, {}};
  r.text = in.text(h.text, max_notice);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<MeshEvent> decode<MeshEvent>(std::string_view payload) {
  Reader in(payload);
  MeshEventHead h;
  if (!in.head(h)) return {};
  MeshEvent r;
  r.topic = in.text(h.topic, max_name);
  r.event = in.text(h.event, no_bound);
  r.context = in.text(h.context, no_bound);
  r.target = in.text(h.target, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<SubscriptionEnded> decode<SubscriptionEnded>(std::string_view payload) {
  Reader in(payload);
  SubscriptionEndedHead h;
  if (!in.head(h)) return {};
  SubscriptionEnded r{h.session, h.serial, {}, {}};
  r.topic = in.text(h.topic, max_name);
  r.error = in.text(h.error, max_error);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<SessionAccepted> decode<SessionAccepted>(std::string_view payload) {
  Reader in(payload);
  SessionAcceptedHead h;
  if (!in.head(h)) return {};
  SessionAccepted r{h.session, h.serial, {}, {}, {}};
  r.user_id = in.text(h.user_id, max_user_id);
  r.username = in.text(h.username, max_username);
  r.ticket = in.text(h.ticket, max_ticket);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<SessionRefused> decode<SessionRefused>(std::string_view payload) { return decode_ending<SessionRefused>(payload); }
template <>
std::optional<EndSession> decode<EndSession>(std::string_view payload) { return decode_ending<EndSession>(payload); }

template <>
std::optional<Response> decode<Response>(std::string_view payload) {
  Reader in(payload);
  ResponseHead h;
  if (!in.head(h)) return {};
  Response r{h.session, {}, {}};
  r.result = in.text(h.result, no_bound);
  r.error = in.text(h.error, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<Push> decode<Push>(std::string_view payload) {
  Reader in(payload);
  PushHead h;
  if (!in.head(h) || (h.flags & ~(flag_all | flag_whole_frame)) != 0 || h.reserved != 0) return {};
  Push r{h.op, (h.flags & flag_all) != 0, (h.flags & flag_whole_frame) != 0, {}, {}};
  const auto sessions = refs(in, h.sessions, r.all);
  if (!sessions) return {};
  r.sessions = *sessions;
  r.text = in.text(h.text, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<CloseSessions> decode<CloseSessions>(std::string_view payload) {
  Reader in(payload);
  CloseSessionsHead h;
  if (!in.head(h) || (h.flags & ~flag_all) != 0 || h.code > 0xffff) return {};
  CloseSessions r{h.op, (h.flags & flag_all) != 0, static_cast<std::uint16_t>(h.code), {}, {}};
  const auto sessions = refs(in, h.sessions, r.all);
  if (!sessions) return {};
  r.sessions = *sessions;
  r.reason = in.text(h.reason, max_reason);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<Pushed> decode<Pushed>(std::string_view payload) {
  Reader in(payload);
  PushedHead h;
  if (!in.head(h) || !in.complete() || h.reserved != 0) return {};
  return Pushed{h.op, h.taken};
}

template <>
std::optional<SnorkyCall> decode<SnorkyCall>(std::string_view payload) {
  Reader in(payload);
  SnorkyCallHead h;
  if (!in.head(h) || (h.flags & ~flag_restoring) != 0) return {};
  SnorkyCall r{h.session, h.serial, (h.flags & flag_restoring) != 0, {}, {}, {}, {}};
  r.service = in.text(h.service, max_name);
  r.command = in.text(h.command, max_name);
  r.call_id = in.text(h.call_id, max_trace_id);
  r.params = in.text(h.params, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<BackendCall> decode<BackendCall>(std::string_view payload) {
  Reader in(payload);
  BackendCallHead h;
  if (!in.head(h)) return {};
  BackendCall r;
  r.key = in.text(h.key, max_backend_key);
  r.service = in.text(h.service, max_name);
  r.command = in.text(h.command, max_name);
  r.call_id = in.text(h.call_id, max_trace_id);
  r.params = in.text(h.params, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<SnorkyAnswer> decode<SnorkyAnswer>(std::string_view payload) {
  Reader in(payload);
  SnorkyAnswerHead h;
  if (!in.head(h)) return {};
  SnorkyAnswer r{h.session, h.serial, {}, {}, {}};
  r.key = in.text(h.key, max_standing);
  r.call = in.text(h.call, max_standing);
  r.text = in.text(h.text, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<BackendAnswer> decode<BackendAnswer>(std::string_view payload) {
  Reader in(payload);
  BackendAnswerHead h;
  if (!in.head(h) || h.status < 100 || h.status > 599) return {};
  BackendAnswer r{static_cast<std::uint16_t>(h.status), {}};
  r.text = in.text(h.text, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

std::optional<Bounds> bounds_to_meshd(std::uint16_t type, std::uint32_t max_message) {
  switch (static_cast<Type>(type)) {
    case Type::open_session: return Bounds{sizeof(OpenSessionHead), sizeof(OpenSessionHead) + max_ticket + max_peer};
    case Type::close_session: return Bounds{sizeof(CloseSessionHead), sizeof(CloseSessionHead)};
    case Type::snorky_call:
      return Bounds{sizeof(SnorkyCallHead), static_cast<std::uint32_t>(sizeof(SnorkyCallHead) + 2 * max_name + max_trace_id) + max_message};
    case Type::backend_call:
      return Bounds{sizeof(BackendCallHead), static_cast<std::uint32_t>(sizeof(BackendCallHead) + max_backend_key + 2 * max_name + max_trace_id) + max_message};
    case Type::pushed: return Bounds{sizeof(PushedHead), sizeof(PushedHead)};
    case Type::subscribe:
    case Type::unsubscribe: return Bounds{sizeof(SubscriptionHead), sizeof(SubscriptionHead) + max_name};
    case Type::authorize: return Bounds{sizeof(AuthorizeHead), sizeof(AuthorizeHead) + max_credential};
    case Type::event: return Bounds{sizeof(EventHead), static_cast<std::uint32_t>(sizeof(EventHead) + max_name + max_trace_id) + max_message};
    case Type::request:
    case Type::command:
    case Type::describe: return Bounds{sizeof(RequestHead), static_cast<std::uint32_t>(sizeof(RequestHead) + 2 * max_name + max_trace_id) + max_message};
    default: return {};
  }
}

std::optional<Bounds> bounds_to_edge(std::uint16_t type, std::uint32_t max_message) {
  switch (static_cast<Type>(type)) {
    case Type::session_accepted:
      return Bounds{sizeof(SessionAcceptedHead), sizeof(SessionAcceptedHead) + max_user_id + max_username + max_ticket};
    case Type::session_refused:
    case Type::end_session: return Bounds{sizeof(EndingHead), sizeof(EndingHead) + max_reason};
    case Type::session_notice: return Bounds{sizeof(AuthorizeHead), sizeof(AuthorizeHead) + max_notice};
    case Type::mesh_event: return Bounds{sizeof(MeshEventHead), static_cast<std::uint32_t>(sizeof(MeshEventHead) + max_name) + max_message};
    case Type::subscription_ended: return Bounds{sizeof(SubscriptionEndedHead), sizeof(SubscriptionEndedHead) + max_name + max_error};
    case Type::push:
      return Bounds{sizeof(PushHead), static_cast<std::uint32_t>(sizeof(PushHead) + max_named_sessions * SessionRefs::entry) + max_message};
    case Type::snorky_answer:
      return Bounds{sizeof(SnorkyAnswerHead), static_cast<std::uint32_t>(sizeof(SnorkyAnswerHead) + 2 * max_standing + max_error) + max_message};
    case Type::backend_answer: return Bounds{sizeof(BackendAnswerHead), static_cast<std::uint32_t>(sizeof(BackendAnswerHead) + max_error) + max_message};
    case Type::close_sessions: return Bounds{sizeof(CloseSessionsHead), sizeof(CloseSessionsHead) + max_named_sessions * SessionRefs::entry + max_reason};
    // A service's answer is bounded as a whole; an error text of ours comes on top of nothing.
    case Type::response: return Bounds{sizeof(ResponseHead), static_cast<std::uint32_t>(sizeof(ResponseHead)) + max_message + 4096};
    default: return {};
  }
}

}  // namespace nuropb::records
