#include "meshd/peers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "common/log.hpp"
#include "common/messages.hpp"

namespace nuropb::meshd {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

/// Gateways on a broker that delivers only when the test calls it.
class PeersTest : public ::testing::Test {
 protected:
  PeersTest() { (void)log::configure({"meshd", log::Level::error, log::Format::text, ""}); }
  struct Gateway {
    std::unique_ptr<Peers> peers;
    std::vector<std::string> heard;
    bool room = true;
  };
  Gateway& start(const std::string& instance, const std::string& service = "gateway",
                 std::shared_ptr<const PeerKeys> keys = {}, bool accept_unsigned = false) {
    auto gateway = std::make_unique<Gateway>();
    Gateway& out = *gateway;
    out.peers =
        std::make_unique<Peers>(Peers::Settings{.service = service,
                                                .instance = instance,
                                                .largest = 10'000,
                                                .keys = std::move(keys),
                                                .accept_unsigned = accept_unsigned},
                                clock_, [this, &out](const std::string& topic, const std::string& body, SteadyTime) {
                                  if (out.room) queue_.emplace_back(topic, body);
                                  return out.room;
                                });
    out.peers->on("word", [&out](const std::string& from, std::string_view json) {
      out.heard.push_back(from + ": " + std::string(json));
    });
    out.peers->connected();
    gateways_.push_back(std::move(gateway));
    return out;
  }
  int deliver() {
    int count = 0;
    for (; !queue_.empty(); ++count) {
      const auto [topic, body] = queue_.front();
      queue_.pop_front();
      for (const auto& gateway : gateways_) {
        if (gateway->peers->topic() == topic) gateway->peers->receive(body);
      }
    }
    return count;
  }
  void pass(std::chrono::milliseconds time) {
    for (; time.count() > 0; time -= seconds(1)) {
      clock_.advance(std::min<std::chrono::milliseconds>(time, seconds(1)));
      for (const auto& gateway : gateways_) gateway->peers->tick();
      deliver();
    }
  }
  static std::string body(const std::string& event) { return encode_event({"t", event, "{}", "c", "null", "null"}); }

