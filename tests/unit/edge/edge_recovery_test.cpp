// The outcome of each request when meshd dies, depending on its progress.

#include "tests/unit/edge/edge_fixture.hpp"

namespace nuropb::edge {
namespace {

class EdgeRecoveryTest : public EdgeTest {
 protected:
  void pending(std::size_t count) {
    ASSERT_TRUE(eventually([&] { return health()["pending"] == count; }));
  }
  void next_meshd(std::uint32_t generation = 9) {
    meshd_ = std::make_unique<RingSide>(path());
    meshd_->welcome(3, generation);
  }
  static json payload(Consumer& consumer) { return json::parse(consumer.read_text())["payload"]; }
  static void expect_unknown(const json& answer, const char* trace_id) {
    EXPECT_EQ(answer["trace_id"], trace_id);
    EXPECT_EQ(answer["error"]["outcome"], "unknown");
  }
};

TEST_F(EdgeRecoveryTest, WhatWasNeverTakenGoesToTheNextInItsOrder) {
  start_attached();
  const auto consumer = connect();
  consumer->send(call("taken"));
  meshd_->request();
  consumer->send(call("b"));
  consumer->send(call("c"));
  pending(3);
  meshd_.reset();
  expect_unknown(payload(*consumer), "taken");
  consumer->send(call("d"));

  next_meshd();
  const auto session = meshd_->open();
  EXPECT_TRUE(meshd_->quiet()) << "nothing before the session is accepted";
  meshd_->accept(session);
  for (const char* trace_id : {"b", "c", "d"}) {
    const auto asked = meshd_->request();
    EXPECT_EQ(asked.second.trace_id, json(trace_id).dump());
    EXPECT_EQ(asked.second.session, session.session);
    meshd_->answer(asked, "1");
    EXPECT_EQ(payload(*consumer)["trace_id"], trace_id);
  }
  EXPECT_TRUE(consumer->silent());
}

TEST_F(EdgeRecoveryTest, WhatWasPublishedIsAnsweredThroughTheNext) {
  start_attached();
  const auto consumer = connect();
  consumer->send(call("published"));
  const auto asked = meshd_->request();
  meshd_->settle();
  meshd_.reset();
  next_meshd();
  meshd_->accept(meshd_->open());
  EXPECT_TRUE(consumer->silent()) << "it has no outcome yet";
  EXPECT_TRUE(meshd_->quiet()) << "and isn't sent again";
  meshd_->send(Type::response, records::Response{asked.second.session, "1", "null"}, asked.first.sequence);
  EXPECT_EQ(payload(*consumer)["result"], 1);
  meshd_->send(Type::response, records::Response{asked.second.session, "2", "null"}, asked.first.sequence);
  EXPECT_TRUE(consumer->silent()) << "once";
}

TEST_F(EdgeRecoveryTest, WhatWasPublishedOutlivesASecondDeath) {
  start_attached();
  const auto consumer = connect();
  consumer->send(call("published"));
  const auto asked = meshd_->request();
  meshd_->settle();
  for (int deaths = 0; deaths < 2; ++deaths) {
    meshd_.reset();
    next_meshd();
    meshd_->accept(meshd_->open());
  }
  meshd_->send(Type::response, records::Response{asked.second.session, "1", "null"}, asked.first.sequence);
  EXPECT_EQ(payload(*consumer)["result"], 1);
}

TEST_F(EdgeRecoveryTest, AtAnotherAddressNoAnswerCanCome) {
  start_attached();
  const auto consumer = connect();
  consumer->send(call("published"));
  meshd_->request();
  meshd_->settle();
  meshd_.reset();
  next_meshd(10);
  expect_unknown(payload(*consumer), "published");
}

TEST_F(EdgeRecoveryTest, ACommandsAnswerDiesWithMeshd) {
  start_attached();
  const auto consumer = connect();
  consumer->send(R"({"type":"command","payload":{"service":"demo","method":"echo","params":{},"trace_id":"c"}})");
  meshd_->next<records::Request>(Type::command);
  meshd_->settle();
  meshd_.reset();
  expect_unknown(payload(*consumer), "c");
}

TEST_F(EdgeRecoveryTest, WhatMayRunTwiceIsSentAgainAsTheSame) {
  start_attached();
  const auto consumer = connect();
  consumer->send(call("twice", "echo", R"(,"idempotent":true)"));
  const auto first = meshd_->request();
  const std::string params(first.second.params);
  meshd_.reset();
  EXPECT_TRUE(eventually([&] { return health()["status"] == "unattached"; }));
  next_meshd();
  meshd_.reset();  // a meshd that dies before it was notified
  EXPECT_TRUE(eventually([&] { return health()["status"] == "unattached"; }));
  next_meshd();
  meshd_->accept(meshd_->open());
  const auto again = meshd_->request();
  EXPECT_EQ(again.first.sequence, first.first.sequence) << "so its correlation id is the same";
  EXPECT_EQ(again.second.params, params);
  meshd_->answer(again, "1");
  EXPECT_EQ(payload(*consumer)["result"], 1);
  EXPECT_TRUE(consumer->silent());
}

TEST_F(EdgeRecoveryTest, WhatWaitsToBeSentAgainEndsWithItsTime) {
  start_attached();
  const auto consumer = connect();
  consumer->send(call("late", "echo", R"(,"ttl":2000)"));
  pending(1);
  meshd_.reset();
  EXPECT_EQ(payload(*consumer)["error"]["error"], "NuropbTimeoutError");
  next_meshd();
  meshd_->accept(meshd_->open());
  EXPECT_TRUE(meshd_->quiet());
  consumer->send(call("next"));
  EXPECT_EQ(meshd_->request().second.trace_id, "\"next\"");
}

TEST_F(EdgeRecoveryTest, AMeshdThatMayLiveStillIsTrustedWithNothing) {
  // meshd was left because of a violation, not because it ended, so it may still read from the old ring at any time.
  start_attached();
  const auto consumer = connect();
  consumer->send(call("untaken"));
  pending(1);
  meshd_->settle();
  meshd_->send_raw(999, "rubbish");
  expect_unknown(payload(*consumer), "untaken");
}

TEST_F(EdgeRecoveryTest, ASubscriptionThatWasNeverTakenIsAskedForOnce) {
  start_attached();
  const auto consumer = connect();
  consumer->send(R"({"type":"subscribe","payload":{"topic":"news","trace_id":"s"}})");
  pending(1);
  meshd_.reset();
  next_meshd();
  meshd_->accept(meshd_->open());
  const auto asked = meshd_->next<records::Subscription>(Type::subscribe);
  EXPECT_EQ(asked.second.topic, "news");
  meshd_->send(Type::response, records::Response{asked.second.session, "null", "null"}, asked.first.sequence);
  EXPECT_EQ(payload(*consumer)["error"], nullptr);
  EXPECT_TRUE(meshd_->quiet());
}

}  // namespace
}  // namespace nuropb::edge
