// The queue of a socket that reads when the test says so.

#include "edge/sessions/send_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <nlohmann/json.hpp>

namespace nuropb::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;

/// A socket whose peer reads one message at a time.
class Socket final : public Connection {
 public:
  void send_text(std::string_view text) override { take(text); }
  void send_binary(std::string_view text) override { take(text); }
  void send_frame(const Frame& frame) override { take(frame.text()); }
  void close(std::uint16_t, std::string_view) override {}
  void pause_reading() override {}
  void resume_reading() override {}
  void limit_message(std::size_t) override {}
  [[nodiscard]] std::size_t buffered_bytes() const override { return bytes; }
  [[nodiscard]] std::uint16_t closed_with() const override { return 0; }
  [[nodiscard]] bool peer_gone() const override { return false; }

  std::deque<std::string> in_flight;
  std::size_t bytes = 0, most = 0;

 private:
  void take(std::string_view text) {
    in_flight.emplace_back(text);
    most = std::max(most, bytes += text.size());
  }
};

class SendQueueTest : public ::testing::Test {
 protected:
  static constexpr std::size_t limit = 8 * 1024;
  static std::string filler(char c, std::size_t size) { return std::string(size, c); }
  static std::string event(std::string_view topic, int n, std::size_t size = 500) {
    return R"({"type":"event","payload":{"topic":")" + std::string(topic) + R"(","event":[)" + std::to_string(n) +
           ",\"" + filler('x', size) + "\"]}}";
  }
  bool send_event(std::string_view topic, int n, QueueRules::Match rule, std::size_t size = 500) {
    return queue_.send(prepare(event(topic, n, size)), topic, rule);
  }
  /// The socket holds at least half of what waits, so that later messages have to wait.
  void fill_socket() { EXPECT_TRUE(queue_.send(filler('f', limit / 2))); }
  /// The peer reads everything; returns what it read, without the filling.
  std::vector<std::string> read_all() {
    std::vector<std::string> out;
    while (!socket_.in_flight.empty()) {
      const std::string text = std::move(socket_.in_flight.front());
      socket_.in_flight.pop_front();
      socket_.bytes -= text.size();
      if (text.front() != 'f') out.push_back(text);
      queue_.go_on();
    }
    return out;
  }
  /// The same for events: topic, number, and how many were dropped before it.
  std::vector<std::string> read_events() {
    std::vector<std::string> out;
    for (const std::string& text : read_all()) {
      const auto payload = nlohmann::json::parse(text)["payload"];
      std::string line = payload["topic"].get<std::string>() + " " + payload["event"][0].dump();
      if (payload.contains("dropped")) line += " -" + payload["dropped"].dump();
      out.push_back(line);
    }
    return out;
  }

  static constexpr QueueRules::Match close_rule{0, WhenFull::close}, ticks{1, WhenFull::drop_oldest},
      prices{2, WhenFull::latest}, logs{3, WhenFull::drop_oldest};
  Socket socket_;
  SendQueue queue_{socket_, limit};
};

TEST_F(SendQueueTest, ASocketThatReadsGetsEverythingAtOnce) {
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(queue_.send("1234567890"));
    ASSERT_TRUE(send_event("t", i, ticks));
    ASSERT_EQ(queue_.waiting_bytes(), 0u);
    socket_.in_flight.clear();
    socket_.bytes = 0;
  }
  EXPECT_EQ(queue_.take_dropped(), 0u);
}

TEST_F(SendQueueTest, OnlyALittleIsHandedOverAndTheOrderIsKept) {
  fill_socket();
  std::vector<std::string> sent;
  for (int i = 0; i < 5; ++i) {
    sent.push_back(filler('a', 100) + std::to_string(i));
    EXPECT_TRUE(queue_.send(sent.back()));
  }
  EXPECT_EQ(socket_.in_flight.size(), 1u);
  EXPECT_EQ(queue_.waiting_bytes(), 5 * (101 + SendQueue::overhead));
  EXPECT_EQ(read_all(), sent);
  EXPECT_EQ(queue_.waiting_bytes(), 0u);
}

TEST_F(SendQueueTest, OneMessageLargerThanTheBoundPassesAlone) {
  EXPECT_TRUE(queue_.send(filler('a', 10 * limit)));
  EXPECT_FALSE(queue_.send("b")) << "behind it there is no room";
}

TEST_F(SendQueueTest, AnswersOverTheBoundAreTheEndAndNoneIsLost) {
  fill_socket();
  int sent = 0;
  while (queue_.send(filler('a', 500))) ASSERT_LT(++sent, 100);
  EXPECT_LE(socket_.bytes + queue_.waiting_bytes(), limit + 500 + SendQueue::overhead);
  queue_.hand_over();
  EXPECT_EQ(read_all().size(), static_cast<std::size_t>(sent) + 1);
}

TEST_F(SendQueueTest, EventsWithoutARuleCountLikeAnswers) {
  fill_socket();
  int sent = 0;
  while (send_event("orders.1", sent, close_rule)) ASSERT_LT(++sent, 100);
  EXPECT_GT(sent, 3);
  EXPECT_EQ(queue_.take_dropped(), 0u);
}