  ManualClock clock_;
  std::deque<std::pair<std::string, std::string>> queue_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
};

TEST_F(PeersTest, FindOneAnotherAtOnce) {
  Gateway& a = start("a");
  deliver();
  pass(seconds(3));
  EXPECT_TRUE(a.peers->alive().empty()) << "alone";
  Gateway& b = start("b");
  deliver();
  EXPECT_EQ(a.peers->alive(), std::vector<std::string>{"b"});
  EXPECT_EQ(b.peers->alive(), std::vector<std::string>{"a"}) << "the one that was there says so when another comes";
  EXPECT_TRUE(b.peers->alive("a"));
  EXPECT_FALSE(b.peers->alive("b"));
}

TEST_F(PeersTest, TellToAllAndToOne) {
  Gateway &a = start("a"), &b = start("b"), &c = start("c");
  deliver();
  EXPECT_TRUE(a.peers->tell("word", R"({"x":1})"));
  EXPECT_TRUE(a.peers->tell("word", "2", "c"));
  EXPECT_TRUE(a.peers->tell("nobody's kind", "3"));
  deliver();
  EXPECT_EQ(a.heard, std::vector<std::string>{}) << "not one's own";
  EXPECT_EQ(b.heard, std::vector<std::string>{R"(a: {"x":1})"});
  EXPECT_EQ(c.heard, (std::vector<std::string>{R"(a: {"x":1})", "a: 2"}));
  EXPECT_EQ(b.peers->refused(), 0u);
}

TEST_F(PeersTest, WhoIsSilentIsGoneAndWhoLeavesSaysSo) {
  Gateway &a = start("a"), &b = start("b"), &c = start("c");
  deliver();
  pass(seconds(60));
  EXPECT_EQ(a.peers->alive().size(), 2u) << "as long as their heartbeats arrive";
  std::vector<std::string> gone;
  a.peers->on_gone = [&](const std::string& instance) { gone.push_back(instance); };
  b.room = false;  // it can't be heard any more
  pass(seconds(10));
  EXPECT_EQ(gone, std::vector<std::string>{"b"});
  c.peers->leave();
  deliver();
  EXPECT_EQ(gone, (std::vector<std::string>{"b", "c"}));
  b.room = true;
  pass(seconds(3));
  EXPECT_EQ(a.peers->alive(), std::vector<std::string>{"b"});
}

TEST_F(PeersTest, WithoutABrokerNobodyLives) {
  Gateway &a = start("a"), &b = start("b");
  deliver();
  a.peers->disconnected();
  EXPECT_TRUE(a.peers->alive().empty());
  b.peers->tell("word", "1");
  deliver();
  EXPECT_TRUE(a.peers->alive().empty()) << "a message that was in flight revives no peer";
  clock_.advance(seconds(1));
  a.peers->connected();
  deliver();
  EXPECT_EQ(a.peers->alive(), std::vector<std::string>{"b"}) << "who knows it already says so too";
}

TEST_F(PeersTest, AGatewayThatIsAloneIsAlmostSilent) {
  Gateway& a = start("a");
  deliver();
  int messages = 0;
  for (int second = 0; second < 60; ++second) {
    clock_.advance(seconds(1));
    a.peers->tick();
    messages += deliver();
  }
  EXPECT_LE(messages, 2);
  for (int i = 0; i < 50; ++i)
    a.peers->receive(body(R"({"from":"n)" + std::to_string(i) + R"(","to":null,"kind":"here","message":null})"));
  EXPECT_LE(deliver(), 1) << "fifty newcomers at a time get one answer";
}

TEST_F(PeersTest, NoRoomIsNoAndIsMadeUpFor) {
  Gateway& a = start("a");
  a.room = false;
  EXPECT_FALSE(a.peers->tell("word", "1"));
  EXPECT_FALSE(a.peers->tell("word", "\"" + std::string(20'000, 'x') + "\"")) << "larger than others would take";
  a.peers->disconnected();
  a.peers->connected();
  a.room = true;
  a.peers->tick();
  queue_.clear();
  pass(seconds(40));
  Gateway& b = start("b");
  deliver();
  EXPECT_TRUE(b.peers->alive("a"));
}

TEST_F(PeersTest, WhatIsNoMessageOfAGatewayIsCountedAndDropped) {
  Gateway& a = start("a");
  const std::string long_name(200, 'n');
  const std::string bad[] = {
      "",
      "x",
      "{}",
      body("1"),
      body("{}"),
      body(R"({"from":"b","to":null,"kind":"word"})"),
      body(R"({"from":1,"to":null,"kind":"word","message":1})"),
      body(R"({"from":"","to":null,"kind":"word","message":1})"),
      body(R"({"from":"b","to":7,"kind":"word","message":1})"),
      body(R"({"from":"b","kind":"word","message":1})"),
      body(R"({"from":")" + long_name + R"(","to":null,"kind":"word","message":1})"),
      body(R"({"from":"b","to":null,"kind":")" + long_name + R"(","message":1})"),
      body(R"({"from":"b","to":null,"kind":"word","message":")" + std::string(20'000, 'x') + "\"}"),
  };
  std::uint64_t count = 0;
  for (const std::string& text : bad) {
    a.peers->receive(text);
    EXPECT_EQ(a.peers->refused(), ++count) << text.substr(0, 200);
  }
  EXPECT_TRUE(a.heard.empty());
  EXPECT_TRUE(a.peers->alive().empty());
  for (std::size_t i = 0; i < Peers::most_peers + 10; ++i)
    a.peers->receive(body(R"({"from":"n)" + std::to_string(i) + R"(","to":null,"kind":"here","message":null})"));
  EXPECT_EQ(a.peers->alive().size(), Peers::most_peers) << "bounded";
}

std::shared_ptr<const PeerKeys> keys_of(const std::string& text) {
  return std::make_shared<PeerKeys>(PeerKeys::parse(text, "keys").value());
}

TEST_F(PeersTest, WithAKeyNobodyElseIsBelieved) {
  const auto keys = keys_of(std::string(32, 'k'));
  Gateway &a = start("a", "gateway", keys), &b = start("b", "gateway", keys);
  deliver();
  ASSERT_TRUE(a.peers->alive("b") && b.peers->alive("a"));
  EXPECT_TRUE(a.peers->tell("word", R"({"x": 1})", "b"));
  const std::string genuine = queue_.front().second;
  deliver();
  EXPECT_EQ(b.heard, std::vector<std::string>{R"(a: {"x": 1})"});
  EXPECT_TRUE(a.peers->tell("word", " [1, 2]\n"));
  deliver();
  EXPECT_EQ(b.heard.back(), "a: [1, 2]") << "blanks around a value are not part of it";
  b.heard.pop_back();
  EXPECT_EQ(a.peers->refused() + b.peers->refused(), 0u);
  std::string forged = genuine;
  forged.replace(forged.find(R"("x": 1)"), 6, R"("x": 2)");
  const std::string lies[] = {
      body(R"({"from":"c","to":null,"kind":"here","message":null})"),
      body(R"({"from":"a","to":null,"kind":"gone","message":null})"),
      body(R"({"from":"a","to":"b","kind":"word","message":1})"),
      genuine,
      forged,
      body(R"({"from":"a","to":"b","kind":"word","message":1,"mac":"","run":"","number":0,"time":0})"),
      body(R"({"from":"a","to":"b","kind":"word","message":1,"mac":")" + std::string(64, '0') + R"(","run":")" +
           std::string(32, '0') + R"(","number":1,"time":1})"),
      body(R"({"from":"a","to":"b","kind":"word","message":1,"mac":")" + std::string(64, 'X') + R"("})"),
      body(R"({"from":"a","to":"b","kind":"word","message":1,"mac":")" + std::string(64, '0') + R"(","run":")" +
           std::string(32, '0') + R"(","number":-1,"time":1e400})"),
  };
  std::uint64_t refused = 0;
  for (const std::string& lie : lies) {
    b.peers->receive(lie);
    EXPECT_EQ(b.peers->refused(), ++refused) << lie;
  }
  EXPECT_EQ(b.heard.size(), 1u);
  EXPECT_EQ(b.peers->alive(), std::vector<std::string>{"a"}) << "neither one more nor one less";
}

