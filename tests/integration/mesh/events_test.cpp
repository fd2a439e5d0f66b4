// Topic patterns bound and unbound at run time, against a real RabbitMQ. scripts/test names it: NUROPB_TEST_AMQP_URL.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "tests/integration/mesh/participant.hpp"
#include "tests/integration/mesh/settings.hpp"

namespace nuropb::mesh {
namespace {

class Events : public ::testing::Test {
 protected:
  static TransportSettings settings() { return participant_settings("events-test", Kind::client); }
  void SetUp() override {
    topic_ = "t" + random_hex32().substr(0, 8);
    const auto listening = listener_.start();
    ASSERT_TRUE(listening) << listening.error().text();
    ASSERT_TRUE(sender_.start());
  }
  /// Publishes until the event arrives, because a binding takes effect with a delay.
  bool arrives(const std::string& topic) {
    for (int i = 0; i < tries; ++i) {
      const std::string id = random_hex32();
      EXPECT_EQ(sender_.publish(MessageType::event, topic, "{}", id).outcome, Outcome::confirmed);
      if (listener_.sees(
              [&](const auto& s) {
                return std::any_of(s.events.begin(), s.events.end(),
                                   [&](const Incoming& e) { return e.correlation_id == id; });
              },
              patience(i)))
        return true;
    }
    return false;
  }
  /// The topics that arrived, in order, up to one that is published now.
  std::vector<std::string> topics_until(const std::string& last) {
    EXPECT_EQ(sender_.publish(MessageType::event, last, "{}").outcome, Outcome::confirmed);
    EXPECT_TRUE(listener_.sees([&](const auto& s) {
      return std::any_of(s.events.begin(), s.events.end(), [&](const Incoming& e) { return e.routing_key == last; });
    }));
    std::vector<std::string> out;
    for (const auto& event : listener_.seen().events) {
      if (event.routing_key != last) out.push_back(event.routing_key);
    }
    return out;
  }

  std::string topic_;
  Participant listener_{settings()}, sender_{settings()};
};

TEST_F(Events, BoundAndUnbound) {
  ASSERT_TRUE(listener_.transport.bind_event(topic_ + ".*.low"));
  ASSERT_TRUE(listener_.transport.bind_event(topic_ + ".*.low"));
  ASSERT_TRUE(listener_.transport.bind_event(topic_ + ".#"));
  ASSERT_TRUE(listener_.transport.bind_event(topic_ + "-end"));
  ASSERT_TRUE(arrives(topic_ + "-end"));
  ASSERT_TRUE(arrives(topic_ + ".a.low"));
  listener_.forget();
  sender_.publish(MessageType::event, topic_ + ".a.low", R"({"n":1})");
  sender_.publish(MessageType::event, topic_ + ".a.high", "{}");
  sender_.publish(MessageType::event, "not-" + topic_, "{}");
  EXPECT_EQ(topics_until(topic_ + "-end"), (std::vector<std::string>{topic_ + ".a.low", topic_ + ".a.high"}))
      << "each once, whatever it matches";
  EXPECT_EQ(listener_.seen().events.front().body, R"({"n":1})");
  EXPECT_EQ(listener_.seen().events.front().type, MessageType::event);

  listener_.transport.unbind_event(topic_ + ".#");
  listener_.transport.unbind_event("never bound");
  // A pattern that is bound after it: once it works, the unbinding is complete.
  ASSERT_TRUE(listener_.transport.bind_event(topic_ + "-later"));
  ASSERT_TRUE(arrives(topic_ + "-later"));
  listener_.forget();
  sender_.publish(MessageType::event, topic_ + ".a.low", "{}");
  sender_.publish(MessageType::event, topic_ + ".a.high", "{}");
  EXPECT_EQ(topics_until(topic_ + "-end"), std::vector<std::string>{topic_ + ".a.low"});
}

TEST_F(Events, ManyPatternsFromManyThreads) {
  constexpr int threads = 4, each = 500;
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        const std::string pattern = topic_ + "." + std::to_string(t) + "." + std::to_string(i);
        EXPECT_TRUE(listener_.transport.bind_event(pattern));
        if (i % 2 == 1) listener_.transport.unbind_event(pattern);
      }
    });
  }
  for (auto& worker : workers) worker.join();
  ASSERT_TRUE(listener_.transport.bind_event(topic_ + "-end"));
  // Patterns are reported in no particular order.
  for (int i = 0; i < each; i += 14) ASSERT_TRUE(arrives(topic_ + ".2." + std::to_string(i)));
  ASSERT_TRUE(arrives(topic_ + "-end"));
  listener_.forget();
  for (int i = 0; i < each; i += 7) sender_.publish(MessageType::event, topic_ + ".2." + std::to_string(i), "{}");
  std::vector<std::string> expected;
  for (int i = 0; i < each; i += 14) expected.push_back(topic_ + ".2." + std::to_string(i));
  EXPECT_EQ(topics_until(topic_ + "-end"), expected);
}

TEST_F(Events, BoundBeforeTheTransportStarts) {
  Participant early(settings());
  ASSERT_TRUE(early.transport.bind_event(topic_ + ".early"));
  ASSERT_TRUE(early.start());
  bool came = false;
  for (int i = 0; i < tries && !came; ++i) {
    sender_.publish(MessageType::event, topic_ + ".early", "{}");
    came = early.sees([](const auto& s) { return !s.events.empty(); }, patience(i));
  }
  EXPECT_TRUE(came);
}

/// Each caller that waits for the bind is told, also if the broker had the pattern all along.
TEST_F(Events, BoundIsSaid) {
  const auto said = [this](std::size_t times) {
    return listener_.sees([&](const auto& seen) {
      return static_cast<std::size_t>(std::count(seen.bound.begin(), seen.bound.end(), topic_)) == times;
    });
  };
  ASSERT_TRUE(listener_.transport.bind_event(topic_));
  EXPECT_TRUE(said(1));
  for (std::size_t again = 2; again < 20; ++again) {
    listener_.transport.unbind_event(topic_);
    ASSERT_TRUE(listener_.transport.bind_event(topic_));  // told to the broker, or taken back before it was
    EXPECT_TRUE(said(again));
  }
}

TEST_F(Events, PatternsThatAreRefusedHereAndNow) {
  EXPECT_FALSE(listener_.transport.bind_event(std::string(256, 'x')));
  EXPECT_TRUE(listener_.transport.bind_event(std::string(255, 'x')));
}

}  // namespace
}  // namespace nuropb::mesh
