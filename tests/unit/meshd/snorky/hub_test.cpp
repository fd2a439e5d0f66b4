#include "meshd/snorky/hub.hpp"

#include "tests/unit/meshd/snorky/recorder.hpp"

namespace nuropb::meshd::snorky {
namespace {

using ::testing::HasSubstr;

class SnorkyHub : public ::testing::Test {
 protected:
  static Hub::Parts parts() {
    Hub::Parts out;
    out.services = default_services();
    out.services.frontend[0].publish = PubSubService::Publish::all;
    out.keys = *BackendKeys::parse("[keys]\na = \"0123456789abcdef\"\n", "keys");
    out.max_message = 8192;
    out.json_depth = 16;
    return out;
  }
  ConsumerAnswer consumer(std::string_view service, std::string_view command, std::string_view call_id,
                          std::string_view params) {
    std::vector<ConsumerAnswer> answers;
    EXPECT_TRUE(hub.consumer_call({1, 101, false, service, command, call_id, params}, {socket(1), "ann", nullptr, {}},
                                  [&](ConsumerAnswer answer) { answers.push_back(std::move(answer)); }));
    EXPECT_EQ(answers.size(), 1u);
    return answers.empty() ? ConsumerAnswer{} : answers[0];
  }
  HttpAnswer backend(std::string_view key, std::string_view service, std::string_view command,
                     std::string_view params) {
    std::vector<HttpAnswer> answers;
    EXPECT_TRUE(hub.backend_call({key, service, command, "7", params},
                                 [&](HttpAnswer answer) { answers.push_back(std::move(answer)); }));
    EXPECT_EQ(answers.size(), 1u);
    return answers.empty() ? HttpAnswer{} : answers[0];
  }
  Recorder outlet;
  Hub hub{parts(), outlet};
};

TEST_F(SnorkyHub, AnswersAreTheOriginals) {
  EXPECT_EQ(consumer("pubsub", "subscribe", "0", R"({"channel":1})").text,
            R"({"service":"pubsub","message":{"type":"response","callId":0,"data":null}})");
  EXPECT_EQ(consumer("pubsub", "unsubscribe", "", R"({"channel":1})").text,
            R"({"service":"pubsub","message":{"type":"response","data":null}})");
  EXPECT_EQ(consumer("pubsub", "unsubscribe", "", R"({"channel":1})").text,
            R"({"service":"pubsub","message":{"type":"error","callId":null,"message":"Not subscribed"}})");
  EXPECT_EQ(consumer("pubsub", "unsubscribe", "null", R"({"channel":2})").text,
            R"({"service":"pubsub","message":{"type":"error","callId":null,"message":"Not subscribed"}})");
  EXPECT_EQ(consumer("pub\"sub", "x", "\"c\"", "{}").text,
            R"({"service":"pub\"sub","message":{"type":"error","callId":"c","message":"Unknown service"}})");
}

TEST_F(SnorkyHub, WhatStandsIsACallThatCanBeMadeAgain) {
  const ConsumerAnswer kept = consumer("pubsub", "subscribe", "9", R"({"channel":{"a":1}})");
  EXPECT_EQ(kept.call, R"({"service":"pubsub","message":{"command":"subscribe","params":{"channel":{"a":1}}}})");
  EXPECT_FALSE(kept.key.empty());
  const ConsumerAnswer dropped = consumer("pubsub", "unsubscribe", "9", R"({"channel":{"a":1.0}})");
  EXPECT_EQ(dropped.key, kept.key);
  EXPECT_EQ(dropped.call, "");
  EXPECT_EQ(consumer("pubsub", "publish", "9", R"({"channel":1,"message":1})").key, "");
}

TEST_F(SnorkyHub, WhatNoHonestEdgeWritesIsRefused) {
  const auto never = [](const auto&) { FAIL() << "answered"; };
  for (const auto& [call_id, params] :
       {std::pair("", ""), {"", "{"}, {"nonsense", "{}"}, {"", "{} {}"}, {"", "\xff"}}) {
    EXPECT_FALSE(hub.consumer_call({1, 101, false, "pubsub", "subscribe", call_id, params}, {}, never)) << params;
    EXPECT_FALSE(hub.backend_call({"0123456789abcdef", "pubsub_backend", "publish", call_id, params}, never)) << params;
  }
  EXPECT_FALSE(hub.consumer_call(
      {1, 101, false, "pubsub", "subscribe", "", std::string(17, '[') + std::string(17, ']')}, {}, never))
      << "deeper than an edge lets through";
}

TEST_F(SnorkyHub, BackendsNeedAKey) {
  consumer("pubsub", "subscribe", "1", R"({"channel":1})");
  EXPECT_EQ(backend("0123456789abcdef", "pubsub_backend", "publish", R"({"channel":1,"message":2})").text,
            R"({"service":"pubsub_backend","message":{"type":"response","callId":7,"data":null}})");
  EXPECT_EQ(outlet.sent.size(), 1u);
  for (const char* const key : {"", "wrong"}) {
    const HttpAnswer refused = backend(key, "pubsub_backend", "publish", R"({"channel":1,"message":2})");
    EXPECT_EQ(refused.status, 401);
    EXPECT_THAT(refused.text, HasSubstr("Invalid API key"));
    EXPECT_EQ(backend(key, "", "", "").status, 401);
  }
  EXPECT_EQ(backend("0123456789abcdef", "", "", "").status, 204) << "only the key was to be judged";
  EXPECT_EQ(backend("0123456789abcdef", "pubsub", "publish", "{}").status, 404)
      << "consumers' services are not backends'";
  EXPECT_EQ(backend("0123456789abcdef", "pubsub_backend", "nope", "{}").status, 200);
  EXPECT_EQ(outlet.sent.size(), 1u);
}

TEST_F(SnorkyHub, PeersReachTheirServiceOnly) {
  consumer("pubsub", "subscribe", "1", R"({"channel":1})");
  hub.on_peer(Hub::encode_peer("pubsub", R"({"channel":1,"message":2})"));
  EXPECT_EQ(outlet.sent.size(), 1u);
  for (const char* const rubbish : {"", "7", "{}", R"({"service":"nowhere","body":1})", R"({"service":"pubsub"})",
                                    R"({"service":7,"body":1})", "{"})
    hub.on_peer(rubbish);
  EXPECT_EQ(outlet.sent.size(), 1u);
}

}  // namespace
}  // namespace nuropb::meshd::snorky
