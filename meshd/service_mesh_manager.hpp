#pragma once
// The gateway's presence on the mesh, for one kind of handlers: its carrier (RabbitMQ, or an echo in the process), its
// controller (the gateway's own face as a service), and the passage between the carrier's thread and the ring loop. Those
// of all kinds share one connection.
//
// Answers and reports that arrive on the carrier's thread are put into an inbox of bounded bytes; once per batch the
// ring loop is woken. When the ring loop falls behind, reading from the broker is paused rather than the inbox grown
// (design.md, rule 5).
//
// Threads: publish(), take_events() and delivered() belong to the ring loop; the rest is the carrier's. With an echo in
// the process, the carrier's thread is the ring loop.

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
    std::string refused;  ///< why; empty: the broker has it
  };
  struct Events {
    std::vector<mesh::Incoming> responses;
    std::vector<mesh::Report> reports;
    std::vector<StateChange> states;
    std::vector<mesh::Incoming> events;  ///< of patterns that were subscribed to
    std::vector<Pattern> patterns;       ///< what the broker said of them
    /// Empty again, with the room that a batch usually takes.
    void clear();
  };

  /// With a connection of its own, or on that of the first. `loopback`: on a mesh in the process instead. Or with a carrier
  /// that somebody else makes.
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
  /// `wake` is called on the carrier's thread when events wait that take_events() has not been woken for.
  ServiceMeshManager(Participation participation, const std::string& description, std::function<void()> wake);

  /// Both for all who share the connection.
  void start() { carrier_->start(); }
  void stop(milliseconds grace) { carrier_->stop(grace); }

  /// Publishes from the front of `messages` what fits and removes it; what stays has to be brought again when
  /// take_events() was next woken.
  void publish(std::vector<mesh::Outgoing>& messages);
  /// One of our own; false, and nothing published, if there is no room for it now.
  bool publish(mesh::Outgoing&& message) { return carrier_->submit(std::move(message)); }
  /// Into `events`, which has to be empty; what room it has is used for the next.
  void take_events(Events& events);
  /// The gateway's own face on the mesh, for methods to be added to before start(). They run on the carrier's thread.
  mesh::ServiceHost& controller() { return controller_; }

  /// Events of this topic pattern are wanted, or not any more; what the broker says of it comes with the events.
  Result<void> subscribe(std::string_view pattern) { return carrier_->bind_event(std::string(pattern)); }
  void unsubscribe(std::string_view pattern) { carrier_->unbind_event(std::string(pattern)); }

  // For the page of metrics; any thread.
  [[nodiscard]] mesh::Carrier::Counters counters() const { return carrier_->counters(); }
  [[nodiscard]] const mesh::Refusals& refusals() const { return carrier_->refusals(); }
  [[nodiscard]] const mesh::Refusals& controller_refusals() const { return controller_.refusals(); }
  [[nodiscard]] std::size_t queued_bytes() const { return carrier_->queued_bytes(); }

  /// What has to be given back for a response, once and in any order: the transport joins acknowledgements, and an answer
  /// that waits for a slow worker holds up nobody else's.
  /// Any manager of the connection takes it.
  using Receipt = mesh::Delivery;
  /// The answer lies in its worker's return ring (or its sender no longer waits for it).
  void delivered(const Receipt& receipt) { delivered_.push_back(receipt); }
  /// Tells the broker, once per turn.
  void acknowledge();

 private:
  std::unique_ptr<mesh::Carrier> make_carrier(Participation&& participation, mesh::Carrier::Callbacks callbacks);
  void bounded(std::vector<mesh::Incoming>& to, mesh::Incoming&& message);
  static constexpr std::size_t inbox_high = 32U << 20;

  mesh::ServiceHost controller_;
  std::function<void()> wake_;
  std::mutex mutex_;
  Events inbox_;                 // under mutex_
  std::size_t inbox_bytes_ = 0;  // under mutex_
  bool woken_ = false;           // under mutex_
  bool paused_ = false;          // under mutex_

  std::vector<Receipt> delivered_;          // since the last acknowledge()
  mesh::Transport* transport_ = nullptr;    // the carrier, or nothing: it is
  mesh::Loopback* loopback_ = nullptr;      // this
  std::unique_ptr<mesh::Carrier> carrier_;  // last: its thread uses all of the above
};

}  // namespace nuropb::meshd
