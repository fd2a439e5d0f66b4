// A whole edge while something is slow, full, unavailable or dead.

#include "tests/unit/edge/edge_fixture.hpp"

namespace nuropb::edge {
namespace {

// Backpressure

TEST_F(EdgeTest, AFullRingHoldsBackAndLosesNothing) {
  config_.limits.message_bytes = 1024;
  config_.limits.pending_per_session = 100'000;
  start_attached({4096, 1 << 16});
  const auto consumer = connect();
  constexpr int count = 2000;  // about fifty times the ring
  std::string all;
  for (int i = 0; i < count; ++i) all += Consumer::frame(call(std::to_string(i)));
  std::thread sender([&] { consumer->send_bytes(all); });
  ASSERT_TRUE(eventually([&] { return counter(shm::EdgeCounter::ring_stalls) > 0; }));
  for (int i = 0; i < count; ++i) {
    const auto asked = meshd_->request();
    ASSERT_EQ(asked.second.trace_id, "\"" + std::to_string(i) + "\"");
  }
  sender.join();
  EXPECT_TRUE(meshd_->quiet());
  EXPECT_EQ(counter(shm::EdgeCounter::requests), static_cast<std::uint64_t>(count));
}

TEST_F(EdgeTest, OpenSessionsWaitForRoomToo) {
  config_.limits.message_bytes = 1024;
  start_attached({4096, 1 << 16});
  std::vector<std::unique_ptr<Consumer>> consumers;
  const std::string token(900, 't');
  for (int i = 0; i < 12; ++i) {
    consumers.push_back(std::make_unique<Consumer>(port_));
    consumers.back()->handshake({"Authorization: " + token});
  }
  std::set<std::uint32_t> slots;
  for (int i = 0; i < 12; ++i) {
    const auto asked = meshd_->open();
    EXPECT_EQ(asked.credential, token);
    slots.insert(asked.session);
    meshd_->accept(asked);
  }
  EXPECT_EQ(slots.size(), 12u);
  for (const auto& consumer : consumers) EXPECT_THAT(consumer->read_text(), HasSubstr("hello"));
}

TEST_F(EdgeTest, ABrokerThatIsAwayHoldsRequestsBackUpToTheirTime) {
  start_attached();
  const auto consumer = connect();
  meshd_->set_broker(shm::BrokerState::blocked);
  ASSERT_TRUE(eventually([&] { return health()["broker"] == "blocked"; }));
  consumer->send(call("short", "echo", R"(,"ttl":30)"));
  consumer->send(call("long"));
  const auto late = json::parse(consumer->read_text())["payload"];
  EXPECT_EQ(late["trace_id"], "short");
  EXPECT_EQ(late["error"]["error"], "NuropbTimeoutError");
  EXPECT_THAT(late["error"]["description"].get<std::string>(), HasSubstr("was not sent"));
  EXPECT_TRUE(meshd_->quiet());
  meshd_->set_broker(shm::BrokerState::ready);
  EXPECT_EQ(meshd_->request().second.trace_id, "\"long\"");
}

TEST_F(EdgeTest, CommandsAreTheLastThatABrokerThatIsAwayHoldsBack) {
  start_attached({1 << 20, 1 << 16});
  const auto asking = connect(), commanding = connect();
  meshd_->set_broker(shm::BrokerState::away);
  ASSERT_TRUE(eventually([&] { return health()["broker"] == "away"; }));
  asking->send(call("request"));
  const std::string filler = R"(,"filler":")" + std::string(10'000, 'x') + "\"";
  constexpr int sent = 70, early = 49;  // half a MiB of them
  std::string all;
  for (int i = 0; i < sent; ++i) all += Consumer::frame(command(std::to_string(i), filler));
  std::thread sender([&] { commanding->send_bytes(all); });
  const auto take = [&](int from, int to) {
    for (int i = from; i < to; ++i)
      ASSERT_EQ(meshd_->next<records::Request>(Type::command).second.trace_id, "\"" + std::to_string(i) + "\"");
  };
  take(0, early);
  EXPECT_TRUE(asking->silent() && commanding->silent());
  EXPECT_TRUE(meshd_->quiet()) << "then their socket is not read on either";
  sender.join();
}

TEST_F(EdgeTest, ACommandBehindARequestThatIsHeldBackKeepsItsPlace) {
  start_attached();
  const auto consumer = connect();
  meshd_->set_broker(shm::BrokerState::away);
  ASSERT_TRUE(eventually([&] { return health()["broker"] == "away"; }));
  consumer->send(call("first"));
  consumer->send(command("second"));
  EXPECT_TRUE(consumer->silent());
  EXPECT_TRUE(meshd_->quiet());
  meshd_->set_broker(shm::BrokerState::ready);
  EXPECT_EQ(meshd_->request().second.trace_id, "\"first\"");
  EXPECT_EQ(meshd_->next<records::Request>(Type::command).second.trace_id, "\"second\"");
}

TEST_F(EdgeTest, ANewOutageTakesCommandsAgain) {
  start_attached({1 << 20, 1 << 16});
  const auto consumer = connect();
  const std::string filler = R"(,"filler":")" + std::string(10'000, 'x') + "\"";
  for (int outage = 0; outage < 2; ++outage) {
    meshd_->set_broker(shm::BrokerState::blocked);
    ASSERT_TRUE(eventually([&] { return health()["broker"] == "blocked"; }));
    for (int i = 0; i < 50; ++i) consumer->send(command("c", filler));
    for (int i = 0; i < 49; ++i) meshd_->next<records::Request>(Type::command);
    EXPECT_TRUE(consumer->silent() && meshd_->quiet());
    meshd_->set_broker(shm::BrokerState::ready);
    meshd_->next<records::Request>(Type::command);
    ASSERT_TRUE(eventually([&] { return health()["broker"] == "ready"; }));
  }
}

