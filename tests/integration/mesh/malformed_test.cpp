// Messages that no peer should send, put on a service's queue by hand: refused, answered if a caller waits, and the
// service goes on.

#include <gtest/gtest.h>
#include <poll.h>

#include "common/ids.hpp"
#include "meshd/mesh/api.hpp"
#include "meshd/mesh/assembler.hpp"
#include "tests/integration/mesh/participant.hpp"
#include "tests/integration/mesh/settings.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;
using Headers = std::vector<std::pair<std::string_view, std::string_view>>;

class Malformed : public ::testing::Test {
 protected:
  static constexpr std::uint16_t channel = 1;

  void SetUp() override {
    name_ = "malformed-" + random_hex32().substr(0, 8);
    host_.emplace(name_, "1");
    host_->raw_method("echo", {.any_parameters = true}, [](std::string_view params) { return std::string(params); });
    service_.emplace(participant_settings(name_, Kind::service));
    service_->serve(*host_);
    ASSERT_TRUE(service_->start());
    auto opened = amqp::Connection::open(broker_url(), {});
    ASSERT_TRUE(opened) << opened.error().text();
    hand_.emplace(std::move(*opened));
    queue_ = name_ + "-answers";
    ASSERT_TRUE(hand_->open_channel(channel));
    ASSERT_TRUE(hand_->declare_queue(channel, queue_, {true, {}, milliseconds(5000)}));
    ASSERT_TRUE(hand_->consume(channel, queue_, "answers", true));
  }
  void put(const Headers& headers, std::string_view body, std::string_view correlation_id) {
    amqp::Properties properties;
    properties.correlation_id = correlation_id;
    properties.reply_to = queue_;
    properties.headers = headers;
    ASSERT_TRUE(hand_->publish(channel, "nuropb-rpc-exchange", name_, true, properties, body));
  }
  /// The body of the next response.
  json answer() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < until) {
      amqp_frame_t frame;
      const auto got = hand_->next_frame(frame);
      EXPECT_TRUE(got) << got.error().text();
      if (!got) return nullptr;
      if (*got) {
        auto message = assembler_.take(frame);
        hand_->release(channel);
        if (message && !message->returned) return json::parse(message->body, nullptr, false);
        continue;
      }
      pollfd socket{hand_->fd(), POLLIN, 0};
      ::poll(&socket, 1, 100);
    }
    ADD_FAILURE() << "no answer";
    return nullptr;
  }

  std::string name_, queue_;
  std::optional<ServiceHost> host_;
  std::optional<Api> service_;
  std::optional<amqp::Connection> hand_;
  Assembler assembler_{1U << 20};
};

TEST_F(Malformed, RequestsAreRefusedWithTheReasonAndTheServiceGoesOn) {
  const Headers good{{"nuropb_protocol", "0.1.1"},
                     {"nuropb_version", "0.1.8"},
                     {"nuropb_type", "request"},
                     {"trace_id", "t"},
                     {"encrypted", ""}};
  const auto with = [&](std::string_view key, std::string_view value) {
    Headers out = good;
    for (auto& header : out) {
      if (header.first == key) header.second = value;
    }
    return out;
  };
  const std::string call =
      R"({"tag":"request","service":"x","method":"echo","params":{"a":1},"correlation_id":"c","context":{},"trace_id":"t"})";
  struct Row {
    Headers headers;
    std::string body, part;
  };
  int number = 0;
  for (const Row& row :
       {Row{{}, call, "nuropb_protocol: is missing"},
        Row{with("nuropb_protocol", "9.9"), call, "'9.9' is not supported"},
        Row{with("nuropb_type", "shout"), call, "'shout' is unknown"},
        Row{with("encrypted", "yes"), call, "no key to decrypt"}, Row{good, "", ""}, Row{good, "{", ""},
        Row{good, "[]", ""}, Row{good, R"({"method":1,"params":{}})", ""}, Row{good, "\xff\xfe", ""}}) {
    const std::string id = "c" + std::to_string(++number);
    put(row.headers, row.body, id);
    const json got = answer();
    ASSERT_TRUE(got.is_object()) << row.part << row.body;
    EXPECT_EQ(got["correlation_id"], id);
    EXPECT_EQ(got["error"]["error"], "NuropbMessageError") << got.dump();
    EXPECT_NE(got["error"]["description"].get<std::string>().find(row.part), std::string::npos) << got.dump();
  }
  put(good, call, "last");
  const json got = answer();
  EXPECT_EQ(got["error"], nullptr) << got.dump();
  EXPECT_EQ(got["result"], json({{"a", 1}}));
}

/// A participant's own queues: no caller waits for an answer, so bad messages are counted and dropped.
class MalformedOnOwnQueues : public ::testing::Test {
 protected:
  static constexpr std::size_t largest_body = 100'000;
  static constexpr std::uint16_t channel = 1;

