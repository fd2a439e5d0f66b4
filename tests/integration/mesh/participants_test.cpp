// Two participants on one connection: neither gets the other's messages.

#include <gtest/gtest.h>

#include <algorithm>

#include "meshd/mesh/topology.hpp"
#include "tests/integration/mesh/participant.hpp"
#include "tests/integration/mesh/settings.hpp"

namespace nuropb::mesh {
namespace {

class Participants : public ::testing::Test {
 protected:
  void SetUp() override {
    first_ = std::make_unique<Participant>(participant_settings(name_ + "-1", Kind::service));
    second_ = std::make_unique<Participant>(*first_, participant_settings(name_ + "-2", Kind::service));
    caller_ = std::make_unique<Participant>(participant_settings("caller", Kind::client));
    for (auto* one : {first_.get(), caller_.get()}) {
      const auto up = one->start();
      ASSERT_TRUE(up) << up.error().text();
    }
  }
  static Incoming last(Participant& at) { return at.seen().requests.back(); }
  static void answer(Participant& from, const Incoming& request) {
    Outgoing out;
    out.type = MessageType::response;
    out.routing_key = request.reply_to;
    out.correlation_id = request.correlation_id;
    out.body = encode_response({"1", "null", request.correlation_id, "null", "{}", "null", ""});
    ASSERT_TRUE(from.transport.submit(std::move(out)));
    from.transport.ack(request.delivery);
  }

  const std::string name_ = "participants-" + random_hex32().substr(0, 8);
  std::unique_ptr<Participant> first_, second_, caller_;
};

TEST_F(Participants, BothAreReadyWithChannelsOfTheirOwn) {
  EXPECT_TRUE(second_->sees([](const auto& s) { return !s.states.empty() && s.states.back().first == State::ready; }));
  EXPECT_EQ(first_->transport.counters().connections, 1u);
  EXPECT_NE(first_->transport.response_queue(), second_->transport.response_queue());
  for (auto* one : {first_.get(), second_.get()}) {
    EXPECT_EQ(caller_->publish(MessageType::request, name_ + (one == first_.get() ? "-1" : "-2"), "{}").outcome,
              Outcome::confirmed);
    ASSERT_TRUE(one->sees([](const auto& s) { return s.requests.size() == 1; }));
  }
  EXPECT_EQ(last(*first_).delivery.channel, service_channel);
  EXPECT_EQ(last(*second_).delivery.channel, channel_of(1, service_channel));
}

TEST_F(Participants, RequestsReportsAndAnswersAreTheirOwn) {
  const std::string mine = random_hex32(), theirs = random_hex32();
  EXPECT_EQ(second_->publish(MessageType::request, name_ + "-1", "{}", mine).outcome, Outcome::confirmed)
      << "one asks the other, through the broker";
  EXPECT_EQ(second_->publish(MessageType::request, "nobody-" + name_, "{}", theirs).outcome, Outcome::not_delivered);
  ASSERT_TRUE(first_->sees([](const auto& s) { return s.requests.size() == 1; }));
  EXPECT_EQ(last(*first_).reply_to, second_->transport.response_queue());
  answer(*first_, last(*first_));
  ASSERT_TRUE(second_->sees([](const auto& s) { return s.responses.size() == 1; }));
  EXPECT_EQ(second_->seen().responses[0].correlation_id, mine);
  // A delivery's channel says which participant it belongs to.
  first_->transport.ack(second_->seen().responses[0].delivery);
  ASSERT_TRUE(first_->sees([&](const auto& s) {
    return std::any_of(s.reports.begin(), s.reports.end(),
                       [&](const Report& r) { return r.correlation_id == mine && r.type == MessageType::response; });
  }));
  EXPECT_EQ(first_->seen().reports.size(), 1u);
  EXPECT_TRUE(first_->seen().responses.empty());
  EXPECT_TRUE(second_->seen().requests.empty());
}

TEST_F(Participants, EventsComeToWhoBoundThem) {
  ASSERT_TRUE(first_->transport.bind_event(name_ + ".one"));
  ASSERT_TRUE(second_->transport.bind_event(name_ + ".two"));
  for (auto* one : {first_.get(), second_.get()})
    ASSERT_TRUE(one->sees([](const auto& s) { return s.bound.size() == 1; }));
  caller_->publish(MessageType::event, name_ + ".one", "{}");
  caller_->publish(MessageType::event, name_ + ".two", "{}");
  for (auto* one : {first_.get(), second_.get()})
    ASSERT_TRUE(one->sees([](const auto& s) { return s.events.size() == 1; }));
  EXPECT_EQ(first_->seen().events[0].routing_key, name_ + ".one");
  EXPECT_EQ(second_->seen().events[0].routing_key, name_ + ".two");
}

TEST_F(Participants, ALongQueueOfOneIsNoQueueOfTheOther) {
  // More than the broker accepts before the other participant's message arrives, no matter how late that is.
  std::vector<Outgoing> many(20'000);
  for (auto& one : many) {
    one.type = MessageType::event;
    one.routing_key = name_ + ".many";
    one.correlation_id = random_hex32();
    one.body = '"' + std::string(2'000, 'x') + '"';
  }
  ASSERT_EQ(first_->transport.submit(many), many.size());
  EXPECT_EQ(second_->publish(MessageType::event, name_ + ".one", "{}").outcome, Outcome::confirmed);
  EXPECT_TRUE(first_->sees([&](const auto& s) { return s.reports.size() == many.size(); }));
  EXPECT_LT(second_->seen().reported.back(), first_->seen().reported.back())
      << "it did not wait for all of the other's";
}

/// Backpressure of one participant pauses all; they resume once no participant needs the pause.
TEST_F(Participants, APauseOfOneHoldsForTheConnection) {
  second_->transport.pause_deliveries(true);
  EXPECT_EQ(caller_->publish(MessageType::request, name_ + "-1", "{}").outcome, Outcome::confirmed);
  EXPECT_FALSE(first_->sees([](const auto& s) { return !s.requests.empty(); }, milliseconds(200)));
  second_->transport.pause_deliveries(false);
  EXPECT_TRUE(first_->sees([](const auto& s) { return s.requests.size() == 1; }));
}

}  // namespace
}  // namespace nuropb::mesh
