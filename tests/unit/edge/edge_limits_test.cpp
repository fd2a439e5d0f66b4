// A whole edge with clients that send too much, or read too little.

#include "common/close_codes.hpp"
#include "tests/unit/edge/edge_fixture.hpp"

namespace nuropb::edge {
namespace {

class EdgeLimitsTest : public EdgeTest {
 protected:
  /// Sent in one piece, so that a slow machine puts no time between them.
  static void send_at_once(Consumer& consumer, const std::vector<std::string>& messages) {
    std::string all;
    for (const std::string& message : messages) all += Consumer::frame(message);
    consumer.send_bytes(all);
  }
  std::unique_ptr<Consumer> subscribed(std::string_view topic, int receive_buffer = 0) {
    auto consumer = connect(nullptr, receive_buffer);
    consumer->send(R"({"type":"subscribe","payload":{"topic":")" + std::string(topic) + R"(","trace_id":"s"}})");
    const auto [header, record] = meshd_->next<records::Subscription>(Type::subscribe);
    meshd_->send(Type::response, records::Response{record.session, "null", "null"}, header.sequence);
    EXPECT_THAT(consumer->read_text(), HasSubstr("\"error\":null"));
    return consumer;
  }
  /// Sends events until the edge has dropped some.
  int publish_until_dropped(std::string_view topic) {
    const std::string text = ",\"" + std::string(4000, 'x') + "\"]";
    const auto before = counter(shm::EdgeCounter::dropped_events);
    int sent = 0;
    EXPECT_TRUE(eventually([&] {
      for (int i = 0; i < 8; ++i)
        meshd_->send(Type::mesh_event, records::MeshEvent{topic, "[" + std::to_string(sent++) + text, "", "null"});
      return health()["sessions"] == 0 || counter(shm::EdgeCounter::dropped_events) > before + 100;
    }));
    return sent;
  }
};

// Protocol violations

TEST_F(EdgeLimitsTest, WhatWebsocketppClosesIsCountedToo) {  // provokes: 1002
  start_attached();
  const auto closes = [&](std::uint16_t code) { return meshd_->segments().closes(close_code::place_of(code)); };
  const auto breaks = [&](std::string_view bytes, std::uint16_t code) {
    const auto consumer = connect();
    consumer->send_bytes(bytes);
    EXPECT_EQ(consumer->read_close().code, code);
    meshd_->closed();
    EXPECT_EQ(closes(code), 1u) << code;
  };
  breaks(Consumer::frame("x", 3), 1002);  // an unknown opcode
  breaks(Consumer::frame("\xc3\x28"), 1007);
  breaks(Consumer::frame(std::string(config_.limits.message_bytes + 1, ' ')), 1009);
}

// Sending too much

TEST_F(EdgeLimitsTest, MessagesOverTheRateAreRefusedByNameAndTheOthersGoOn) {
  config_.limits.connection = {1, 3, 0, 0};
  start_attached();
  const auto consumer = connect();
  send_at_once(*consumer, {call("1"), call("2"), call("3"), call("4"), "{nonsense"});
  const auto refused = json::parse(consumer->read_text())["payload"];
  EXPECT_EQ(refused["trace_id"], "4");
  EXPECT_EQ(refused["error"]["error"], "NuropbTransportError");
  EXPECT_THAT(refused["error"]["description"].get<std::string>(), HasSubstr("limits.messages_per_s"));
  EXPECT_FALSE(refused["error"].contains("outcome")) << "it did not run";
  EXPECT_THAT(consumer->read_text(), HasSubstr("limits.messages_per_s"));
  for (const char* trace_id : {"\"1\"", "\"2\"", "\"3\""}) EXPECT_EQ(meshd_->request().second.trace_id, trace_id);
  EXPECT_TRUE(meshd_->quiet());
  EXPECT_EQ(counter(shm::EdgeCounter::over_messages_per_s), 2u);
}

TEST_F(EdgeLimitsTest, BytesOverTheRateAreRefusedByName) {
  config_.limits.connection = {0, 0, 1, 10'000};
  start_attached();
  const auto consumer = connect();
  const std::string padding(6000, ' ');
  consumer->send(call("1") + padding);
  consumer->send(call("2") + padding);
  const auto refused = json::parse(consumer->read_text())["payload"];
  EXPECT_EQ(refused["trace_id"], "2");
  EXPECT_THAT(refused["error"]["description"].get<std::string>(), HasSubstr("limits.bytes_per_s"));
  EXPECT_EQ(meshd_->request().second.trace_id, "\"1\"");
  EXPECT_EQ(counter(shm::EdgeCounter::over_bytes_per_s), 1u);
}

TEST_F(EdgeLimitsTest, AFloodIsClosed) {  // provokes: 4005
  config_.limits.connection = {5, 20, 0, 0};
  start_attached();
  const auto flood = connect();
  const auto other = connect();
  std::string all;
  for (int i = 0; i < 2000; ++i) all += Consumer::frame(call(std::to_string(i)));
  try {
    flood->send_bytes(all);
  } catch (const std::runtime_error&) {
    // closed while it was still sending
  }
  int texts = 0;
  const auto end = flood->read_close(&texts);
  EXPECT_EQ(end, (Consumer::Close{4005, "over limits.messages_per_s for too long"}));
  EXPECT_LT(texts, 60) << "a refusal for each unit of the penalty budget, and no more";
  int taken = 0;
  while (!meshd_->quiet() && taken < 60) {
    try {
      meshd_->request();
      ++taken;
    } catch (const std::runtime_error&) {
      break;  // the record of its closing
    }
  }
  EXPECT_GE(taken, 20);
  EXPECT_LT(taken, 40);
  other->send(call("o"));
  EXPECT_TRUE(eventually([&] { return counter(shm::EdgeCounter::requests) == static_cast<std::uint64_t>(taken) + 1; }));
}

TEST_F(EdgeLimitsTest, WhoWaitsMaySendAgain) {
  config_.limits.connection = {10, 2, 0, 0};
  start_attached();
  const auto consumer = connect();
  send_at_once(*consumer, {call("1"), call("2"), call("3")});
  EXPECT_THAT(consumer->read_text(), HasSubstr("limits.messages_per_s"));
  ASSERT_TRUE(eventually([&] {
    consumer->silent(150);  // on a slow machine it takes longer, which does not matter
    consumer->send(call("a"));
    if (!consumer->silent(70)) consumer->read_text();
    return counter(shm::EdgeCounter::requests) >= 5;
  }));
}

// Reading too little

TEST_F(EdgeLimitsTest, EventsThatMayBeLeftOutKeepASlowSocketOpen) {
  config_.limits.send_queue_bytes = 64 * 1024;
  config_.events.when_full = {"prices.# latest", "ticks.# drop_oldest"};
  start_attached({1 << 16, 1 << 20});
  for (const char* topic : {"ticks.a", "prices.a"}) {
    const auto before = counter(shm::EdgeCounter::dropped_events);
    auto slow = subscribed(topic, 4096);
    const int sent = publish_until_dropped(topic);
    const auto left_out = [&] { return counter(shm::EdgeCounter::dropped_events) - before; };
    // It reads again: queued messages arrive in order, and each gap is reported.
    int last = -1, dropped = 0;
    while (last < sent - 1) {
      const auto payload = json::parse(slow->read_text())["payload"];
      const int number = payload["event"][0];
      const int gap = payload.value("dropped", 0);
      EXPECT_EQ(number, last + 1 + gap);
      last = number;
      dropped += gap;
    }
    EXPECT_EQ(static_cast<std::uint64_t>(dropped), left_out());
    EXPECT_GT(dropped, 100);
    slow.reset();
    meshd_->closed();
  }
}

TEST_F(EdgeLimitsTest, AnswersComeThroughAFloodOfEvents) {
  config_.limits.send_queue_bytes = 64 * 1024;
  config_.events.when_full = {"# drop_oldest"};
  start_attached({1 << 16, 1 << 20});
  const auto slow = subscribed("#", 4096);
  publish_until_dropped("ticks");
  slow->send(call("needed"));
  meshd_->answer(meshd_->request(), "\"here\"");
  publish_until_dropped("ticks");
  bool answered = false;
  while (!answered) answered = json::parse(slow->read_text())["payload"].value("trace_id", "") == "needed";
}

TEST_F(EdgeLimitsTest, EventsWithoutARuleCloseASlowSocket) {  // provokes: 4001
  config_.limits.send_queue_bytes = 64 * 1024;
  config_.events.when_full = {"prices.# latest"};
  start_attached({1 << 16, 1 << 20});
  const auto slow = subscribed("orders", 4096);
  const int sent = publish_until_dropped("orders");
  int texts = 0;
  EXPECT_EQ(slow->read_close(&texts), (Consumer::Close{4001, "slow consumer"}));
  EXPECT_LE(texts, sent);
  EXPECT_EQ(counter(shm::EdgeCounter::dropped_events), 0u);
}

}  // namespace
}  // namespace nuropb::edge
