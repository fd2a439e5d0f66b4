#include "meshd/mesh/loopback.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace nuropb::mesh {
namespace {

/// The callbacks of one participant.
struct Told {
  std::vector<Incoming> responses, events;
  std::vector<Report> reports;
  std::vector<State> states;
  std::vector<std::string> bound;
  int batches = 0;

  Carrier::Callbacks callbacks() {
    Carrier::Callbacks out;
    out.on_response = [this](Incoming&& message) { responses.push_back(std::move(message)); };
    out.on_event = [this](Incoming&& message) { events.push_back(std::move(message)); };
    out.on_event_bound = [this](const std::string& pattern) { bound.push_back(pattern); };
    out.on_report = [this](Report&& report) { reports.push_back(std::move(report)); };
    out.on_state = [this](State state, const std::string&) { states.push_back(state); };
    out.on_batch_end = [this] { ++batches; };
    return out;
  }
};

Outgoing call(std::string method, std::string_view params, std::uint64_t tag = 1) {
  Outgoing out;
  out.routing_key = "any";
  out.correlation_id = "c" + std::to_string(tag);
  out.tag = tag;
  out.body = encode_call(MessageType::request, {"any", std::move(method), params, out.correlation_id, "{}", "\"t\""});
  return out;
}

Outgoing event(std::string topic) {
  Outgoing out;
  out.type = MessageType::event;
  out.routing_key = topic;
  out.body = encode_event({topic, "1", "{}", "c", "null", "null"});
  return out;
}

TEST(Loopback, EchoesARequestAndReportsIt) {
  Told told;
  Loopback mesh(told.callbacks());
  mesh.start();
  EXPECT_EQ(told.states, std::vector{State::ready});
  std::vector<Outgoing> messages;
  messages.push_back(call("m", R"({"a": [1,2]})", 7));
  messages.push_back(call("m", "{}", 8));
  const int before = told.batches;
  EXPECT_EQ(mesh.submit(messages), 2u);
  EXPECT_EQ(told.batches, before + 1) << "one wake-up for all";
  ASSERT_EQ(told.responses.size(), 2u);
  EXPECT_EQ(told.responses[0].correlation_id, "c7");
  EXPECT_EQ(decode_response(told.responses[0].body)->result, R"({"a": [1,2]})");
  EXPECT_EQ(decode_response(told.responses[0].body)->error, "null");
  EXPECT_EQ(decode_response(told.responses[1].body)->result, "{}");
  ASSERT_EQ(told.reports.size(), 2u);
  EXPECT_EQ(told.reports[0].outcome, Outcome::confirmed);
  EXPECT_EQ(told.reports[0].tag, 7u);
}

TEST(Loopback, DescribesAnyService) {
  Told told;
  Loopback mesh(told.callbacks());
  ASSERT_TRUE(mesh.submit(call("nuropb_describe", "{}")));
  const auto described = nlohmann::json::parse(decode_response(told.responses.at(0).body)->result);
  EXPECT_EQ(described["service_name"], "any");
  EXPECT_TRUE(described["methods"].contains("echo"));
}

TEST(Loopback, ABodyThatIsNoneIsAnsweredWithAnError) {
  Told told;
  Loopback mesh(told.callbacks());
  Outgoing broken = call("m", "1");
  broken.body = R"({"tag":"request","service":"any","method":"m","params":3})";  // which no service accepts either
  ASSERT_TRUE(mesh.submit(std::move(broken)));
  const auto answer = decode_response(told.responses.at(0).body);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->result, "null");
  EXPECT_NE(answer->error.find("NuropbMessageError"), std::string_view::npos);
}

TEST(Loopback, EventsReachThoseWhoBoundTheirTopics) {
  Told one, other;
  Loopback first(one.callbacks()), second(first, other.callbacks());
  ASSERT_TRUE(first.bind_event("a.*"));
  ASSERT_TRUE(second.bind_event("a.#"));
  ASSERT_TRUE(second.bind_event("a.b"));
  EXPECT_EQ(other.bound, (std::vector<std::string>{"a.#", "a.b"}));
  ASSERT_TRUE(first.submit(event("a.b")));
  ASSERT_TRUE(second.submit(event("a.b.c")));
  ASSERT_TRUE(second.submit(event("b")));
  EXPECT_EQ(one.events.size(), 1u);
  ASSERT_EQ(other.events.size(), 2u) << "once, however many patterns match";
  EXPECT_EQ(other.events[1].routing_key, "a.b.c");
  first.unbind_event("a.*");
  ASSERT_TRUE(first.submit(event("a.b")));
  EXPECT_EQ(one.events.size(), 1u);
  EXPECT_FALSE(first.bind_event(std::string(256, 'x')));
}

TEST(Loopback, TakesNothingWhileItMayHandOverNothing) {
  Told told;
  Loopback mesh(told.callbacks());
  mesh.pause_deliveries(true);
  std::vector<Outgoing> messages;
  messages.push_back(call("m", "1"));
  EXPECT_EQ(mesh.submit(messages), 0u);
  EXPECT_FALSE(mesh.submit(call("m", "1")));
  mesh.pause_deliveries(false);
  EXPECT_EQ(mesh.submit(messages), 1u);
}

}  // namespace
}  // namespace nuropb::mesh
