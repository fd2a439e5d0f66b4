#pragma once
// Events of the mesh: once to each worker with a session that has subscribed to one, whose edge knows which, and into the mailboxes
// of sessions whose messages are numbered. Events between gateways go to peers.hpp. Owner thread: the event loop.

#include <cstdint>
#include <vector>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/log_pause.hpp"
#include "meshd/faces.hpp"
#include "meshd/resume/mailbox_delivery.hpp"
#include "meshd/tap_recorder.hpp"
#include "meshd/workers/worker_port.hpp"

namespace nuropb::meshd {

class EventRouter {
 public:
  EventRouter(const Config& config, const Clock& clock, WorkerPort& workers, MailboxDelivery& delivery,
              TapRecorder& taps)
      : config_(config), clock_(clock), workers_(workers), delivery_(delivery), taps_(taps) {}

  void route(Face& face, const mesh::Incoming& message);

  /// Events that no client could be given.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  const Config& config_;
  const Clock& clock_;
  WorkerPort& workers_;
  MailboxDelivery& delivery_;
  TapRecorder& taps_;
  std::vector<WorkerId> interested_;  // in the event at hand; reused
  log::Pause dropped_pause_{std::chrono::seconds(10)};
  std::uint64_t dropped_ = 0;
};

}  // namespace nuropb::meshd
