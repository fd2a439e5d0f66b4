// A whole edge with clients on /ws.

#include "tests/unit/edge/edge_fixture.hpp"

namespace nuropb::edge {
namespace {

class EdgeSnorky : public EdgeTest {
 protected:
  EdgeSnorky() { config_.snorky.path = "/ws"; }

  std::unique_ptr<Consumer> open(records::OpenSession& asked,
                                 const std::vector<std::string>& headers = {"Authorization: Bearer secret"}) {
    auto consumer = std::make_unique<Consumer>(port_);
    consumer->send_bytes(Consumer::upgrade("/ws", headers));
    EXPECT_THAT(consumer->read_head(), HasSubstr("HTTP/1.1 101"));
    asked = meshd_->open();
    return consumer;
  }
  std::pair<shm::RecordHeader, records::SnorkyCall> next_call() {
    return meshd_->next<records::SnorkyCall>(Type::snorky_call);
  }
  void answer(const std::pair<shm::RecordHeader, records::SnorkyCall>& asked, std::string_view text,
              std::string_view key = {}, std::string_view call = {}) {
    meshd_->send(Type::snorky_answer, records::SnorkyAnswer{asked.second.session, asked.second.serial, key, call, text},
                 asked.first.sequence);
  }
};

constexpr const char* subscribe =
    R"({"service":"pubsub","message":{"command":"subscribe","params":{"channel":"c"},"callId":7}})";

TEST_F(EdgeSnorky, CallsGoToMeshdAndFramesComeBack) {
  start_attached();
  records::OpenSession asked;
  const auto consumer = open(asked);
  consumer->send(subscribe);  // paused until the session is accepted
  meshd_->accept(asked);
  const auto call = next_call();
  EXPECT_EQ(call.second.service, "pubsub");
  EXPECT_EQ(call.second.command, "subscribe");
  EXPECT_EQ(call.second.call_id, "7");
  EXPECT_EQ(call.second.params, R"({"channel":"c"})");
  EXPECT_FALSE(call.second.restoring);
  answer(call, "the frame");
  EXPECT_EQ(consumer->read_text(), "the frame") << "and no hello before it";
  answer(call, "a second one");
  consumer->send("{}");
  EXPECT_THAT(consumer->read_text(), HasSubstr("no 'service'")) << "a second answer is dropped";
  EXPECT_EQ(counter(shm::EdgeCounter::late_responses), 1u);
}

TEST_F(EdgeSnorky, AMessageForManyIsInAnEnvelopeHereAndInNoneThere) {
  start_attached();
  records::OpenSession asked;
  const auto consumer = open(asked);
  meshd_->accept(asked);
  const auto other = connect();
  ASSERT_TRUE(eventually([&] { return health()["sessions"] == 2; }));
  meshd_->send(Type::push, records::Push{0, true, false, {}, R"({"a":1})"});
  EXPECT_EQ(consumer->read_text(), R"({"service":"gateway","message":{"a":1}})");
  EXPECT_EQ(other->read_text(), R"({"a":1})");
  std::string ref;
  records::SessionRefs::append(ref, {asked.session, asked.serial});
  meshd_->send(Type::push, records::Push{0, false, true, records::SessionRefs(ref), "whole"});
  EXPECT_EQ(consumer->read_text(), "whole");
  EXPECT_TRUE(other->silent());
}

TEST_F(EdgeSnorky, WithoutABrokerCallsGoOn) {
  start_attached();
  records::OpenSession asked;
  const auto consumer = open(asked);
  meshd_->accept(asked);
  meshd_->set_broker(shm::BrokerState::away);
  ASSERT_TRUE(eventually([&] { return health()["broker"] == "away"; }));
  consumer->send(subscribe);
  EXPECT_EQ(next_call().second.command, "subscribe");
}

TEST_F(EdgeSnorky, WhatStandsIsBroughtToTheNextMeshd) {
  start_attached();
  records::OpenSession asked;
  const auto consumer = open(asked);
  meshd_->accept(asked);
  for (const auto& [key, call] : {std::pair("k1", R"({"service":"s","message":{"command":"one","params":{}}})"),
                                  {"k2", R"({"service":"s","message":{"command":"two","params":[2]}})"},
                                  {"k3", R"({"service":"s","message":{"command":"three","params":{}}})"}}) {
    consumer->send(subscribe);
    answer(next_call(), "kept", key, call);
    EXPECT_EQ(consumer->read_text(), "kept");
  }
  consumer->send(subscribe);
  answer(next_call(), "dropped", "k1");
  EXPECT_EQ(consumer->read_text(), "dropped");
  consumer->send(subscribe);  // and one with an unknown outcome
  next_call();

  const auto again = [&] {
    meshd_ = nullptr;
    meshd_ = std::make_unique<RingSide>(path());
    meshd_->welcome();
    asked = meshd_->open();
    EXPECT_EQ(asked.kind, CredentialKind::ticket);
    meshd_->accept(asked);
  };
  again();
  EXPECT_EQ(
      consumer->read_text(),
      R"({"service":"pubsub","message":{"type":"error","callId":7,"message":"The gateway was interrupted; the call may have run"}})");
  auto call = next_call();
  EXPECT_EQ(call.second.command, "two");
  EXPECT_EQ(call.second.params, "[2]");
  EXPECT_TRUE(call.second.restoring);
  answer(call, "not for the consumer", "k2", R"({"service":"s","message":{"command":"two","params":[2]}})");
  call = next_call();
  EXPECT_EQ(call.second.command, "three");
  answer(call, "refused by this meshd");
  consumer->send(subscribe);
  answer(next_call(), "the only frame");
  EXPECT_EQ(consumer->read_text(), "the only frame");
  again();
  EXPECT_EQ(next_call().second.command, "two") << "and three no more";
  EXPECT_TRUE(meshd_->quiet());
}

TEST_F(EdgeSnorky, NobodyNeedsNoTokenWhereTheConfigSaysSo) {
  config_.snorky.anonymous = true;
  start_attached();
  records::OpenSession asked;
  const auto nobody = open(asked, {});
  EXPECT_EQ(asked.kind, CredentialKind::none);
  EXPECT_EQ(asked.credential, "");
  const auto ann = open(asked);
  EXPECT_EQ(asked.kind, CredentialKind::header);
  EXPECT_THAT(refusal(Consumer::upgrade("/websocket", {})), HasSubstr("HTTP/1.1 401"));
}

TEST_F(EdgeSnorky, ACallHasItsEndAlsoWithoutAnAnswer) {
  config_.request.ttl_ms = 50;
  config_.limits.pending_per_session = 1;
  start_attached();
  records::OpenSession asked;
  const auto consumer = open(asked);
  meshd_->accept(asked);
  consumer->send(subscribe);
  const auto call = next_call();
  EXPECT_EQ(
      consumer->read_text(),
      R"({"service":"pubsub","message":{"type":"error","callId":7,"message":"No answer in time; the call may have run"}})");
  answer(call, "too late", "k", R"({"service":"s","message":{"command":"c","params":{}}})");
  config_.request.ttl_ms = 60'000;
  consumer->send(subscribe);
  consumer->send(subscribe);
  EXPECT_THAT(consumer->read_text(), HasSubstr("limits.pending_per_session"));
}

}  // namespace
}  // namespace nuropb::edge
