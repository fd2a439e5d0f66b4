#include "tests/unit/edge/edge_fixture.hpp"

namespace nuropb::edge {
namespace {

std::string authorize(std::string_view token, std::string_view trace_id = "a") {
  return R"({"type":"authorize","payload":{"token":")" + std::string(token) + R"(","trace_id":")" +
         std::string(trace_id) + "\"}}";
}

TEST_F(EdgeTest, AFreshTokenGoesToMeshdAndItsTicketIsTheOneThatCounts) {
  start_attached();
  records::OpenSession opened;
  const auto consumer = connect(&opened);
  meshd_->set_broker(shm::BrokerState::away);
  EXPECT_TRUE(eventually([&] { return health()["broker"] == "away"; }));
  consumer->send(authorize("Bearer fresh"));
  const auto asked = meshd_->next<records::Authorize>(Type::authorize);
  EXPECT_EQ(asked.second.token, "fresh") << "without a broker too";
  EXPECT_EQ(asked.second.session, opened.session);
  EXPECT_EQ(asked.second.serial, opened.serial);
  meshd_->accept(opened, "user 1", "fresh ticket");
  meshd_->send(Type::response, records::Response{opened.session, R"({"user_id":"user 1"})", "null"},
               asked.first.sequence);
  EXPECT_EQ(consumer->read_text(),
            R"({"type":"response","payload":{"trace_id":"a","result":{"user_id":"user 1"},"error":null}})")
      << "and no second hello";

  meshd_.reset();
  meshd_ = std::make_unique<RingSide>(path());
  meshd_->welcome();
  const auto again = meshd_->open();
  EXPECT_EQ(again.kind, CredentialKind::ticket);
  EXPECT_EQ(again.credential, "fresh ticket");
}

TEST_F(EdgeTest, ANoticeGoesToItsSocketAsItIs) {
  start_attached();
  records::OpenSession opened;
  const auto consumer = connect(&opened);
  meshd_->send(Type::session_notice,
               records::SessionNotice{opened.session, opened.serial + 1, "\"for its successor\""});
  meshd_->send(Type::session_notice, records::SessionNotice{opened.session, opened.serial, R"({"type":"event"})"});
  EXPECT_EQ(consumer->read_text(), R"({"type":"event"})");
}

TEST_F(EdgeTest, AStrangersFirstMessageBringsItsToken) {
  config_.auth.first_message = true;
  config_.auth.first_message_ms = 600'000;
  start_attached();
  Consumer consumer(port_);
  consumer.handshake({});
  EXPECT_TRUE(consumer.silent());
  EXPECT_TRUE(meshd_->quiet()) << "meshd is not notified before";
  consumer.send(authorize("late"));
  const auto asked = meshd_->open();
  EXPECT_EQ(asked.kind, CredentialKind::message);
  EXPECT_EQ(asked.credential, "late");
  consumer.send(call("behind"));
  EXPECT_TRUE(meshd_->quiet());
  meshd_->accept(asked);
  EXPECT_THAT(consumer.read_text(), HasSubstr("hello"));
  EXPECT_EQ(meshd_->request().second.trace_id, "\"behind\"");
}

TEST_F(EdgeTest, AStrangerMaySayNothingElse) {
  config_.auth.first_message = true;
  start_attached();
  for (const std::string& first :
       {call("x"), std::string("rubbish"), std::string(R"({"type":"authorize","payload":{}})")}) {
    Consumer consumer(port_);
    consumer.handshake({});
    consumer.send(first);
    int texts = 0;
    EXPECT_EQ(consumer.read_close(&texts), (Consumer::Close{4501, "the first message has to be authorize"})) << first;
    EXPECT_EQ(texts, 0);
  }
}

TEST_F(EdgeTest, AStrangerThatSaysNothingIsClosedAndSurvivesMeshdUntilThen) {  // provokes: 4402
  config_.auth.first_message = true;
  config_.auth.first_message_ms = 400;
  start_attached();
  Consumer consumer(port_);
  consumer.handshake({});
  meshd_.reset();
  meshd_ = std::make_unique<RingSide>(path());
  meshd_->welcome();
  EXPECT_EQ(consumer.read_close(), (Consumer::Close{4402, "no authorize message in time"}));
}

TEST_F(EdgeTest, StrangersHaveABound) {
  config_.auth.first_message = true;
  config_.auth.first_message_ms = 600'000;
  config_.auth.first_message_waiting = 1;
  start_attached();
  {
    Consumer first(port_);
    first.handshake({});
    EXPECT_THAT(refusal(Consumer::upgrade("/websocket", {})), HasSubstr("HTTP/1.1 503"));
    connect();
  }
  EXPECT_TRUE(eventually([&] { return health()["connections"] == 0; }));
  Consumer next(port_);
  next.handshake({});
}

TEST_F(EdgeTest, ABrowsersTokenComesByItsSubprotocol) {
  start_attached();
  const auto answer_to = [&](const char* offered) {
    Consumer consumer(port_);
    consumer.send_bytes(Consumer::upgrade("/websocket", {"Sec-WebSocket-Protocol: " + std::string(offered)}));
    return consumer.read_head();
  };
  const std::string head = answer_to("bearer.of-page, nuropb");
  EXPECT_THAT(head, HasSubstr("HTTP/1.1 101"));
  EXPECT_THAT(head, HasSubstr("Sec-WebSocket-Protocol: nuropb\r\n"));
  EXPECT_EQ(head.find("of-page"), std::string::npos);
  const auto asked = meshd_->open();
  EXPECT_EQ(asked.kind, CredentialKind::subprotocol);
  EXPECT_EQ(asked.credential, "of-page");
  EXPECT_THAT(answer_to("bearer.of-page"), HasSubstr("HTTP/1.1 400"));
}

}  // namespace
}  // namespace nuropb::edge
