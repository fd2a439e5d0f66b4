#include "edge/sessions/consumer_handler.hpp"

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using State = ConsumerHandler::State;

class ConsumerHandlerTest : public SessionTest {};

TEST_F(ConsumerHandlerTest, MessagesBeforeTheVerdictArePausedAndKeepTheirOrder) {
  ConsumerHandler& handler = connect(session());
  EXPECT_EQ(handler.state(), State::authenticating);
  EXPECT_FALSE(connection(handler).reading);
  handler.on_message("a");
  handler.on_message("b");
  EXPECT_TRUE(events_.messages.empty());
  handler.accept("ann", "ticket");
  handler.resume();
  EXPECT_THAT(events_.messages, ElementsAre("a", "b"));
  EXPECT_TRUE(connection(handler).reading);
  EXPECT_TRUE(sessions_.paused.empty());
}

TEST_F(ConsumerHandlerTest, WithoutATokenTheFirstMessageIsSmall) {
  ConsumerHandler& handler = connect(session(""));
  EXPECT_EQ(handler.state(), State::silent);
  EXPECT_LT(connection(handler).most, config_.limits.message_bytes);
  handler.authenticate({records::CredentialKind::message, "secret"});
  EXPECT_EQ(handler.state(), State::authenticating);
  EXPECT_EQ(connection(handler).most, config_.limits.message_bytes);
  EXPECT_FALSE(connection(handler).reading);
}

TEST_F(ConsumerHandlerTest, AMessageThatCantBeProcessedIsTriedAgain) {
  ConsumerHandler& handler = open();
  const SteadyTime until = clock_.now() + milliseconds(1000);
  events_.pauses_until = until;
  handler.on_message("a");
  handler.on_message("b");
  EXPECT_EQ(handler.paused_until(), until);
  EXPECT_FALSE(connection(handler).reading);
  EXPECT_FALSE(sessions_.paused.empty());
  events_.pauses_until.reset();
  handler.resume();
  EXPECT_THAT(events_.messages, ElementsAre("a", "b"));
  EXPECT_TRUE(sessions_.paused.empty());
}

TEST_F(ConsumerHandlerTest, ATicketIsWhatTheNextMeshdIsShown) {
  ConsumerHandler& handler = open();
  EXPECT_EQ(handler.credential().token, "ticket");
  EXPECT_EQ(handler.accept("ann", "another"), ConsumerHandler::Accepted::not_awaited);  // of a fresh token
  EXPECT_EQ(handler.credential().token, "another");
  handler.present_again();
  EXPECT_EQ(handler.accept("ann", "third"), ConsumerHandler::Accepted::again);
}

TEST_F(ConsumerHandlerTest, WhatIsOverTheRateIsRefusedInItsProtocol) {
  config_.limits.connection = {.messages_per_s = 1, .messages_burst = 1};
  NewSession snorky = session();
  snorky.protocol = &snorky_;
  ConsumerHandler& handler = open(std::move(snorky));
  const std::string call = R"({"service":"pubsub","message":{"command":"join","callId":5}})";
  handler.on_message(call);
  handler.on_message(call);
  EXPECT_THAT(events_.messages, ElementsAre(call));
  ASSERT_EQ(connection(handler).sent.size(), 1u);
  EXPECT_THAT(connection(handler).sent[0], HasSubstr(R"("callId":5,"message":"more than 1 messages a second)"));
}

TEST_F(ConsumerHandlerTest, OnlyAClientThatDidNotMeanToLeaveMayResume) {
  for (const auto& [code, lost] : {std::pair{1000, false}, {1006, true}, {4500, false}}) {
    ConsumerHandler& handler = open();
    connection(handler).ended_with = static_cast<std::uint16_t>(code);
    handler.on_close();
    EXPECT_EQ(events_.closed_lost, lost) << code;
  }
  ConsumerHandler& handler = open();
  handler.close(4503, "");
  handler.on_close();
  EXPECT_EQ(events_.closed_lost, false);
}

TEST_F(ConsumerHandlerTest, AClientThatHasEndedItsSideGetsItsAnswers) {
  ConsumerHandler& handler = open();
  sessions_.pending.add(1, handler.slot(), handler.relayed().requests, clock_.now() + milliseconds(1000), "\"t\"");
  handler.on_end();
  EXPECT_EQ(connection(handler).closed, -1);
  (void)sessions_.pending.take(1);
  handler.write_message("{}");
  EXPECT_EQ(connection(handler).closed, 0);
}

}  // namespace
}  // namespace nuropb::edge
