// A whole edge between a real WebSocket and the rings, with meshd's side of them in the test's hands.

#include "edge/edge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "common/log.hpp"
#include "tests/unit/edge/consumer.hpp"
#include "tests/unit/edge/ring_side.hpp"

namespace nuropb::edge {
namespace {

using nlohmann::json;
using records::CredentialKind;
using records::Type;
using ::testing::HasSubstr;

std::string call(std::string_view trace_id, std::string_view method = "echo", std::string_view extra = "") {
  return R"({"type":"request","payload":{"service":"demo","method":")" + std::string(method) + R"(","params":{"x":1},"trace_id":")" + std::string(trace_id) + "\"" +
         std::string(extra) + "}}";
}

class EdgeTest : public ::testing::Test {
 protected:
  EdgeTest() {
    std::string name = (std::filesystem::temp_directory_path() / "nuropb-edge-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
    folder_ = name;
    config_.listen.port = 0;
    config_.limits.message_bytes = 16 * 1024;
    config_.drain.limit_ms = 200;
    (void)log::configure({"edge", log::Level::error, log::Format::text, ""});
  }
  ~EdgeTest() override {
    if (thread_.joinable()) {
      EXPECT_EQ(stop(), 0);
    }
    std::filesystem::remove_all(folder_);
  }

  std::string path() const { return folder_ + "/meshd.sock"; }
  void start() {
    edge_ = std::make_unique<Edge>(config_, path());
    ASSERT_TRUE(edge_->start());
    port_ = edge_->port();
    auto ended = std::make_shared<std::promise<int>>();
    ended_ = ended->get_future();
    thread_ = std::thread([this, ended] { ended->set_value(edge_->run()); });
  }
  void start_attached(shm::Geometry geometry = {1 << 16, 1 << 16}) {
    meshd_ = std::make_unique<RingSide>(path(), geometry);
    start();
    meshd_->welcome();
  }
  static void signal_edge() { ::kill(::getpid(), SIGTERM); }
  int stop() {
    signal_edge();
    thread_.join();
    edge_.reset();
    return ended_.get();
  }

  /// A consumer with an accepted session, past its hello.
  std::unique_ptr<Consumer> connect(records::OpenSession* opened = nullptr, int receive_buffer = 0) {
    auto consumer = std::make_unique<Consumer>(port_, receive_buffer);
    consumer->handshake();
    const auto asked = meshd_->open();
    if (opened) *opened = asked;
    meshd_->accept(asked);
    EXPECT_THAT(consumer->read_text(), HasSubstr("hello"));
    return consumer;
  }
  std::string refusal(const std::string& request) {
    Consumer consumer(port_);
    consumer.send_bytes(request);
    return consumer.read_to_end();
  }
  json health() {
    const std::string answer = refusal("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    return json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
  }
  template <class Condition>
  bool eventually(Condition&& condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < until) {
      if (condition()) return true;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return false;
  }
  std::uint64_t counter(shm::EdgeCounter which) { return meshd_->segments().counter(which); }

  Config config_;
  std::string folder_;
  std::unique_ptr<RingSide> meshd_;
  std::unique_ptr<Edge> edge_;
  std::uint16_t port_ = 0;
  std::thread thread_;
  std::future<int> ended_;
};

// Handshakes

TEST_F(EdgeTest, HandshakesThatAnEdgeCanJudgeAreRefusedByHttp) {
  config_.listen.origins = {"example.com"};
  start_attached();
  const std::vector<std::string> token{"Authorization: Bearer secret"};
  ASSERT_TRUE(eventually([&] { return health()["attached"] == true; }));

  const std::string none = refusal(Consumer::upgrade("/websocket", {}));
  EXPECT_THAT(none, HasSubstr("HTTP/1.1 401"));
  EXPECT_THAT(none, HasSubstr("WWW-Authenticate: Bearer"));
  EXPECT_THAT(refusal(Consumer::upgrade("/websocket", {token[0], "Origin: https://evilexample.com"})), HasSubstr("HTTP/1.1 403"));
  EXPECT_THAT(refusal(Consumer::upgrade("/elsewhere", token)), HasSubstr("HTTP/1.1 404"));
  EXPECT_THAT(refusal(Consumer::upgrade("/websocket", token, "8")), HasSubstr("HTTP/1.1 426"));
  EXPECT_THAT(refusal("GET /websocket HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(refusal("NOT HTTP\r\n\r\n"), HasSubstr("HTTP/1.1 400"));
  EXPECT_EQ(counter(shm::EdgeCounter::refused_handshakes), 4u) << "those that asked for a WebSocket of version 13 or another";
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
            json::parse(R"({"type":"event","payload":{"topic":"hello","event":{"session_id":")" + session_id + R"(","user_id":"user 1","username":"Ann"}}})"));
  const auto early = meshd_->request();
  EXPECT_EQ(early.second.service, "demo");
  EXPECT_EQ(early.second.method, "echo");
  EXPECT_EQ(early.second.params, R"({"x":1})");
  EXPECT_EQ(early.second.trace_id, "\"early\"");
  meshd_->answer(early, R"({"y": 2})");
  EXPECT_EQ(consumer.read_text(), R"({"type":"response","payload":{"trace_id":"early","result":{"y": 2},"error":null}})");
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

TEST_F(EdgeTest, ARefusedTokenClosesWithItsReasonAndWithoutAHello) {
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

TEST_F(EdgeTest, NoVerdictInTimeCloses) {
  config_.auth.verdict_timeout_ms = 50;
  start_attached();
  Consumer consumer(port_);
  consumer.handshake();
  meshd_->open();
  EXPECT_EQ(consumer.read_close().code, 4002);
}

TEST_F(EdgeTest, AVerdictForASocketThatIsGoneIsNotItsSuccessors) {
  config_.auth.verdict_timeout_ms = 1000;  // so long nobody reads, or sees the end
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
  meshd_->accept({before.session, before.serial, {}, CredentialKind::header, "", ""}, "somebody else");
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

TEST_F(EdgeTest, MistakesAreAnsweredAndTheSocketStays) {
  start_attached();
  const auto consumer = connect();
  consumer->send("{nonsense");
  EXPECT_EQ(json::parse(consumer->read_text())["error"], "JSONDecodeError");
  consumer->send(R"({"type":"command","payload":{"trace_id":"t"}})");
  const auto mistake = json::parse(consumer->read_text());
  EXPECT_EQ(mistake["error"], "NuropbValidationError");
  EXPECT_EQ(mistake["trace_id"], "t");
  consumer->send(call("good"));
  EXPECT_EQ(meshd_->request().second.trace_id, "\"good\"");
  EXPECT_EQ(counter(shm::EdgeCounter::bad_messages), 2u);
}

TEST_F(EdgeTest, AMessageOverTheLimitCloses1009) {
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
  EXPECT_EQ(json::parse(one->read_text())["payload"]["result"], 1) << "an answer with a wrong address ends its request and reaches nobody";
  EXPECT_TRUE(eventually([&] { return counter(shm::EdgeCounter::late_responses) == 3; }));
  EXPECT_TRUE(one->silent());
  EXPECT_TRUE(other->silent());
}

TEST_F(EdgeTest, WhatIsNotAnsweredInTimeTimesOutOnce) {
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

TEST_F(EdgeTest, ASessionHasABoundOfOutstandingRequests) {
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

// Backpressure

TEST_F(EdgeTest, AFullRingHoldsBackAndLosesNothing) {
  config_.limits.message_bytes = 1024;
  config_.limits.pending_per_session = 100'000;
  start_attached({4096, 1 << 16});
  const auto consumer = connect();
  constexpr int count = 2000;  // some fifty times the ring
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
  // Until the edge has had enough: the kernel's own buffers come first.
  ASSERT_TRUE(eventually([&] {
    slow->send(call("s"));
    meshd_->answer(meshd_->request(), large);
    ++answered;
    other->send(call("o"));
    meshd_->answer(meshd_->request(), "1");
    EXPECT_THAT(other->read_text(), HasSubstr("\"result\":1")) << "nobody else waits for it";
    return health()["sessions"] == 1;
  }));
  int texts = 0;
  EXPECT_EQ(slow->read_close(&texts), (Consumer::Close{4001, "slow consumer"}));
  EXPECT_EQ(texts, answered) << "what it was owed before that still comes";
  EXPECT_EQ(meshd_->closed().session, asked.session);
}

// meshd's death

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
  EXPECT_TRUE(meshd_->quiet()) << "no request before the verdict";
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

// The end

TEST_F(EdgeTest, ADrainFinishesWhatIsPendingAndClosesThen) {
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
    } catch (const std::runtime_error&) {
      return true;
    }
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
  consumer->send("{nonsense");  // waits behind it: order is kept
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
    meshd_->answer(asked, "1");  // to nobody
  }
  EXPECT_TRUE(eventually([&] { return counter(shm::EdgeCounter::late_responses) == 20; }));
  const auto now = health();
  EXPECT_EQ(now["sessions"], 0);
  EXPECT_EQ(now["connections"], 0);
  EXPECT_EQ(now["pending"], 0);
}

}  // namespace
}  // namespace nuropb::edge
