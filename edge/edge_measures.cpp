// What an edge counts and measures of its consumers' requests, into its segment, where meshd reads it for the page of
// metrics (docs/tasks/metrics.md); and what it says of them in its log.

#include <algorithm>

#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "edge/protocol/client_message.hpp"
#include "edge/edge.hpp"

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

/// `traceparent`: what the message brought; without one, the handshake's counts.
records::Origin Edge::origin_of(const ConsumerHandler& handler, std::string_view traceparent,
                                SteadyTime arrived) const {
  const std::uint64_t sent = latency::to_us(moment_);
  const std::uint64_t waited = std::min<std::uint64_t>(latency::between(latency::to_us(arrived), sent), UINT32_MAX);
  return {sent, static_cast<std::uint32_t>(waited), traceparent.empty() ? handler.traceparent() : traceparent};
}

/// Events and subscriptions have a topic where requests have a service.
std::unique_ptr<PendingRequest::Called> Edge::called_of(const ClientRequest& message, std::uint32_t waited_us) {
  auto out = std::make_unique<PendingRequest::Called>();
  out->service = message.service.empty() ? message.topic : message.service;
  out->method = message.method.empty() ? std::string(name_of(message.verb)) : message.method;
  out->waited_us = waited_us;
  return out;
}

void Edge::log_sent(const ConsumerHandler& handler, const ClientRequest& message, std::string_view trace_id,
                    const records::Origin& origin) {
  log::debug("request sent", {{"trace_id", readable(trace_id)},
                              {"type", name_of(message.verb)},
                              {"service", message.service.empty() ? message.topic : message.service},
                              {"method", message.method},
                              {"user_id", handler.user_id()},
                              {"session", handler.session_id().hex()},
                              {"traceparent", origin.traceparent}});
}

/// Its answer has just been handed to its socket.
void Edge::measure_answered(ConsumerHandler& handler, const PendingRequests::Taken& asked, RequestOutcome outcome,
                            const records::Stages& stages) {
  if (stages.taken_us > 0) {
    link_.measure(latency::EdgeStage::return_ring, latency::between(stages.taken_us, latency::to_us(link_.taken_at())));
  }
  answered_.push_back(latency::to_us(asked.arrived));
  if (asked.called || log::enabled(log::Level::debug)) ended(handler, asked, outcome, clock_.now(), stages);
}

/// One look at the clock for all answers that were taken out of the ring together: they go to the kernel together, too.
void Edge::measure_batch() {
  if (answered_.empty()) return;
  const std::uint64_t now = latency::to_us(clock_.now());
  const std::uint64_t out = latency::between(latency::to_us(link_.taken_at()), now);
  for (const std::uint64_t arrived : answered_) {
    link_.measure(latency::EdgeStage::edge_out, out);
    link_.measure(latency::EdgeStage::whole, latency::between(arrived, now));
  }
  answered_.clear();
}

/// One way or the other. `stages` are known of those that were answered.
void Edge::ended(ConsumerHandler& handler, const PendingRequests::Taken& asked, RequestOutcome outcome, SteadyTime now,
                 const records::Stages& stages) {
  const bool debug = log::enabled(log::Level::debug);
  const bool slow = asked.called && now - asked.arrived >= milliseconds(config_.log.slow_request_ms);
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

/// It leaves with these outstanding. Where its messages are kept, meshd has them, and answers whoever resumes.
void Edge::count_abandoned(ConsumerHandler& handler) {
  for (const PendingRequest& request : handler.requests().list) {
    if (!request.trace_id.empty()) count_outcome(RequestOutcome::abandoned);
  }
}

/// Of the moment: what meshd reads of it is never older than a tick while requests are pending, and never than a beat.
void Edge::show_state() {
  link_.set(shm::EdgeCounter::sessions, connections_);
  link_.set(shm::EdgeCounter::pending, pending_.size());
  link_.set(shm::EdgeCounter::draining, phase_ == Phase::serving ? 0 : 1);
  // Not counted one by one: an edge has no files by now, and may have very many sockets.
  link_.set(shm::EdgeCounter::open_files, own_files_ + arrivals_->connections());
  link_.set(shm::EdgeCounter::most_files, most_files_);
  link_.set(shm::EdgeCounter::over_handshake_share, arrivals_->handshakes().gave_way() + silent_gave_way_);
}

}  // namespace nuropb::edge
