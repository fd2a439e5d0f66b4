#include "common/records.hpp"

#include "common/record_format.hpp"

namespace nuropb::records {
namespace {

template <class Ending>
std::optional<Ending> decode_ending(std::string_view payload) {
  Reader in(payload);
  EndingHead h;
  if (!in.head(h) || h.code > 0xffff) return {};
  Ending r{h.session, h.serial, static_cast<std::uint16_t>(h.code), {}};
  r.reason = in.text(h.reason, max_reason);
  return in.complete() ? std::optional(r) : std::nullopt;
}

}  // namespace

void encode(const OpenSession& r, std::string& out) {
  OpenSessionHead h{r.session,
                    r.serial,
                    {},
                    static_cast<std::uint32_t>(r.kind),
                    size32(r.credential),
                    size32(r.peer),
                    number_of(r.handler),
                    r.valid_until};
  std::memcpy(h.session_id, r.session_id.bytes.data(), sizeof h.session_id);
  put(out, h, {r.credential, r.peer});
}
void encode(const CloseSession& r, std::string& out) {
  put(out, CloseSessionHead{r.session, r.serial, r.lost ? 1U : 0U}, {});
}
void encode(const Request& r, std::string& out) {
  put(out,
      RequestHead{r.session, r.serial, r.deadline_ms, r.origin.sent_us, r.origin.waited_us,
                  size32(r.origin.traceparent), size32(r.service), size32(r.method), size32(r.trace_id),
                  size32(r.params)},
      {r.service, r.method, r.trace_id, r.origin.traceparent, r.params});
}
void encode(const Event& r, std::string& out) {
  put(out,
      EventHead{r.session, r.serial, r.deadline_ms, r.origin.sent_us, r.origin.waited_us, size32(r.origin.traceparent),
                size32(r.topic), size32(r.trace_id), size32(r.event), size32(r.target)},
      {r.topic, r.trace_id, r.origin.traceparent, r.event, r.target});
}
void encode(const Subscription& r, std::string& out) {
  put(out,
      SubscriptionHead{r.session, r.serial, r.deadline_ms, r.origin.sent_us, r.origin.waited_us,
                       size32(r.origin.traceparent), size32(r.topic), size32(r.trace_id)},
      {r.topic, r.trace_id, r.origin.traceparent});
}
void encode(const Authorize& r, std::string& out) {
  put(out, AuthorizeHead{r.session, r.serial, r.deadline_ms, size32(r.token), size32(r.trace_id)},
      {r.token, r.trace_id});
}
void encode(const SessionNotice& r, std::string& out) {
  put(out, SessionNoticeHead{r.session, r.serial, size32(r.text)}, {r.text});
}
void encode(const MeshEvent& r, std::string& out) {
  put(out,
      MeshEventHead{size32(r.topic), size32(r.event), size32(r.context), size32(r.target), number_of(r.handler),
                    size32(r.traceparent)},
      {r.topic, r.event, r.context, r.target, r.traceparent});
}
void encode(const SubscriptionEnded& r, std::string& out) {
  put(out, SubscriptionEndedHead{r.session, r.serial, size32(r.topic), size32(r.error)}, {r.topic, r.error});
}
void encode(const SessionAccepted& r, std::string& out) {
  put(out,
      SessionAcceptedHead{r.session, r.serial, size32(r.user_id), size32(r.username), size32(r.ticket),
                          size32(r.resume)},
      {r.user_id, r.username, r.ticket, r.resume});
}
void encode(const SessionRefused& r, std::string& out) {
  put(out, EndingHead{r.session, r.serial, r.code, size32(r.reason)}, {r.reason});
}
void encode(const Response& r, std::string& out) {
  put(out,
      ResponseHead{r.session, static_cast<std::uint32_t>(r.outcome), size32(r.result), size32(r.error),
                   r.stages.taken_us, r.stages.request_ring_us, r.stages.broker_us, r.stages.service_us, 0},
      {r.result, r.error});
}
void set_stages(std::string& response, const Stages& stages) {
  ResponseHead h;
  assert(response.size() >= sizeof h);
  std::memcpy(&h, response.data(), sizeof h);
  h.taken_us = stages.taken_us;
  h.request_ring_us = stages.request_ring_us;
  h.broker_us = stages.broker_us;
  h.service_us = stages.service_us;
  std::memcpy(response.data(), &h, sizeof h);
}
void encode(const EndSession& r, std::string& out) {
  put(out, EndingHead{r.session, r.serial, r.code, size32(r.reason)}, {r.reason});
}

template <>
std::optional<OpenSession> decode<OpenSession>(std::string_view payload) {
  Reader in(payload);
  OpenSessionHead h;
  if (!in.head(h) || h.kind < 1 || h.kind > max_credential_kind) return {};
  const auto handler = handler_kind(h.handler);
  if (!handler) return {};
  OpenSession r;
  r.handler = *handler;
  r.session = h.session;
  r.serial = h.serial;
  std::memcpy(r.session_id.bytes.data(), h.session_id, sizeof h.session_id);
  r.kind = static_cast<CredentialKind>(h.kind);
  r.credential = in.text(h.credential, r.kind == CredentialKind::ticket ? max_ticket : max_credential);
  r.peer = in.text(h.peer, max_peer);
  r.valid_until = h.valid_until;
  if (r.valid_until != 0 && r.kind != CredentialKind::client_certificate) return {};
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<CloseSession> decode<CloseSession>(std::string_view payload) {
  Reader in(payload);
  CloseSessionHead h;
  if (!in.head(h) || !in.complete() || h.lost > 1) return {};
  return CloseSession{h.session, h.serial, h.lost == 1};
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
  r.origin = {h.sent_us, h.waited_us, in.text(h.traceparent, max_traceparent)};
  r.params = in.text(h.params, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<Event> decode<Event>(std::string_view payload) {
  Reader in(payload);
  EventHead h;
  if (!in.head(h)) return {};
  Event r{h.session, h.serial, h.deadline_ms, {}, {}, {}, {}, {}};
  r.topic = in.text(h.topic, max_name);
  r.trace_id = in.text(h.trace_id, max_trace_id);
  r.origin = {h.sent_us, h.waited_us, in.text(h.traceparent, max_traceparent)};
  r.event = in.text(h.event, no_bound);
  r.target = in.text(h.target, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<Subscription> decode<Subscription>(std::string_view payload) {
  Reader in(payload);
  SubscriptionHead h;
  if (!in.head(h)) return {};
  Subscription r{h.session, h.serial, {}, h.deadline_ms, {}, {}};
  r.topic = in.text(h.topic, max_name);
  r.trace_id = in.text(h.trace_id, max_trace_id);
  r.origin = {h.sent_us, h.waited_us, in.text(h.traceparent, max_traceparent)};
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<Authorize> decode<Authorize>(std::string_view payload) {
  Reader in(payload);
  AuthorizeHead h;
  if (!in.head(h)) return {};
  Authorize r{h.session, h.serial, {}, h.deadline_ms, {}};
  r.token = in.text(h.token, max_credential);
  r.trace_id = in.text(h.trace_id, max_trace_id);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<SessionNotice> decode<SessionNotice>(std::string_view payload) {
  Reader in(payload);
  SessionNoticeHead h;
  if (!in.head(h)) return {};
  SessionNotice r{h.session, h.serial, {}};
  r.text = in.text(h.text, max_notice);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<MeshEvent> decode<MeshEvent>(std::string_view payload) {
  Reader in(payload);
  MeshEventHead h;
  const auto handler = in.head(h) ? handler_kind(h.handler) : std::nullopt;
  if (!handler) return {};
  MeshEvent r;
  r.handler = *handler;
  r.topic = in.text(h.topic, max_name);
  r.event = in.text(h.event, no_bound);
  r.context = in.text(h.context, no_bound);
  r.target = in.text(h.target, no_bound);
  r.traceparent = in.text(h.traceparent, max_traceparent);
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
  r.resume = in.text(h.resume, max_resume_token);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<SessionRefused> decode<SessionRefused>(std::string_view payload) {
  return decode_ending<SessionRefused>(payload);
}
template <>
std::optional<EndSession> decode<EndSession>(std::string_view payload) {
  return decode_ending<EndSession>(payload);
}

template <>
std::optional<Response> decode<Response>(std::string_view payload) {
  Reader in(payload);
  ResponseHead h;
  if (!in.head(h) || h.outcome >= request_outcomes || h.reserved != 0) return {};
  Response r{h.session, {}, {}, static_cast<RequestOutcome>(h.outcome), {}};
  r.stages = {h.taken_us, h.request_ring_us, h.broker_us, h.service_us};
  r.result = in.text(h.result, no_bound);
  r.error = in.text(h.error, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

}  // namespace nuropb::records