  void SetUp() override {
    auto settings = participant_settings("malformed", Kind::client);
    settings.largest_body = largest_body;
    participant_.emplace(settings);
    ASSERT_TRUE(participant_->start());
    auto opened = amqp::Connection::open(settings.urls.front(), {});
    ASSERT_TRUE(opened) << opened.error().text();
    hand_.emplace(std::move(*opened));
    ASSERT_TRUE(hand_->open_channel(channel));
    topic_ = "malformed-" + random_hex32().substr(0, 8);
    ASSERT_TRUE(participant_->transport.bind_event(topic_));
    ASSERT_TRUE(participant_->sees([](const auto& s) { return s.bound.size() == 1; }));
  }
  static Headers headers(std::string_view type) {
    return {{"nuropb_protocol", "0.1.1"},
            {"nuropb_version", "0.1.8"},
            {"nuropb_type", type},
            {"trace_id", "t"},
            {"encrypted", ""}};
  }
  void put(std::string_view exchange, std::string_view key, const Headers& headers, std::string_view body,
           std::string_view correlation_id) {
    amqp::Properties properties;
    properties.correlation_id = correlation_id;
    properties.headers = headers;
    ASSERT_TRUE(hand_->publish(channel, exchange, key, false, properties, body));
  }
  /// Each of these is refused, and later messages arrive.
  void expect_refused(std::string_view exchange, const std::string& key, const std::string& good_type,
                      const std::function<std::size_t(const Participant::Seen&)>& arrived) {
    const auto wrong_type = good_type == "event" ? "response" : "event";
    auto version = headers(good_type);
    version[0].second = "0.2.0";
    const std::string huge(largest_body + 1, 'x');
    participant_->forget();
    const auto before = participant_->transport.counters().malformed;
    std::uint64_t bad = 0;
    for (const Headers& wrong : {Headers{}, headers(wrong_type), headers("request"), headers("shout"),
                                 headers(std::string_view("\xff\xfe\0", 3)), version}) {
      put(exchange, key, wrong, "{}", "bad");
      ++bad;
    }
    put(exchange, key, headers(good_type), huge, "bad");
    ++bad;
    if (good_type == "response") {
      put(exchange, key, headers(good_type), "{}", "");
      ++bad;
    }
    put(exchange, key, headers(good_type), "{}", "good");
    ASSERT_TRUE(participant_->sees([&](const auto& s) { return arrived(s) == 1; }));
    EXPECT_EQ(participant_->transport.counters().malformed - before, bad);
    EXPECT_EQ(participant_->transport.state(), State::ready);
  }

  std::string topic_;
  std::optional<Participant> participant_;
  std::optional<amqp::Connection> hand_;
};

TEST_F(MalformedOnOwnQueues, Responses) {
  expect_refused("", participant_->transport.response_queue(), "response",
                 [](const auto& s) { return s.responses.size(); });
  EXPECT_EQ(participant_->seen().responses.front().correlation_id, "good");
}

TEST_F(MalformedOnOwnQueues, Events) {
  expect_refused("nuropb-events-exchange", topic_, "event", [](const auto& s) { return s.events.size(); });
  EXPECT_EQ(participant_->seen().events.front().correlation_id, "good");
}

TEST_F(MalformedOnOwnQueues, HeadersOfOtherTypesAndDeepOnes) {
  // Arrays within arrays, as deep as a frame holds: decoding them must not run out of stack.
  for (const std::size_t depth : {1U, 1000U, 20'000U}) {
    std::vector<amqp_field_value_t> levels(depth);
    for (std::size_t i = 0; i < depth; ++i) {
      levels[i].kind = AMQP_FIELD_KIND_ARRAY;
      levels[i].value.array = i == 0 ? amqp_array_t{0, nullptr} : amqp_array_t{1, &levels[i - 1]};
    }
    amqp_table_entry_t entries[2]{};
    entries[0].key = amqp::bytes("nuropb_type");
    entries[0].value = levels.back();
    entries[1].key = amqp::bytes("nuropb_protocol");
    entries[1].value.kind = AMQP_FIELD_KIND_I32;
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_HEADERS_FLAG;
    properties.headers = {2, entries};
    const auto before = participant_->transport.counters().malformed;
    ASSERT_TRUE(hand_->publish_raw(channel, "", participant_->transport.response_queue(), properties, "{}"));
    participant_->forget();
    put("", participant_->transport.response_queue(), headers("response"), "{}", "good");
    ASSERT_TRUE(participant_->sees([](const auto& s) { return s.responses.size() == 1; })) << depth;
    EXPECT_EQ(participant_->transport.counters().malformed, before + 1) << depth;
  }
}

}  // namespace
}  // namespace nuropb::mesh