TEST_F(EdgeTest, ConsumersThatVanishWhileTheyAreHeldBackAreNoticed) {
  start_attached();
  meshd_->set_broker(shm::BrokerState::away);
  for (int i = 0; i < 3; ++i) {
    const auto consumer = connect();
    consumer->send(call("a"));
    consumer->send(call("b"));
    EXPECT_TRUE(consumer->silent());
  }
  for (int i = 0; i < 3; ++i) meshd_->closed();
  EXPECT_EQ(health()["connections"], 0);
}

TEST_F(EdgeTest, ASlowConsumerIsBoundedAndThenClosed) {
  config_.limits.send_queue_bytes = 64 * 1024;
  start_attached({1 << 16, 1 << 20});
  records::OpenSession asked;
  const auto slow = connect(&asked, 4096);
  const auto other = connect();
  const std::string large = "\"" + std::string(15'000, 'x') + "\"";
  int answered = 0;
  // Until the edge pauses reading: the kernel's own buffers fill first.
  ASSERT_TRUE(eventually([&] {
    slow->send(call("s"));
    meshd_->answer(meshd_->request(), large);
    ++answered;
    other->send(call("o"));
    meshd_->answer(meshd_->request(), "1");
    EXPECT_THAT(other->read_text(), HasSubstr("\"result\":1")) << "no other client is affected";
    return health()["sessions"] == 1;
  }));
  int texts = 0;
  EXPECT_EQ(slow->read_close(&texts), (Consumer::Close{4001, "slow consumer"}));
  EXPECT_EQ(texts, answered) << "what it was owed before that still comes";
  EXPECT_EQ(meshd_->closed().session, asked.session);
}

// Death of meshd

TEST_F(EdgeTest, MeshdsDeathEndsWhatIsPendingAsUnknownAndKeepsTheSockets) {
  start_attached();
  const auto consumer = connect();
  consumer->send(call("pending"));
  meshd_->request();
  meshd_.reset();
  const auto unknown = json::parse(consumer->read_text())["payload"];
  EXPECT_EQ(unknown["trace_id"], "pending");
  EXPECT_EQ(unknown["error"]["error"], "NuropbTransportError");
  EXPECT_EQ(unknown["error"]["outcome"], "unknown");
  ASSERT_EQ(health()["status"], "unattached");
  consumer->send(call("meanwhile"));

  meshd_ = std::make_unique<RingSide>(path());
  EXPECT_EQ(meshd_->welcome().ticket, "worker ticket") << "it asks for its slot and generation";
  const auto again = meshd_->open();
  EXPECT_EQ(again.kind, CredentialKind::ticket);
  EXPECT_EQ(again.credential, "session ticket");
  EXPECT_TRUE(meshd_->quiet()) << "no request before the session is accepted";
  meshd_->accept(again);
  const auto asked = meshd_->request();
  EXPECT_EQ(asked.second.trace_id, "\"meanwhile\"");
  meshd_->answer(asked, "7");
  EXPECT_EQ(json::parse(consumer->read_text())["payload"]["result"], 7) << "and no second hello";
}

TEST_F(EdgeTest, ATicketThatTheNextMeshdRefusesCloses) {
  start_attached();
  const auto consumer = connect();
  meshd_.reset();
  meshd_ = std::make_unique<RingSide>(path());
  meshd_->welcome();
  const auto again = meshd_->open();
  meshd_->send(Type::session_refused, records::SessionRefused{again.session, again.serial, 4501, "expired"});
  EXPECT_EQ(consumer->read_close(), (Consumer::Close{4501, "expired"}));
}

TEST_F(EdgeTest, AnswersThatLayInTheRingWhenMeshdDiedAreGood) {
  start_attached();
  const auto consumer = connect();
  consumer->send(call("a"));
  meshd_->answer(meshd_->request(), "\"last words\"");
  meshd_.reset();
  EXPECT_EQ(json::parse(consumer->read_text())["payload"]["result"], "last words");
  EXPECT_TRUE(consumer->silent());
}

TEST_F(EdgeTest, AnImpossibleReturnRingIsLeftForAFreshOne) {
  start_attached();
  const auto consumer = connect();
  meshd_->send_raw(999, "x");
  EXPECT_EQ(meshd_->welcome().ticket, "worker ticket");
  meshd_->accept(meshd_->open());
  consumer->send(call("a"));
  EXPECT_EQ(meshd_->request().second.trace_id, "\"a\"");
}

TEST_F(EdgeTest, AMeshdThatRefusesIsAskedAgain) {
  meshd_ = std::make_unique<RingSide>(path());
  start();
  meshd_->greet();
  ASSERT_TRUE(meshd_->channel().send_refusal({"all worker slots are taken"}));
  meshd_->welcome();
  connect();
}

}  // namespace
}  // namespace nuropb::edge
