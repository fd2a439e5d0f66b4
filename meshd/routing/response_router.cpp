#include "meshd/routing/response_router.hpp"

#include <utility>

#include "common/crash_points.hpp"

namespace nuropb::meshd {

ResponseRouter::ResponseRouter(const Parts& parts)
    : faces_(parts.faces),
      workers_(parts.workers),
      quotas_(parts.quotas),
      tracing_(parts.tracing),
      taps_(parts.taps),
      delivery_(parts.delivery),
      early_(parts.early),
      mesh_authorizer_(parts.mesh_authorizer) {}

void ResponseRouter::report(Face& face, mesh::Report&& report, SteadyTime now) {
  NUROPB_CRASH_POINT(report_heard);
  ++reports_[static_cast<std::size_t>(report.outcome)];
  if (face.encryption && face.encryption->open(report, now)) return;
  if (mesh_authorizer_ && mesh_authorizer_->take(report)) return;
  if (const auto to = face.addresses.open(report.correlation_id)) {
    if (report.outcome != mesh::Outcome::confirmed && report.outcome != mesh::Outcome::unknown) quotas_.not_sent(*to);
    if (Worker* const worker = workers_.find({to->slot, to->generation})) {
      worker->settle(report.tag);
      tracing_.reported(worker->departures(), *to, report);
      workers_.touch(*worker);
    }
  }
  if (auto returned = to_returned(report, face.addresses)) deliver(std::move(*returned), {});
}

void ResponseRouter::deliver(Returned&& response, const std::optional<Receipt>& receipt) {
  if (taps_.watching()) [[unlikely]]
    taps_.answered(response);
  quotas_.answered(response.to);
  Worker* const worker = workers_.find({response.to.slot, response.to.generation});
  const records::Stages stages =
      worker ? tracing_.answered(worker->departures(), response.to, receipt.has_value()) : records::Stages{};
  if (stages.taken_us > 0) records::set_stages(response.payload, stages);
  tracing_.end(response, stages);
  if (delivery_.any() && delivery_.deliver(response)) {
    if (receipt) faces_.delivered(*receipt);
    return;
  }
  if (!worker) {
    if (receipt && early_.hold(response, *receipt)) return;
    // The edge that asked is dead, or a successor has its slot: the generation keeps the answer from it.
    if (receipt) faces_.delivered(*receipt);
    return;
  }
  workers_.touch(*worker);  // it is flushed, or ended, once nothing here uses it any more
  if (worker->send(records::Type::response, response.to.sequence, std::move(response.payload), receipt)) return;
  if (receipt) faces_.delivered(*receipt);
  worker->violate("does not read its answers: " + std::to_string(worker->outbox_bytes()) + " bytes wait");
}

void ResponseRouter::release_early(WorkerId worker) {
  early_.release(
      worker, [this](Returned&& response, const Receipt& receipt) { deliver(std::move(response), receipt); },
      [this](const Receipt& receipt) { faces_.delivered(receipt); });
}

void ResponseRouter::expire_early() {
  if (early_.expire([this](const Receipt& receipt) { faces_.delivered(receipt); })) faces_.acknowledge();
}

}  // namespace nuropb::meshd
