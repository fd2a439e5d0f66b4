// A whole edge: handshakes, sessions, messages, and shutdown.

#include "tests/unit/edge/edge_fixture.hpp"

namespace nuropb::edge {
namespace {

// Handshakes

TEST_F(EdgeTest, HandshakesThatAnEdgeCanJudgeAreRefusedByHttp) {  // provokes: NuropbAuthenticationError
  config_.listen.origins = {"example.com"};
  start_attached();
  const std::vector<std::string> token{"Authorization: Bearer secret"};
  ASSERT_TRUE(eventually([&] { return health()["attached"] == true; }));

  const std::string none = refusal(Consumer::upgrade("/websocket", {}));
  EXPECT_THAT(none, HasSubstr("HTTP/1.1 401"));
  EXPECT_THAT(none, HasSubstr("WWW-Authenticate: Bearer"));
  EXPECT_THAT(none, HasSubstr("NuropbAuthenticationError"));
  EXPECT_THAT(refusal(Consumer::upgrade("/websocket", {token[0], "Origin: https://evilexample.com"})),
              HasSubstr("HTTP/1.1 403"));
  EXPECT_THAT(refusal(Consumer::upgrade("/elsewhere", token)), HasSubstr("HTTP/1.1 404"));
  EXPECT_THAT(refusal(Consumer::upgrade("/websocket", token, "8")), HasSubstr("HTTP/1.1 426"));
  EXPECT_THAT(refusal("GET /websocket HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(refusal("NOT HTTP\r\n\r\n"), HasSubstr("HTTP/1.1 400"));
  EXPECT_EQ(counter(shm::EdgeCounter::refused_handshakes), 5u)
      << "WebSocket handshakes of version 13 or another, and input that is not HTTP";
  EXPECT_TRUE(meshd_->quiet()) << "meshd is asked about none of them";
}

TEST_F(EdgeTest, WithoutMeshdItSaysComeAgain) {
  start();
  const std::string answer = refusal(Consumer::upgrade("/websocket", {"Authorization: Bearer secret"}));
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(answer, HasSubstr("Retry-After:"));
  EXPECT_EQ(health()["status"], "unattached");
}

TEST_F(EdgeTest, OverItsLimitOfConnectionsItSaysComeAgain) {
  config_.limits.connections = 1;
  start_attached();
  {
    const auto first = connect();
    EXPECT_THAT(refusal(Consumer::upgrade("/websocket", {"Authorization: Bearer secret"})), HasSubstr("HTTP/1.1 503"));
  }
  meshd_->closed();
  connect();
}

// Sessions

TEST_F(EdgeTest, TheHelloComesAfterTheVerdictAndWhatWasSaidBeforeIsNotLost) {
  start_attached();
  Consumer consumer(port_);
  consumer.handshake({"Authorization: Bearer: secret"});
  const auto asked = meshd_->open();
  EXPECT_EQ(asked.kind, CredentialKind::header);
  EXPECT_EQ(asked.credential, "secret");
  EXPECT_THAT(std::string(asked.peer), HasSubstr("127.0.0.1"));
  consumer.send(call("early"));
  consumer.send_bytes(Consumer::frame(call("binary"), 2));
  EXPECT_TRUE(consumer.silent());
  EXPECT_TRUE(meshd_->quiet());

  const std::string session_id = asked.session_id.hex();
  meshd_->accept(asked);
  EXPECT_EQ(json::parse(consumer.read_text()),
            json::parse(R"({"type":"event","payload":{"topic":"hello","event":{"session_id":")" + session_id +
                        R"(","user_id":"user 1","username":"Ann"}}})"));
  const auto early = meshd_->request();
  EXPECT_EQ(early.second.service, "demo");
  EXPECT_EQ(early.second.method, "echo");
  EXPECT_EQ(early.second.params, R"({"x":1})");
  EXPECT_EQ(early.second.trace_id, "\"early\"");
  meshd_->answer(early, R"({"y": 2})");
  EXPECT_EQ(consumer.read_text(),
            R"({"type":"response","payload":{"trace_id":"early","result":{"y": 2},"error":null}})");
  EXPECT_EQ(meshd_->request().second.trace_id, "\"binary\"");
}

TEST_F(EdgeTest, TheCookieCountsWhereThereIsNoHeader) {
  start_attached();
  Consumer consumer(port_);
  consumer.handshake({"Cookie: a=b; Authorization=\"Bearer of-cookie\""});
  const auto asked = meshd_->open();
  EXPECT_EQ(asked.kind, CredentialKind::cookie);
  EXPECT_EQ(asked.credential, "of-cookie");
}

TEST_F(EdgeTest, ARefusedTokenClosesWithItsReasonAndWithoutAHello) {  // provokes: 4501
  start_attached();
  Consumer consumer(port_);
  consumer.handshake();
  const auto asked = meshd_->open();
  meshd_->send(Type::session_refused, records::SessionRefused{asked.session, asked.serial, 4501, "token refused"});
  int texts = 0;
  EXPECT_EQ(consumer.read_close(&texts), (Consumer::Close{4501, "token refused"}));
  EXPECT_EQ(texts, 0);
  EXPECT_EQ(meshd_->closed().session, asked.session);
}

TEST_F(EdgeTest, NoVerdictInTimeCloses) {  // provokes: 4002
  config_.auth.verdict_timeout_ms = 50;
  start_attached();
  Consumer consumer(port_);
  consumer.handshake();
  meshd_->open();
  EXPECT_EQ(consumer.read_close().code, 4002);
}

TEST_F(EdgeTest, AVerdictForASocketThatIsGoneIsNotItsSuccessors) {
  config_.auth.verdict_timeout_ms = 3000;  // long enough that it neither reads nor notices the end
  start_attached();
  records::OpenSession before;
  {
    Consumer gone(port_);
    gone.handshake();
    before = meshd_->open();
  }
  meshd_->closed();
  Consumer consumer(port_);
  consumer.handshake();
  const auto asked = meshd_->open();
  EXPECT_EQ(asked.session, before.session) << "the slot is used again";
  EXPECT_NE(asked.serial, before.serial);
  meshd_->accept({before.session, before.serial, {}, CredentialKind::header, "", ""}, "another user");
  EXPECT_TRUE(consumer.silent());
  meshd_->accept(asked, "user 2");
  EXPECT_THAT(consumer.read_text(), HasSubstr("user 2"));
}

TEST_F(EdgeTest, MeshdEndsASession) {
  start_attached();
  records::OpenSession asked;
  const auto consumer = connect(&asked);
  meshd_->send(Type::end_session, records::EndSession{asked.session, asked.serial, 4502, "kicked"});
  EXPECT_EQ(consumer->read_close(), (Consumer::Close{4502, "kicked"}));
}

// Messages

TEST_F(EdgeTest, MistakesAreAnsweredAndTheSocketStays) {  // provokes: JSONDecodeError, NuropbValidationError
  start_attached();
  const auto consumer = connect();
  consumer->send("{nonsense");
  EXPECT_EQ(json::parse(consumer->read_text())["error"], "JSONDecodeError");
  consumer->send(R"({"type":"commands","payload":{"trace_id":"t"}})");
  const auto mistake = json::parse(consumer->read_text());
  EXPECT_EQ(mistake["error"], "NuropbValidationError");
  EXPECT_EQ(mistake["trace_id"], "t");
  consumer->send(call("good"));
  EXPECT_EQ(meshd_->request().second.trace_id, "\"good\"");
  EXPECT_EQ(counter(shm::EdgeCounter::bad_messages), 2u);
}

TEST_F(EdgeTest, AMessageOverTheLimitCloses1009) {  // provokes: 1009
  start_attached();
  const auto consumer = connect();
  consumer->send(std::string(config_.limits.message_bytes + 1, ' '));
  EXPECT_EQ(consumer->read_close().code, 1009);
}

TEST_F(EdgeTest, TheFirstAnswerCountsAndGoesToItsAsker) {
  start_attached();
  const auto one = connect();
  const auto other = connect();
  one->send(call("a"));
  const auto asked = meshd_->request();
  auto misled = asked;
  ++misled.second.session;
  meshd_->answer(misled, "\"not yours\"");
  meshd_->answer(asked, "\"second\"");
  one->send(call("b"));
  const auto again = meshd_->request();
  meshd_->answer(again, "1");
  meshd_->answer(again, "\"the second answer of a service that sends two\"");
  EXPECT_EQ(json::parse(one->read_text())["payload"]["result"], 1)
      << "an answer with a wrong address ends its request and reaches no client";
  EXPECT_TRUE(eventually([&] { return counter(shm::EdgeCounter::late_responses) == 3; }));
  EXPECT_TRUE(one->silent());
  EXPECT_TRUE(other->silent());
}

TEST_F(EdgeTest, WhatIsNotAnsweredInTimeTimesOutOnce) {  // provokes: NuropbTimeoutError
  start_attached();
  const auto consumer = connect();
  consumer->send(call("slow", "slow", R"(,"ttl":30)"));
  const auto asked = meshd_->request();
  const auto response = json::parse(consumer->read_text())["payload"];
  EXPECT_EQ(response["trace_id"], "slow");
  EXPECT_EQ(response["error"]["error"], "NuropbTimeoutError");
  EXPECT_TRUE(response["result"].is_null());
  meshd_->answer(asked, "1");
  EXPECT_TRUE(consumer->silent());
  EXPECT_EQ(counter(shm::EdgeCounter::timeouts), 1u);
}

TEST_F(EdgeTest, ASessionHasABoundOfOutstandingRequests) {  // provokes: NuropbTransportError
  config_.limits.pending_per_session = 2;
  start_attached();
  const auto consumer = connect();
  for (const char* trace_id : {"1", "2", "3"}) consumer->send(call(trace_id));
  const auto refused = json::parse(consumer->read_text())["payload"];
  EXPECT_EQ(refused["trace_id"], "3");
  EXPECT_EQ(refused["error"]["error"], "NuropbTransportError");
  EXPECT_FALSE(refused["error"].contains("outcome")) << "it did not run";
  meshd_->answer(meshd_->request(), "1");
  EXPECT_EQ(json::parse(consumer->read_text())["payload"]["trace_id"], "1");
  consumer->send(call("4"));
  meshd_->request();
  EXPECT_EQ(meshd_->request().second.trace_id, "\"4\"");
}

// Shutdown

TEST_F(EdgeTest, ADrainFinishesWhatIsPendingAndClosesThen) {  // provokes: 1001
  config_.drain.limit_ms = 10'000;
  start_attached();
  const auto consumer = connect();
  consumer->send(call("a"));
  const auto asked = meshd_->request();
  signal_edge();
  ASSERT_TRUE(eventually([&] {
    try {
      Consumer late(port_);
      return false;
    } catch (const std::runtime_error&) { return true; }
  })) << "it takes no new connections";
  EXPECT_TRUE(consumer->silent());
  meshd_->answer(asked, "1");
  EXPECT_EQ(json::parse(consumer->read_text())["payload"]["result"], 1);
  EXPECT_EQ(consumer->read_close().code, 1001);
  thread_.join();
  EXPECT_EQ(ended_.get(), 0);
}

TEST_F(EdgeTest, ADrainHasALimitAndLeavesNoRequestWithoutAnOutcome) {
  config_.drain.limit_ms = 50;
  start_attached();
  const auto consumer = connect();
  consumer->send(call("published"));
  meshd_->request();
  meshd_->set_broker(shm::BrokerState::away);
  ASSERT_TRUE(eventually([&] { return health()["broker"] == "away"; }));
  consumer->send(call("held back"));
  consumer->send("{nonsense");  // waits behind it, because order is preserved
  EXPECT_TRUE(consumer->silent());
  signal_edge();
  const auto unknown = json::parse(consumer->read_text())["payload"];
  EXPECT_EQ(unknown["trace_id"], "published");
  EXPECT_EQ(unknown["error"]["outcome"], "unknown");
  const auto refused = json::parse(consumer->read_text())["payload"];
  EXPECT_EQ(refused["trace_id"], "held back");
  EXPECT_EQ(refused["error"]["error"], "NuropbTransportError");
  EXPECT_FALSE(refused["error"].contains("outcome"));
  EXPECT_EQ(json::parse(consumer->read_text())["error"], "JSONDecodeError");
  EXPECT_EQ(consumer->read_close().code, 1001);
  thread_.join();
  EXPECT_EQ(ended_.get(), 0);
}

TEST_F(EdgeTest, ConsumersThatVanishWithRequestsPendingLeaveNothingBehind) {
  start_attached();
  for (int i = 0; i < 20; ++i) {
    std::pair<shm::RecordHeader, records::Request> asked;
    {
      const auto consumer = connect();
      consumer->send(call("a"));
      asked = meshd_->request();
    }
    meshd_->closed();
    meshd_->answer(asked, "1");  // to no client
  }
  EXPECT_TRUE(eventually([&] { return counter(shm::EdgeCounter::late_responses) == 20; }));
  const auto now = health();
  EXPECT_EQ(now["sessions"], 0);
  EXPECT_EQ(now["connections"], 0);
  EXPECT_EQ(now["pending"], 0);
}

}  // namespace
}  // namespace nuropb::edge
