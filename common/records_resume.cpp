// Records of sequenced messages and of resumed sessions.

#include "common/record_format.hpp"

namespace nuropb::records {

void encode(const Resume& r, std::string& out) {
  put(out,
      ResumeHead{static_cast<std::uint32_t>(r.what), r.session, r.serial, size32(r.token), r.number, r.deadline_ms,
                 size32(r.trace_id), size32(r.text)},
      {r.token, r.trace_id, r.text});
}
void encode(const Numbered& r, std::string& out) {
  const std::uint32_t flags = (r.answers ? flag_answers : 0U) | (r.inherited ? flag_inherited : 0U) |
                              (r.refused ? flag_refused : 0U) |
                              (static_cast<std::uint32_t>(r.outcome) << outcome_shift);
  put(out,
      NumberedHead{r.session, r.serial, r.number, flags, size32(r.text), r.stages.taken_us, r.stages.request_ring_us,
                   r.stages.broker_us, r.stages.service_us, 0},
      {r.text});
}
void encode(const Resumed& r, std::string& out) {
  ResumedHead h{
      static_cast<std::uint32_t>(r.what), r.session, r.serial, size32(r.token), r.number, {}, size32(r.text), 0};
  std::memcpy(h.session_id, r.session_id.bytes.data(), sizeof h.session_id);
  put(out, h, {r.token, r.text});
}

template <>
std::optional<Resume> decode<Resume>(std::string_view payload) {
  Reader in(payload);
  ResumeHead h;
  if (!in.head(h) || h.what < 1 || h.what > Resume::last_what) return {};
  Resume r{static_cast<Resume::What>(h.what), h.session, h.serial, h.number, h.deadline_ms, {}, {}, {}};
  r.token = in.text(h.token, max_resume_token);
  r.trace_id = in.text(h.trace_id, max_trace_id);
  r.text = in.text(h.text, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<Numbered> decode<Numbered>(std::string_view payload) {
  Reader in(payload);
  NumberedHead h;
  constexpr std::uint32_t known = flag_answers | flag_inherited | flag_refused;
  if (!in.head(h) || (h.flags & ((1U << outcome_shift) - 1)) > known || h.flags >> outcome_shift >= request_outcomes ||
      h.reserved != 0)
    return {};
  Numbered r{h.session,
             h.serial,
             h.number,
             (h.flags & flag_answers) != 0,
             (h.flags & flag_inherited) != 0,
             (h.flags & flag_refused) != 0,
             {},
             static_cast<RequestOutcome>(h.flags >> outcome_shift),
             {h.taken_us, h.request_ring_us, h.broker_us, h.service_us}};
  r.text = in.text(h.text, no_bound);
  return in.complete() ? std::optional(r) : std::nullopt;
}

template <>
std::optional<Resumed> decode<Resumed>(std::string_view payload) {
  Reader in(payload);
  ResumedHead h;
  if (!in.head(h) || h.what < 1 || h.what > Resumed::last_what || h.reserved != 0) return {};
  Resumed r;
  r.what = static_cast<Resumed::What>(h.what);
  r.session = h.session;
  r.serial = h.serial;
  r.number = h.number;
  std::memcpy(r.session_id.bytes.data(), h.session_id, sizeof h.session_id);
  r.token = in.text(h.token, max_resume_token);
  r.text = in.text(h.text, max_resumed_text);
  return in.complete() ? std::optional(r) : std::nullopt;
}

}  // namespace nuropb::records