TEST_F(SendQueueTest, TheOldestMakeRoomAndTheNextOfTheirRuleSaysSo) {
  fill_socket();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(send_event("ticks.a", i, ticks));
  EXPECT_LE(socket_.bytes + queue_.waiting_bytes(), limit);
  const std::uint64_t dropped = queue_.take_dropped();
  EXPECT_GT(dropped, 80u);
  EXPECT_EQ(queue_.take_dropped(), 0u) << "told once";
  const auto events = read_events();
  ASSERT_EQ(events.size(), 100 - dropped);
  EXPECT_EQ(events.front(), "ticks.a " + std::to_string(dropped) + " -" + std::to_string(dropped));
  EXPECT_EQ(events[1], "ticks.a " + std::to_string(dropped + 1)) << "said once";
  EXPECT_EQ(events.back(), "ticks.a 99");
}

TEST_F(SendQueueTest, OfEachTopicTheLatestWaitsInItsPredecessorsPlace) {
  fill_socket();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(send_event("prices.a", i, prices));
    ASSERT_TRUE(send_event("prices.b", i, prices));
    if (i != 500) continue;
    ASSERT_TRUE(send_event("orders", i, close_rule));
  }
  EXPECT_THAT(read_events(), ElementsAre("prices.a 999 -1998", "prices.b 999", "orders 500"));
  EXPECT_EQ(queue_.take_dropped(), 1998u);
}

TEST_F(SendQueueTest, ManyTopicsOfTheLatestAreBoundedToo) {
  fill_socket();
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(send_event("prices." + std::to_string(i), i, prices));
  EXPECT_LE(socket_.bytes + queue_.waiting_bytes(), limit);
  const auto events = read_events();
  EXPECT_EQ(events.front(), "prices." + std::to_string(1000 - events.size()) + " " +
                                std::to_string(1000 - events.size()) + " -" + std::to_string(1000 - events.size()));
  EXPECT_EQ(events.back(), "prices.999 999");
}

TEST_F(SendQueueTest, AnswersPushEventsOutAndNotTheOtherWayRound) {
  fill_socket();
  while (queue_.take_dropped() == 0)
    ASSERT_TRUE(send_event("prices." + std::to_string(queue_.waiting_bytes()), 0, prices));
  EXPECT_TRUE(send_event("ticks.a", 1, ticks)) << "it is left out itself: the latest of a topic is worth more";
  EXPECT_EQ(queue_.take_dropped(), 1u);
  int answers = 0;
  while (queue_.send(filler('a', 500))) ASSERT_LT(++answers, 100);
  ++answers;  // the last one was taken, too
  EXPECT_TRUE(send_event("prices.new", 1, prices)) << "an event that may be left out never ends a socket";
  const auto all = read_all();
  EXPECT_EQ(all.size(), static_cast<std::size_t>(answers)) << "no event is left";
  ASSERT_TRUE(send_event("ticks.a", 2, ticks));
  EXPECT_THAT(read_events(), ElementsAre("ticks.a 2 -1"));
}

TEST_F(SendQueueTest, TheOldestGoesWhoeverItIsAndEachRuleHasItsOwnCount) {
  fill_socket();
  ASSERT_TRUE(send_event("logs.a", 1, logs));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(send_event("ticks.a", i, ticks));
  ASSERT_TRUE(send_event("logs.a", 2, logs));
  auto events = read_events();
  EXPECT_EQ(events.back(), "logs.a 2 -1");
  EXPECT_THAT(events.front(), EndsWith(" -" + std::to_string(20 - (events.size() - 1))));
}

TEST_F(SendQueueTest, AnEventThatFitsNowhereIsLeftOut) {
  fill_socket();
  EXPECT_TRUE(send_event("ticks.a", 1, ticks, 2 * limit));
  EXPECT_TRUE(send_event("prices.a", 1, prices));
  EXPECT_TRUE(send_event("prices.a", 2, prices, 2 * limit)) << "grown beyond the bound in its predecessor's place";
  EXPECT_EQ(queue_.take_dropped(), 3u);
  EXPECT_TRUE(read_all().empty());
  ASSERT_TRUE(send_event("prices.a", 3, prices));
  EXPECT_THAT(read_events(), ElementsAre("prices.a 3 -2"));
}

TEST_F(SendQueueTest, ManySmallEventsAreNotFree) {
  fill_socket();
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(send_event("ticks.a", i, ticks, 0));
  EXPECT_LE(queue_.waiting_bytes(), limit);
  EXPECT_LT(read_all().size(), limit / SendQueue::overhead);
}

TEST_F(SendQueueTest, FramesThatWaitAreShared) {
  const Frame frame = prepare(event("ticks.a", 1));
  const std::string_view before = frame.text();
  fill_socket();
  ASSERT_TRUE(queue_.send(frame, "ticks.a", ticks));
  EXPECT_EQ(frame.text().data(), before.data());
}

TEST(WithDropped, IsAMemberOfThePayload) {
  EXPECT_EQ(with_dropped(R"({"type":"event","payload":{"topic":"a","event":1}})", 7),
            R"({"type":"event","payload":{"topic":"a","event":1,"dropped":7}})");
}

}  // namespace
}  // namespace nuropb::edge
