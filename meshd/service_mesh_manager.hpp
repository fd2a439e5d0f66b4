#pragma once
// The gateway's participant on the mesh for one kind of listener: its carrier (RabbitMQ, or an echo in the process),
// its controller (the gateway's own service), and the hand-over between the carrier's thread and the ring loop. The
// managers of all kinds share one connection.
//
// Responses and reports that arrive on the carrier's thread are put into a bounded inbox; the ring loop is woken once
// per batch. If the ring loop falls behind, reading from the broker is paused instead of growing the inbox (design.md,
// rule 5).
//
// Threads: publish(), take_events() and delivered() belong to the ring loop, everything else to the carrier. With the
// in-process echo the carrier's thread is the ring loop.

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "meshd/mesh/loopback.hpp"
#include "meshd/mesh/service_host.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::meshd {

class ServiceMeshManager {
 public:
  struct StateChange {
    mesh::State state = mesh::State::connecting;
    std::string detail;
  };
  struct Pattern {
    std::string pattern;
    std::string refused;  ///< the reason; empty: the broker has bound it
  };
  struct Events {
    std::vector<mesh::Incoming> responses;
    std::vector<mesh::Report> reports;
    std::vector<StateChange> states;
    std::vector<mesh::Incoming> events;  ///< of subscribed patterns
    std::vector<Pattern> patterns;       ///< answers of the broker about patterns
    /// Empties all lists, and keeps the capacity that a batch usually needs.
    void clear();
  };

  /// A connection of its own, or the first manager's; `loopback`: an in-process mesh instead; or a carrier from a
  /// factory.
  struct Participation {
    Participation(const mesh::TransportSettings& settings, bool in_process)
        : connection(&settings), own(settings), loopback(in_process) {}
    Participation(ServiceMeshManager& other, mesh::ParticipantSettings settings)
        : first(&other), own(std::move(settings)) {}
    Participation(mesh::Carrier::Factory factory, mesh::ParticipantSettings settings)
        : own(std::move(settings)), carrier(std::move(factory)) {}
    const mesh::TransportSettings* connection = nullptr;
    ServiceMeshManager* first = nullptr;
    mesh::ParticipantSettings own;
    mesh::Carrier::Factory carrier;
    bool loopback = false;
  };
  /// `wake` is called on the carrier's thread when events are available and take_events() has not been called since the
  /// last wake-up.
  ServiceMeshManager(Participation participation, const std::string& description, std::function<void()> wake);

  /// Both apply to all participants of the connection.
  void start() { carrier_->start(); }
  void stop(milliseconds grace) { carrier_->stop(grace); }

  /// Publishes and removes messages from the front of `messages`. Those that remain have to be passed again after the
  /// next wake-up for take_events().
  void publish(std::vector<mesh::Outgoing>& messages);
  /// Publishes one message of our own; returns false, and publishes nothing, if there is no room now.
  bool publish(mesh::Outgoing&& message) { return carrier_->submit(std::move(message)); }
  /// Swaps the events into `events`, which must be empty; its capacity is reused.
  void take_events(Events& events);
  /// The gateway's own service; methods have to be added before start(). They run on the carrier's thread.
  mesh::ServiceHost& controller() { return controller_; }

  /// Subscribes to or unsubscribes from events of this topic pattern. The broker's answer arrives with the events.
  Result<void> subscribe(std::string_view pattern) { return carrier_->bind_event(std::string(pattern)); }
  void unsubscribe(std::string_view pattern) { carrier_->unbind_event(std::string(pattern)); }

  // For metrics; any thread.
  [[nodiscard]] mesh::Carrier::Counters counters() const { return carrier_->counters(); }
  [[nodiscard]] const mesh::Refusals& refusals() const { return carrier_->refusals(); }
  [[nodiscard]] const mesh::Refusals& controller_refusals() const { return controller_.refusals(); }
  [[nodiscard]] std::size_t queued_bytes() const { return carrier_->queued_bytes(); }

  /// Identifies a response for acknowledgement, which is required once and in any order: the transport merges
  /// acknowledgements, and a response that waits for a slow worker delays no other. Any manager of the connection
  /// accepts it.
  using Receipt = mesh::Delivery;
  /// The response is in its worker's return ring, or its request is no longer pending.
  void delivered(const Receipt& receipt) { delivered_.push_back(receipt); }
  /// Sends the acknowledgements, once per turn.
  void acknowledge();

 private:
  std::unique_ptr<mesh::Carrier> make_carrier(Participation&& participation, mesh::Carrier::Callbacks callbacks);
  void bounded(std::vector<mesh::Incoming>& to, mesh::Incoming&& message);
  static constexpr std::size_t inbox_high = 32U << 20;

  mesh::ServiceHost controller_;
  std::function<void()> wake_;
  std::mutex mutex_;
  Events inbox_;                 // guarded by mutex_
  std::size_t inbox_bytes_ = 0;  // guarded by mutex_
  bool woken_ = false;           // guarded by mutex_
  bool paused_ = false;          // guarded by mutex_

  std::vector<Receipt> delivered_;          // since the last acknowledge()
  mesh::Transport* transport_ = nullptr;    // the carrier, if it is one; otherwise null
  mesh::Loopback* loopback_ = nullptr;      // likewise
  std::unique_ptr<mesh::Carrier> carrier_;  // last, because its thread uses all of the above
};

}  // namespace nuropb::meshd
