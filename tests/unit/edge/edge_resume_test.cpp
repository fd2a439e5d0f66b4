// The edge's part in sequenced messages, with the test in the role of meshd.

#include <set>

#include "tests/unit/edge/edge_fixture.hpp"

namespace nuropb::edge {
namespace {

using records::Numbered;
using records::Resume;
using records::Resumed;

class EdgeResumeTest : public EdgeTest {
 protected:
  /// A client with sequenced messages; the response to its resume request was number 1.
  std::unique_ptr<Consumer> numbered() {
    auto consumer = connect(&opened_);
    consumer->send(R"({"type":"resume","payload":{"trace_id":"keep"}})");
    const auto [header, record] = meshd_->next<Resume>(Type::resume);
    EXPECT_EQ(record.what, Resume::What::keep);
    EXPECT_EQ(record.trace_id, "\"keep\"");
    meshd_->send(Type::resumed,
                 Resumed{Resumed::What::kept, opened_.session, opened_.serial, 0, opened_.session_id, "token 1", {}});
    meshd_->send(Type::numbered,
                 Numbered{opened_.session, opened_.serial, 1, true, false, false, R"({"type":"response"})"},
                 header.sequence);
    EXPECT_EQ(consumer->read_text(), R"({"seq":1,"type":"response"})");
    return consumer;
  }
  static constexpr std::size_t many = 20;
  /// Its requests are published when meshd dies; the next meshd's ring has room for about eight records of them.
  std::unique_ptr<Consumer> with_requests() {
    auto consumer = numbered();
    for (std::size_t i = 0; i < many; ++i) {
      consumer->send(call(std::to_string(i) + std::string(400, 'x')));
      meshd_->request();
    }
    meshd_->settle();
    meshd_.reset();
    meshd_ = std::make_unique<RingSide>(path(), shm::Geometry{4096, 1 << 16});
    meshd_->welcome();
    meshd_->accept(meshd_->open());
    return consumer;
  }
  void say(std::uint64_t number, std::string_view text) {
    meshd_->send(Type::numbered, Numbered{opened_.session, opened_.serial, number, false, false, false, text});
  }
  records::OpenSession opened_;
};

TEST_F(EdgeResumeTest, NumbersStandInFront) {
  start_attached();
  const auto consumer = numbered();
  say(2, R"({"type":"event","payload":{}})");
  EXPECT_EQ(consumer->read_text(), R"({"seq":2,"type":"event","payload":{}})");
  say(3, "{}");
  EXPECT_EQ(consumer->read_text(), R"({"seq":3})");
  meshd_->send(Type::numbered,
               Numbered{opened_.session, opened_.serial + 1, 4, false, false, false, R"({"for":"its successor"})"});
  meshd_->send(Type::push, records::Push{0, true, false, {}, R"({"for":"all"})"});
  say(4, R"({"last":1})");
  EXPECT_EQ(consumer->read_text(), R"({"seq":4,"last":1})") << "what all get comes to it by itself";
}

TEST_F(EdgeResumeTest, AnAckAndItsSenseless) {
  start_attached();
  const auto plain = connect();
  plain->send(R"({"type":"ack","payload":{"seq":1,"trace_id":"a"}})");
  EXPECT_THAT(plain->read_text(), HasSubstr("nothing is kept"));
  const auto consumer = numbered();
  consumer->send(R"({"type":"ack","payload":{"seq":1}})");
  const auto record = meshd_->next<Resume>(Type::resume).second;
  EXPECT_EQ(record.what, Resume::What::seen);
  EXPECT_EQ(record.number, 1u);
  consumer->send(R"({"type":"resume","payload":{"token":")" + std::string(300, 't') + R"(","seq":0,"trace_id":"r"}})");
  EXPECT_THAT(consumer->read_text(), HasSubstr("NuropbResumeFailed"));
}

TEST_F(EdgeResumeTest, ASocketTakesUpAnotherSession) {
  start_attached();
  const auto consumer = connect(&opened_);
  consumer->send(R"({"type":"resume","payload":{"token":"T","seq":7,"trace_id":"r"}})");
  const auto [header, record] = meshd_->next<Resume>(Type::resume);
  EXPECT_EQ(record.what, Resume::What::resume);
  EXPECT_EQ(record.token, "T");
  EXPECT_EQ(record.number, 7u);
  const SessionId other = *SessionId::from_hex("000102030405060708090a0b0c0d0e0f");
  meshd_->send(Type::resumed,
               Resumed{Resumed::What::resumed, opened_.session, opened_.serial, 7, other, "T2",
                       R"({"type":"event","payload":"resumed"})"},
               header.sequence);
  meshd_->send(Type::resumed, Resumed{Resumed::What::topic, opened_.session, opened_.serial, 0, other, {}, "a.#"});
  meshd_->send(Type::resumed, Resumed{Resumed::What::pending, opened_.session, opened_.serial, 0, other, {}, "\"p\""},
               77);
  meshd_->send(Type::resumed, Resumed{Resumed::What::pending, opened_.session, opened_.serial, 0, other, {}, "\"q\""},
               78);
  EXPECT_EQ(consumer->read_text(), R"({"type":"event","payload":"resumed"})");
  meshd_->send(Type::numbered, Numbered{opened_.session, opened_.serial, 8, false, true, false, R"({"answer":"p"})"},
               77);
  EXPECT_EQ(consumer->read_text(), R"({"seq":8,"answer":"p"})");
  EXPECT_EQ(health()["sessions"], 1);
  EXPECT_EQ(health()["pending"], 0);

  // The next meshd is told everything; requests that can no longer be answered are reported through it.
  meshd_.reset();
  meshd_ = std::make_unique<RingSide>(path());
  meshd_->welcome();
  const auto again = meshd_->open();
  EXPECT_EQ(again.session_id, other);
  meshd_->accept(again);
  const auto told = meshd_->next<Resume>(Type::resume).second;
  EXPECT_EQ(told.what, Resume::What::again);
  EXPECT_EQ(told.token, "T2");
  EXPECT_EQ(told.number, 8u);
  EXPECT_EQ(meshd_->next<records::Subscription>(Type::subscribe).second.topic, "a.#");
  const auto said = meshd_->next<Resume>(Type::resume).second;
  EXPECT_EQ(said.what, Resume::What::say);
  EXPECT_THAT(std::string(said.text), HasSubstr(R"("trace_id":"q")"));
  EXPECT_THAT(std::string(said.text), HasSubstr("unknown"));
  EXPECT_TRUE(consumer->silent()) << "not before it has a number";
}

TEST_F(EdgeResumeTest, MeshdKeepsTheTimeWhileItHasTheRequest) {
  start_attached();
  const auto consumer = numbered();
  consumer->send(call("late", "echo", R"(,"ttl":1)"));
  const auto asked = meshd_->request();
  consumer->send(call("second"));
  const auto second = meshd_->request();
  meshd_->settle();
  EXPECT_TRUE(consumer->silent()) << "only meshd reports that it is late";
  meshd_->send(Type::numbered, Numbered{opened_.session, opened_.serial, 2, true, false, true, R"({"late":1})"},
               asked.first.sequence);
  EXPECT_EQ(consumer->read_text(), R"({"seq":2,"late":1})");
  meshd_.reset();
  meshd_ = std::make_unique<RingSide>(path());
  meshd_->welcome();
  const auto again = meshd_->open();
  meshd_->accept(again);
  EXPECT_EQ(meshd_->next<Resume>(Type::resume).second.what, Resume::What::again);
  const auto pending = meshd_->next<Resume>(Type::resume);
  EXPECT_EQ(pending.second.what, Resume::What::pending);
  EXPECT_EQ(pending.first.sequence, second.first.sequence);
  EXPECT_EQ(pending.second.trace_id, "\"second\"");
  // A response that a restarted meshd sends before it was told so arrives without a number, and is returned for one.
  meshd_->answer(second, "1");
  const auto said = meshd_->next<Resume>(Type::resume).second;
  EXPECT_EQ(said.what, Resume::What::say);
  EXPECT_EQ(said.number, second.first.sequence + 1)
      << "or the successor would go on waiting for it, and answer that it is late";
  EXPECT_THAT(std::string(said.text), HasSubstr(R"("trace_id":"second","result":1)"));
}

TEST_F(EdgeResumeTest, WhatFindsNoRoomInTheNextRingIsToldLaterAndOnce) {
  start_attached();
  const auto consumer = with_requests();
  EXPECT_EQ(meshd_->next<Resume>(Type::resume).second.what, Resume::What::again);
  std::set<std::uint64_t> sequences;
  for (std::size_t i = 0; i < many; ++i) {
    const auto [header, record] = meshd_->next<Resume>(Type::resume);
    EXPECT_EQ(record.what, Resume::What::pending);
    EXPECT_TRUE(sequences.insert(header.sequence).second) << "it may be answered by now, and would be answered twice";
  }
  consumer->send(call("next"));
  EXPECT_EQ(meshd_->request().second.trace_id, "\"next\"");
}

TEST_F(EdgeResumeTest, WhoIsHalfToldOfCannotBeTakenUp) {
  start_attached();
  auto consumer = with_requests();
  ASSERT_TRUE(eventually([&] { return counter(shm::EdgeCounter::ring_stalls) > 0; }));
  consumer.reset();
  ASSERT_TRUE(eventually([&] { return health()["connections"] == 0; }));
  EXPECT_EQ(meshd_->next<Resume>(Type::resume).second.what, Resume::What::again);
  for (;;) {
    // It knows some of its requests, and would report the others as never sent.
    try {
      EXPECT_EQ(meshd_->next<Resume>(Type::resume).second.what, Resume::What::pending);
    } catch (const std::runtime_error&) { break; }
  }
  EXPECT_FALSE(meshd_->closed().lost);
}

TEST_F(EdgeResumeTest, WhetherItMeantToLeave) {
  start_attached();
  auto consumer = numbered();
  consumer.reset();
  EXPECT_TRUE(meshd_->closed().lost);
  consumer = numbered();
  consumer->send_bytes(Consumer::frame(std::string("\x03\xe8", 2), 8));
  EXPECT_FALSE(meshd_->closed().lost);
  consumer = numbered();
  meshd_->send(Type::end_session, records::EndSession{opened_.session, opened_.serial, 4503, "elsewhere"});
  EXPECT_EQ(consumer->read_close().code, 4503);
  EXPECT_FALSE(meshd_->closed().lost);
  consumer = numbered();
  meshd_->send(Type::end_session, records::EndSession{opened_.session, opened_.serial, 4401, "come again"});
  EXPECT_EQ(consumer->read_close().code, 4401);
  EXPECT_TRUE(meshd_->closed().lost);
}

}  // namespace
}  // namespace nuropb::edge