TEST_F(PeersTest, AKeyIsBroughtInWithoutAGap) {
  const auto keys = keys_of(std::string(32, 'k'));
  Gateway &old = start("old"), &during = start("during", "gateway", keys, true),
          &strict = start("strict", "gateway", keys);
  deliver();
  pass(seconds(3));
  EXPECT_EQ(old.peers->alive().size(), 2u) << "one without a key does not look at MACs";
  EXPECT_EQ(during.peers->alive().size(), 2u);
  EXPECT_GT(during.peers->unsigned_ones(), 0u);
  EXPECT_EQ(strict.peers->alive(), std::vector<std::string>{"during"});
  EXPECT_GT(strict.peers->refused(), 0u);
  EXPECT_EQ(strict.peers->unsigned_ones(), 0u);
}

TEST_F(PeersTest, ReservedTopics) {
  for (const char* topic : {"nuropb-gateway", "nuropb-gateway.gateway", "nuropb-gateway.a.b", "nuropb-gateway.#",
                            "nuropb-gateway.*", "nuropb-gateway."})
    EXPECT_TRUE(Peers::reserved(topic)) << topic;
  for (const char* topic :
       {"", "#", "*.gateway", "nuropb-gateways.x", "orders.nuropb-gateway", "nuropb", "Nuropb-gateway.x"})
    EXPECT_FALSE(Peers::reserved(topic)) << topic;
  EXPECT_EQ(start("a", "odd.*#name").peers->topic(), "nuropb-gateway.odd.__name")
      << "a topic, whatever the service is called";
}

}  // namespace
}  // namespace nuropb::meshd
