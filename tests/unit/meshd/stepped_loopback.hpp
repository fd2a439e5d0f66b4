#pragma once
// The mesh of a test: the Loopback that meshd itself offers, between meshd and a test that decides when a message goes on
// and that sees what was published and acknowledged.
//
//   meshd ── submit() ──► published ──► Loopback, at once; or, while `holding`, once the test calls release() or report()
//         ◄── responses, reports, events ──
//
// One thread: callbacks run inside the calls of meshd and of the test.

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "meshd/mesh/loopback.hpp"
#include "meshd/peers.hpp"

namespace nuropb::meshd {

class SteppedLoopback final : public mesh::Carrier {
 public:
  /// `first`: the transport of the first handlers, whose mesh this one shares; nullptr for the first itself.
  SteppedLoopback(SteppedLoopback* first, Callbacks callbacks)
      : callbacks_(std::move(callbacks)),
        inner_(first ? std::make_unique<mesh::Loopback>(*first->inner_, intercepted())
                     : std::make_unique<mesh::Loopback>(intercepted())) {}
  /// Like a transport whose thread ends: it may still wake meshd's loop.
  ~SteppedLoopback() override { wake(); }

  // What meshd has done.
  std::vector<mesh::Outgoing> published;    ///< requests, commands and events of clients
  std::vector<std::uint64_t> acknowledged;  ///< tags of responses, from 1 on in the order in which they came
  std::set<std::string> bound;              ///< patterns of events that meshd wants at present
  std::vector<std::string> bind_order;      ///< all that it ever asked for, but the gateways' own
  bool paused = false;

  /// Called whenever responses are acknowledged, before anything else happens.
  std::function<void()> on_acknowledged = [] {};

  // What the test decides.
  bool holding = false;           ///< messages wait for release() or report()
  bool full = false;              ///< no message is taken
  bool holding_patterns = false;  ///< patterns wait for bind_held()
  std::string pattern_refusal;    ///< why the broker refuses patterns; empty: it takes them

  /// The broker accepts the held messages in order and answers as Loopback does.
  void release() {
    auto held = std::exchange(held_, {});
    for (mesh::Outgoing& message : held) inner_->submit(std::move(message));
  }
  [[nodiscard]] std::size_t held() const { return held_.size(); }
  /// The oldest held message gets this outcome and goes no further.
  void report(mesh::Outcome outcome, std::string detail = {}) {
    if (held_.empty()) throw std::runtime_error("no message is held");
    mesh::Outgoing message = std::move(held_.front());
    held_.pop_front();
    mesh::Report report{outcome,           message.type, message.routing_key, message.correlation_id, message.tag,
                        std::move(detail), {},           message.encrypted};
    if (outcome == mesh::Outcome::not_delivered) report.returned_body = message.body;
    callbacks_.on_report(std::move(report));
    wake();
  }
  void make_room() {
    full = false;
    wake();
  }
  /// A service's response.
  void respond(const std::string& correlation_id, std::string_view result, std::string_view error = "null") {
    ResponseBody body;
    body.result = result;
    body.error = error;
    body.correlation_id = correlation_id;
    mesh::Incoming response;
    response.type = MessageType::response;
    response.correlation_id = correlation_id;
    response.body = encode_response(body);
    hand_over(std::move(response));
  }
  void hand_over(mesh::Incoming&& response) {
    response.delivery = {1, 1, ++last_response_};
    callbacks_.on_response(std::move(response));
    wake();
  }
  /// An event of another participant, delivered if its topic matches a bound pattern.
  void publish_event(const std::string& topic, std::string_view event, std::string_view target = "null") {
    mesh::Loopback other(*inner_, ignored());
    mesh::Outgoing message;
    message.type = MessageType::event;
    message.routing_key = topic;
    message.body = encode_event({topic, event, "{}", "c", "\"t\"", target});
    other.submit(std::move(message));
  }
  /// The broker confirms the oldest held pattern.
  void bind_held() {
    (void)inner_->bind_event(held_patterns_.front());
    held_patterns_.pop_front();
  }
  void refuse_pattern(const std::string& pattern, const std::string& reason) {
    bound.erase(pattern);
    callbacks_.on_event_refused(pattern, reason);
    wake();
  }
  void say(mesh::State state, const std::string& detail = "the test says so") {
    callbacks_.on_state(state, detail);
    wake();
  }

  void start() override { inner_->start(); }
  void stop(milliseconds) override {
    // A stopped transport has reported every message; messages that were not handled in time are reported as possibly
    // sent.
    while (!held_.empty()) report(mesh::Outcome::unknown, "stopped");
  }
  bool submit(mesh::Outgoing&& message) override {
    if (full) return false;
    take(std::move(message));
    return true;
  }
  std::size_t submit(std::vector<mesh::Outgoing>& messages) override {
    if (full) return 0;
    for (mesh::Outgoing& message : messages) take(std::move(message));
    return messages.size();
  }
  void ack(const std::vector<mesh::Delivery>& deliveries) override {
    for (const mesh::Delivery& one : deliveries) acknowledged.push_back(one.tag);
    if (!deliveries.empty()) on_acknowledged();
  }
  Result<void> bind_event(std::string pattern) override {
    bound.insert(pattern);
    if (!Peers::reserved(pattern)) {
      bind_order.push_back(pattern);
      if (holding_patterns) {
        held_patterns_.push_back(std::move(pattern));
        return {};
      }
      if (!pattern_refusal.empty()) {
        refuse_pattern(pattern, pattern_refusal);
        return {};
      }
    }
    return inner_->bind_event(std::move(pattern));
  }
  void unbind_event(const std::string& pattern) override {
    bound.erase(pattern);
    inner_->unbind_event(pattern);
  }
  void pause_deliveries(bool on) override { paused = on; }
  [[nodiscard]] std::size_t queued_bytes() const override { return 0; }
  [[nodiscard]] const mesh::Refusals& refusals() const override { return inner_->refusals(); }
  [[nodiscard]] Counters counters() const override { return {}; }

 private:
  void wake() { callbacks_.on_batch_end(); }
  void take(mesh::Outgoing&& message) {
    if (Peers::reserved(message.routing_key)) {
      inner_->submit(std::move(message));
      return;
    }
    published.push_back(message);
    if (holding) held_.push_back(std::move(message));
    else inner_->submit(std::move(message));
  }
  Callbacks intercepted() {
    Callbacks out = callbacks_;
    out.on_response = [this](mesh::Incoming&& response) {
      response.delivery = {1, 1, ++last_response_};
      callbacks_.on_response(std::move(response));
    };
    return out;
  }
  static Callbacks ignored() {
    Callbacks out;
    out.on_response = out.on_service_message = out.on_event = [](mesh::Incoming&&) {};
    out.on_report = [](mesh::Report&&) {};
    out.on_state = [](mesh::State, const std::string&) {};
    out.on_event_bound = [](const std::string&) {};
    out.on_batch_end = [] {};
    return out;
  }

  Callbacks callbacks_;
  std::deque<mesh::Outgoing> held_;
  std::deque<std::string> held_patterns_;
  std::uint64_t last_response_ = 0;
  std::unique_ptr<mesh::Loopback> inner_;  // last: its callbacks use all of the above
};

}  // namespace nuropb::meshd
