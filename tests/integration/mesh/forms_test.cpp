// Queues that already exist with other arguments: from an earlier run of ours, an older version, or an operator.

#include <gtest/gtest.h>

#include "meshd/amqp/connection.hpp"
#include "meshd/mesh/topology.hpp"
#include "tests/integration/mesh/participant.hpp"
#include "tests/integration/mesh/settings.hpp"

namespace nuropb::mesh {
namespace {

class Forms : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = amqp::Connection::open(broker_url(), {});
    ASSERT_TRUE(opened) << opened.error().text();
    hand_ = std::make_unique<amqp::Connection>(std::move(*opened));
    ASSERT_TRUE(hand_->open_channel(1));
  }
  void TearDown() override { hand_->close(); }
  /// A service that answers under its name on the broker as it is now.
  void serves(Participant& service) {
    const auto up = service.start();
    ASSERT_TRUE(up) << up.error().text();
    Participant caller(participant_settings("caller", Kind::client));
    ASSERT_TRUE(caller.start());
    EXPECT_EQ(caller.publish(MessageType::request, name_, "{}").outcome, Outcome::confirmed);
    ASSERT_TRUE(service.sees([](const auto& s) { return s.requests.size() == 1; }));
    service.transport.ack(service.seen().requests[0].delivery);
  }
  /// Opens one connection to any broker, also to one that permits no transient dead-letter queue.
  [[nodiscard]] TransportSettings service_settings(const std::string& suffix = {}) const {
    auto out = participant_settings(name_ + suffix, Kind::service);
    out.dead_letter_queue = DeadLetterQueue::durable;
    return out;
  }
  static amqp::QueueOptions expiring(milliseconds after) {
    amqp::QueueOptions out{true, {}, after};
    return out;
  }

  const std::string name_ = "forms-" + random_hex32().substr(0, 8);
  std::unique_ptr<amqp::Connection> hand_;
};

TEST_F(Forms, AnotherTimeToExpireIsAnotherQueueAtOnce) {
  auto settings = service_settings();
  std::string names;
  // Changes the value, changes it back, and goes on: each run finds the queues of the previous ones.
  for (const int expires : {30'000, 31'000, 32'000, 30'000}) {
    settings.response_queue_expires = milliseconds(expires);
    Participant run(settings);
    const auto begun = std::chrono::steady_clock::now();
    const auto up = run.start();
    ASSERT_TRUE(up) << up.error().text();
    EXPECT_EQ(run.transport.counters().attempts, 1U) << "no pause, and no second connection";
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
    names += run.transport.response_queue().substr(7 + settings.service_name.size() + 1 + 32) + " ";
    serves(run);
  }
  EXPECT_EQ(names, "-rq -1-rq -2-rq -rq ");
}

TEST_F(Forms, AQueueOfAnOlderVersionWithoutATypeIsTheSame) {
  auto settings = service_settings();
  settings.response_queue_expires = milliseconds(30'000);
  const Topology names = Topology::of(settings, "/", "run");
  ASSERT_TRUE(hand_->declare_queue(1, names.response_queue, expiring(milliseconds(30'000))));
  ASSERT_TRUE(hand_->declare_queue(1, names.service_queue, {true, settings.dl_exchange, {}}));
  Participant service(settings);
  serves(service);
  EXPECT_EQ(service.transport.response_queue(), names.response_queue);
  EXPECT_EQ(service.transport.counters().attempts, 1U);
}

TEST_F(Forms, AnInstanceThatRunsWithOtherSettingsIsStillTheOnlyOne) {
  auto settings = participant_settings(name_, Kind::service);
  Participant first(settings);
  serves(first);
  settings.response_queue_expires = milliseconds(6000);
  Participant second(settings);
  EXPECT_EQ(
      reason_with(second.transport, second.start(milliseconds(500)), "another participant with service name '" + name_)
          .find("connected"),
      std::string::npos);
  EXPECT_EQ(second.transport.response_queue(), first.transport.response_queue());
}

TEST_F(Forms, ADeadLetterQueueThatIsThereIsUsedAsItIs) {
  auto settings = participant_settings(name_, Kind::service);
  const Topology names = Topology::of(settings, "/", "run");
  amqp::QueueOptions theirs{true, {}, milliseconds(30'000), 17};
  ASSERT_TRUE(hand_->declare_queue(1, names.dead_letter_queue, theirs));
  Participant service(settings);
  serves(service);
  EXPECT_EQ(service.transport.counters().attempts, 1U);
  EXPECT_TRUE(hand_->declare_queue(1, names.dead_letter_queue, theirs)) << "it is as it was";
}

TEST_F(Forms, ADurableDeadLetterQueueIsAskedForAndATransientOneIsThere) {
  auto settings = participant_settings(name_, Kind::service);
  const Topology names = Topology::of(settings, "/", "run");
  {
    Participant transient(settings);
    serves(transient);
  }
  settings.dead_letter_queue = DeadLetterQueue::durable;
  Participant service(settings);
  serves(service);
  EXPECT_EQ(service.transport.counters().attempts, 1U);
}

TEST_F(Forms, AServicesQueueKeepsItsType) {
  for (const auto& [there, asked] : {std::pair("quorum", "classic"), std::pair("quorum", ""),
                                     std::pair("classic", "quorum"), std::pair("", "quorum")}) {
    auto settings = service_settings("-" + std::string(there) + "-" + asked);
    settings.service_queue_type = asked;
    const Topology names = Topology::of(settings, "/", "run");
    amqp::QueueOptions theirs{true, settings.dl_exchange, {}};
    theirs.type = there;
    ASSERT_TRUE(hand_->declare_queue(1, names.service_queue, theirs));
    Participant service(settings);
    const auto up = service.start();
    EXPECT_TRUE(up) << there << " " << asked << ": " << up.error().text();
    EXPECT_EQ(service.transport.counters().attempts, 1U);
    EXPECT_TRUE(hand_->declare_queue(1, names.service_queue, theirs)) << "it is as it was";
  }
}

TEST_F(Forms, AQuorumQueueServes) {
  auto settings = participant_settings(name_, Kind::service);
  settings.service_queue_type = "quorum";
  Participant service(settings);
  serves(service);
  amqp::QueueOptions quorum{true, settings.dl_exchange, {}};
  quorum.type = "quorum";
  EXPECT_TRUE(hand_->declare_queue(1, Topology::of(settings, "/", "run").service_queue, quorum));
}

}  // namespace
}  // namespace nuropb::mesh
