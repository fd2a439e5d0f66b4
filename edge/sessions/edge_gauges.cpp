#include "edge/sessions/edge_gauges.hpp"

#include <utility>

#include "common/process_figures.hpp"
#include "edge/link/mesh_link.hpp"
#include "edge/sessions/drain_controller.hpp"
#include "edge/sessions/pending_requests.hpp"
#include "edge/sessions/session_slots.hpp"
#include "edge/sessions/silent_sockets.hpp"

namespace nuropb::edge {

EdgeGauges::EdgeGauges(MeshLink& link, const SessionSlots& slots, const PendingRequests& pending,
                       const SilentSockets& silent, const DrainController& drain, std::shared_ptr<Arrivals> arrivals)
    : link_(link), slots_(slots), pending_(pending), silent_(silent), drain_(drain), arrivals_(std::move(arrivals)) {}

void EdgeGauges::count_own_files() {
  own_files_ = open_files().value_or(0) + 3;  // and those to meshd: a socket, two ends of a doorbell
  most_files_ = most_files();
}

void EdgeGauges::publish() {
  link_.set(shm::EdgeCounter::sessions, slots_.connections());
  link_.set(shm::EdgeCounter::pending, pending_.size());
  link_.set(shm::EdgeCounter::draining, drain_.serving() ? 0 : 1);
  // Not counted one by one: an edge can't open /proc any more, and may have very many sockets.
  link_.set(shm::EdgeCounter::open_files, own_files_ + arrivals_->connections());
  link_.set(shm::EdgeCounter::most_files, most_files_);
  link_.set(shm::EdgeCounter::over_handshake_share, arrivals_->handshakes().gave_way() + silent_.gave_way());
}

}  // namespace nuropb::edge
