#include "meshd/tracing/request_tracing.hpp"

#include <algorithm>

#include "common/json/scan.hpp"

namespace nuropb::meshd {
namespace {

/// A string without its quotes; any other JSON as it is.
std::string readable(std::string_view raw) {
  json::Slice slice;
  if (json::validate(raw, &slice)) return {};
  return slice.kind == json::Kind::string ? json::unescape(slice) : std::string(raw);
}

}  // namespace

RequestTracing::RequestTracing(const Config::Tracing& settings, std::unique_ptr<OtlpExporter> exporter,
                               const BatchTimes& times, RequestDeadline deadline)
    : exporter_(std::move(exporter)), times_(times), deadline_(deadline) {
  if (exporter_)
    spans_.emplace(std::stod(settings.sample_ratio),
                   [this](std::vector<Span>&& spans) { exporter_->add(std::move(spans)); });
}

void RequestTracing::start() {
  if (exporter_) exporter_->start();
}

void RequestTracing::stop() {
  if (spans_) spans_->expire(UINT64_MAX);
  if (exporter_) exporter_->stop();
}

void RequestTracing::expire(SteadyTime now) {
  if (spans_) spans_->expire(latency::to_us(now));
}

void RequestTracing::read(Departures& departures, const ReturnAddress& from, const records::Origin& origin) {
  const std::uint64_t read = latency::to_us(times_.batch);
  const std::uint64_t in_ring = latency::between(origin.sent_us, read);
  stage(latency::MeshStage::request_ring).add(in_ring);
  departures.note(from.sequence, read, in_ring);
}

void RequestTracing::reported(Departures& departures, const ReturnAddress& to, const mesh::Report& report) {
  if (report.outcome == mesh::Outcome::expired || report.outcome == mesh::Outcome::refused) return;
  const SteadyTime at = report.at == SteadyTime{} ? times_.batch : report.at;
  if (const auto took = departures.confirmed(to.sequence, latency::to_us(at)))
    stage(latency::MeshStage::broker).add(*took);
}

records::Stages RequestTracing::answered(Departures& departures, const ReturnAddress& to, bool from_service) {
  const auto left = departures.take(to.sequence);
  if (!left) return {};
  const std::uint64_t now = latency::to_us(times_.batch);
  std::uint64_t service = 0;
  if (from_service) {
    service = latency::between(left->read_us + left->broker_us, now);
    stage(latency::MeshStage::service).add(service);
  }
  return {now, left->ring_us, left->broker_us,
          static_cast<std::uint32_t>(std::min<std::uint64_t>(service, UINT32_MAX))};
}

std::string RequestTracing::begin(records::Type verb, std::string_view service, std::string_view method,
                                  const Session& session, const ReturnAddress& from, std::string_view raw_trace_id,
                                  const records::Origin& origin, SteadyTime deadline) {
  if (log::enabled(log::Level::debug)) {
    log::debug("request", {{"trace_id", readable(raw_trace_id)},
                           {"type", static_cast<unsigned>(verb)},
                           {"service", service},
                           {"method", method},
                           {"user_id", session.identity.user_id()},
                           {"session", session.id.hex()},
                           {"traceparent", origin.traceparent}});
  }
  if (!spans_) return std::string(origin.traceparent);
  const std::string trace_id = readable(raw_trace_id);
  return spans_->begin(from, {verb, service, method, session.identity.user_id(), trace_id, origin,
                              latency::to_us(times_.batch), latency::to_us(deadline)});
}

void RequestTracing::end_span(const Returned& returned, const records::Stages& stages) {
  if (spans_->open() == 0) return;
  if (const auto record = records::decode<records::Response>(returned.payload))
    spans_->end(returned.to, record->outcome, stages, latency::to_us(times_.batch));
}

OtlpExporter::Counters RequestTracing::exported() const {
  return exporter_ ? exporter_->counters() : OtlpExporter::Counters{};
}

}  // namespace nuropb::meshd
