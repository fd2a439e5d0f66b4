#pragma once
// A mesh without a broker, in the process: every service exists, and every method of it answers with its parameters.
//
// For trying out a gateway without RabbitMQ, and for measuring the gateway's own cost. `nuropb_describe` returns a
// service with one method, `echo`; commands and events are confirmed; an event is delivered to every participant with a
// matching pattern. Nothing leaves the process, and nothing is stored.
//
// One thread, shared by all participants of one mesh. Callbacks run inside submit(), start() and bind_event().

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/topic.hpp"
#include "meshd/mesh/carrier.hpp"
#include "meshd/mesh/refusals.hpp"

namespace nuropb::mesh {

class Loopback final : public Carrier {
 public:
  explicit Loopback(Callbacks callbacks);
  /// Adds a participant to another one's mesh: each receives the events of both.
  Loopback(Loopback& first, Callbacks callbacks);
  ~Loopback() override;

  void start() override;
  void stop(milliseconds) override {}
  bool submit(Outgoing&& message) override;
  std::size_t submit(std::vector<Outgoing>& messages) override;
  void ack(const std::vector<Delivery>&) override {}
  Result<void> bind_event(std::string topic_pattern) override;
  void unbind_event(const std::string& topic_pattern) override;
  void pause_deliveries(bool paused) override { paused_ = paused; }
  [[nodiscard]] std::size_t queued_bytes() const override { return 0; }
  [[nodiscard]] const Refusals& refusals() const override { return refusals_; }
  [[nodiscard]] Counters counters() const override { return {}; }

 private:
  struct Exchange;
  void answer(Outgoing&& message);
  void publish(const Outgoing& message);

  Callbacks callbacks_;
  std::shared_ptr<Exchange> exchange_;
  TopicIndex::Id id_;
  bool paused_ = false;
  Refusals refusals_;
};

}  // namespace nuropb::mesh
