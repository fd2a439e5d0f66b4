// Records of messages to many, and of Snorky and its backends.

#include "common/record_format.hpp"

namespace nuropb::records {
namespace {

/// The sessions that a record names; an empty list if it is for all.
std::optional<SessionRefs> refs(Reader& in, std::uint32_t count, bool all) {
  if (count > max_named_sessions || (all && count != 0)) return {};
  return SessionRefs(
      in.text(static_cast<std::uint32_t>(count * SessionRefs::entry), max_named_sessions * SessionRefs::entry));
}

}  // namespace

SessionRef SessionRefs::operator[](std::size_t i) const {
  SessionRef out;
  std::memcpy(&out, bytes_.data() + i * entry, entry);  // entries in a payload are not aligned
  return out;
}
void SessionRefs::append(std::string& bytes, SessionRef ref) {
  bytes.append(reinterpret_cast<const char*>(&ref), entry);
}

void encode(const Push& r, std::string& out) {
  const std::uint32_t flags = (r.all ? flag_all : 0) | (r.whole_frame ? flag_whole_frame : 0);
  put(out, PushHead{r.op, flags, static_cast<std::uint32_t>(r.sessions.size()), size32(r.text), number_of(r.handler)},
      {r.sessions.bytes(), r.text});
}
void encode(const CloseSessions& r, std::string& out) {
  put(out,
      CloseSessionsHead{r.op, r.all ? flag_all : 0, r.code, static_cast<std::uint32_t>(r.sessions.size()),
                        size32(r.reason), number_of(r.handler), 0},
      {r.sessions.bytes(), r.reason});
}
void encode(const Pushed& r, std::string& out) { put(out, PushedHead{r.op, r.taken, 0}, {}); }
void encode(const SnorkyCall& r, std::string& out) {
  put(out,
      SnorkyCallHead{r.origin.sent_us, r.origin.waited_us, size32(r.origin.traceparent), r.session, r.serial,
                     r.restoring ? flag_restoring : 0, size32(r.service), size32(r.command), size32(r.call_id),
                     size32(r.params), 0},
      {r.service, r.command, r.call_id, r.origin.traceparent, r.params});
}
void encode(const BackendCall& r, std::string& out) {
  put(out, BackendCallHead{size32(r.key), size32(r.service), size32(r.command), size32(r.call_id), size32(r.params)},
      {r.key, r.service, r.command, r.call_id, r.params});
}
void encode(const ConsoleCall& r, std::string& out) {
  put(out, ConsoleCallHead{size32(r.token), size32(r.what), size32(r.params)}, {r.token, r.what, r.params});
}
void encode(const SnorkyAnswer& r, std::string& out) {
  put(out, SnorkyAnswerHead{r.session, r.serial, size32(r.key), size32(r.call), size32(r.text)},
      {r.key, r.call, r.text});
}
void encode(const BackendAnswer& r, std::string& out) {
  put(out, BackendAnswerHead{r.status, size32(r.text)}, {r.text});
}

template <>
std::optional<Push> decode<Push>(std::string_view payload) {
  Reader in(payload);
  PushHead h;
  if (!in.head(h) || (h.flags & ~(flag_all | flag_whole_frame)) != 0 || !handler_kind(h.handler)) return {};
  Push r{h.op, (h.flags & flag_all) != 0, (h.flags & flag_whole_frame) != 0, {}, {}, *handler_kind(h.handler)};
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
  if (!in.head(h) || (h.flags & ~flag_all) != 0 || h.code > 0xffff || !handler_kind(h.handler) || h.reserved != 0)
    return {};
  CloseSessions r{h.op, (h.flags & flag_all) != 0, static_cast<std::uint16_t>(h.code), {},
                  {},   *handler_kind(h.handler)};
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
  if (!in.head(h) || (h.flags & ~flag_restoring) != 0 || h.reserved != 0) return {};
  SnorkyCall r{h.session, h.serial, (h.flags & flag_restoring) != 0, {}, {}, {}, {}, {}};
  r.service = in.text(h.service, max_name);
  r.command = in.text(h.command, max_name);
  r.call_id = in.text(h.call_id, max_trace_id);
  r.origin = {h.sent_us, h.waited_us, in.text(h.traceparent, max_traceparent)};
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
std::optional<ConsoleCall> decode<ConsoleCall>(std::string_view payload) {
  Reader in(payload);
  ConsoleCallHead h;
  if (!in.head(h)) return {};
  ConsoleCall r;
  r.token = in.text(h.token, max_credential);
  r.what = in.text(h.what, max_name);
  r.params = in.text(h.params, max_console_params);
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

}  // namespace nuropb::records
