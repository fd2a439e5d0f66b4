#include "edge/relay/request_timings.hpp"

#include <algorithm>

#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "edge/link/mesh_link.hpp"
#include "edge/protocol/client_message.hpp"
#include "edge/sessions/consumer_handler.hpp"

namespace nuropb::edge {
namespace {

/// A text as it is; anything else as raw JSON.
std::string readable(std::string_view raw_trace_id) {
  json::Slice slice;
  if (json::validate(raw_trace_id, &slice)) return {};
  return slice.kind == json::Kind::string ? json::unescape(slice) : std::string(raw_trace_id);
}

std::string_view name_of(records::Type verb) {
  switch (verb) {
    case records::Type::command: return "command";
    case records::Type::describe: return "describe";
    case records::Type::event: return "event";
    case records::Type::subscribe: return "subscribe";
    case records::Type::unsubscribe: return "unsubscribe";
    case records::Type::authorize: return "authorize";
    case records::Type::resume: return "resume";
    default: return "request";
  }
}

double ms(std::uint64_t us) { return static_cast<double>(us) / 1000.0; }

}  // namespace

records::Origin RequestTimings::origin_of(const ConsumerHandler& handler, std::string_view traceparent,
                                          SteadyTime arrived) const {
  const std::uint64_t sent = latency::to_us(clock_.moment());
  const std::uint64_t waited = std::min<std::uint64_t>(latency::between(latency::to_us(arrived), sent), UINT32_MAX);
  return {sent, static_cast<std::uint32_t>(waited), traceparent.empty() ? handler.traceparent() : traceparent};
}

void RequestTimings::on_sent(const ConsumerHandler& handler, const ClientRequest& message, std::string_view trace_id,
                             const records::Origin& origin) {
  link_.measure(latency::EdgeStage::edge_in, origin.waited_us);
  if (!log::enabled(log::Level::debug)) return;
  log::debug("request sent", {{"trace_id", readable(trace_id)},
                              {"type", name_of(message.verb)},
                              {"service", message.service.empty() ? message.topic : message.service},
                              {"method", message.method},
                              {"user_id", handler.user_id()},
                              {"session", handler.session_id().hex()},
                              {"traceparent", origin.traceparent}});
}

/// Events and subscriptions have a topic where requests have a service.
std::unique_ptr<PendingRequest::Called> RequestTimings::called_of(const ClientRequest& message,
                                                                  const records::Origin& origin) const {
  if (slow_ms_ == 0) return {};
  auto out = std::make_unique<PendingRequest::Called>();
  out->service = message.service.empty() ? message.topic : message.service;
  out->method = message.method.empty() ? std::string(name_of(message.verb)) : message.method;
  out->waited_us = origin.waited_us;
  return out;
}

void RequestTimings::on_answered(const ConsumerHandler& handler, const PendingRequests::Taken& asked,
                                 RequestOutcome outcome, const records::Stages& stages) {
  if (stages.taken_us > 0) {
    link_.measure(latency::EdgeStage::return_ring, latency::between(stages.taken_us, latency::to_us(link_.taken_at())));
  }
  answered_.push_back(latency::to_us(asked.arrived));
  on_ended(handler, asked, outcome, stages);
}

/// The clock is read once for all answers that were read from the ring together: they go to the kernel together, too.
void RequestTimings::on_batch_end() {
  if (answered_.empty()) return;
  const std::uint64_t now = latency::to_us(clock_.now());
  const std::uint64_t out = latency::between(latency::to_us(link_.taken_at()), now);
  for (const std::uint64_t arrived : answered_) {
    link_.measure(latency::EdgeStage::edge_out, out);
    link_.measure(latency::EdgeStage::whole, latency::between(arrived, now));
  }
  answered_.clear();
}

void RequestTimings::on_ended(const ConsumerHandler& handler, const PendingRequests::Taken& asked,
                              RequestOutcome outcome, const records::Stages& stages) {
  const bool debug = log::enabled(log::Level::debug);
  if (!debug && !asked.called) return;
  const SteadyTime now = clock_.now();
  const bool slow = asked.called && now - asked.arrived >= milliseconds(slow_ms_);
  if (!debug && !slow) return;
  const std::string trace_id = readable(asked.trace_id);
  const auto name = request_outcome_names[static_cast<std::size_t>(outcome)];
  const std::uint64_t whole = latency::between(latency::to_us(asked.arrived), latency::to_us(now));
  if (debug) log::debug("request ended", {{"trace_id", trace_id}, {"outcome", name}, {"ms", ms(whole)}});
  if (!slow) return;
  const auto left_out = slow_pause_.due(now);
  if (!left_out) return;
  const bool answered = stages.taken_us > 0;
  const std::uint64_t taken = latency::to_us(link_.taken_at());
  log::warning("slow request", {{"trace_id", trace_id},
                                {"service", asked.called->service},
                                {"method", asked.called->method},
                                {"user_id", handler.user_id()},
                                {"session", handler.session_id().hex()},
                                {"outcome", name},
                                {"ms", ms(whole)},
                                {"edge_in_ms", ms(asked.called->waited_us)},
                                {"request_ring_ms", ms(stages.request_ring_us)},
                                {"broker_ms", ms(stages.broker_us)},
                                {"service_ms", ms(stages.service_us)},
                                {"return_ring_ms", ms(answered ? latency::between(stages.taken_us, taken) : 0)},
                                {"edge_out_ms", ms(answered ? latency::between(taken, latency::to_us(now)) : 0)},
                                {"left_out", *left_out}});
}

}  // namespace nuropb::edge
