#pragma once
// What is measured of requests on their way through meshd: how long each stage takes, spans where they are exported, and lines
// of the log where it asks for them.
//
//   read() ──► reported() (the broker has it) ──► answered() ──► the stages, which go to the edge with the response
//   in_span() … end()                             the spans of a request that is sampled
//
// Owner thread: the event loop.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/ids.hpp"
#include "common/latency.hpp"
#include "common/log.hpp"
#include "common/records.hpp"
#include "meshd/departures.hpp"
#include "meshd/mesh/transport.hpp"
#include "meshd/request_deadline.hpp"
#include "meshd/session_table.hpp"
#include "meshd/tracing/batch_times.hpp"
#include "meshd/tracing/otlp.hpp"
#include "meshd/tracing/spans.hpp"
#include "meshd/translate.hpp"

namespace nuropb::meshd {

class RequestTracing {
 public:
  using Stages = std::array<latency::Histogram, static_cast<std::size_t>(latency::MeshStage::count_)>;
  /// `exporter`: nullptr if no spans are made.
  RequestTracing(const Config::Tracing& settings, std::unique_ptr<OtlpExporter> exporter, const BatchTimes& times,
                 RequestDeadline deadline);

  void start();
  /// Ends all spans, and exports what there is.
  void stop();
  /// Now and then: ends the spans whose deadline is over.
  void expire(SteadyTime now);

  /// A message of a client was read, and goes to the broker. `departures` are those of its worker.
  void read(Departures& departures, const ReturnAddress& from, const records::Origin& origin);
  void reported(Departures& departures, const ReturnAddress& to, const mesh::Report& report);
  /// A response on its way to the edge; its stages, for the edge, which knows the rest. `from_service`: else it is our own.
  records::Stages answered(Departures& departures, const ReturnAddress& to, bool from_service);

  /// Whether spans are made, or lines of a trace are logged.
  [[nodiscard]] bool on() const { return spans_ || log::enabled(log::Level::debug); }
  /// Sends a record: with the span that it begins as its parent, if on().
  template <class Record, class Send>
  auto in_span(records::Type verb, std::string_view service, std::string_view method, const Session& session,
               const ReturnAddress& from, const Record& record, const Send& send) {
    if (!on()) return send(record);
    const std::string parent =
        begin(verb, service, method, session, from, record.trace_id, record.origin, deadline_.of(record.deadline_ms));
    Record changed = record;
    changed.origin.traceparent = parent;
    return send(changed);
  }
  /// Begins a span, where they are made, and logs the request. Returns what goes on as traceparent.
  std::string begin(records::Type verb, std::string_view service, std::string_view method, const Session& session,
                    const ReturnAddress& from, std::string_view raw_trace_id, const records::Origin& origin,
                    SteadyTime deadline);
  void end(const Returned& returned, const records::Stages& stages) {
    if (spans_) end_span(returned, stages);
  }
  void end(const ReturnAddress& who, SteadyTime now) {
    if (spans_) spans_->end(who, RequestOutcome::ok, {}, latency::to_us(now));
  }

  [[nodiscard]] const Stages& stages() const { return stages_; }
  [[nodiscard]] OtlpExporter::Counters exported() const;

 private:
  latency::Histogram& stage(latency::MeshStage which) { return stages_[static_cast<std::size_t>(which)]; }
  void end_span(const Returned& returned, const records::Stages& stages);

  std::unique_ptr<OtlpExporter> exporter_;
  std::optional<Spans> spans_;
  const BatchTimes& times_;
  RequestDeadline deadline_;
  Stages stages_{};
};

}  // namespace nuropb::meshd
