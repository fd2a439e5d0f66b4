#pragma once
// A host, and its requests to the transport for one message: shared by the tests of service_host.

#include <gtest/gtest.h>

#include "meshd/mesh/service_host.hpp"
#include "meshd/mesh/transport_inbox.hpp"

namespace nuropb::mesh {

using nlohmann::json;
using Verdict = TransportInbox::Verdict;

class ServiceHostTest : public ::testing::Test {
 protected:
  /// The result of one message.
  struct Outcome {
    std::vector<json> responses, events;
    std::vector<Verdict> verdicts;
    [[nodiscard]] json error() const {
      return responses.size() == 1 ? responses[0]["error"] : json("not one response");
    }
    [[nodiscard]] json result() const {
      return responses.size() == 1 ? responses[0]["result"] : json("not one response");
    }
  };
  Outcome outcome() {
    Outcome out;
    TransportInbox::Work work;
    inbox_->take(work);
    for (const Outgoing& message : work.messages) {
      const json body = json::parse(message.body);
      if (message.type == MessageType::response) {
        EXPECT_EQ(message.routing_key, "asker");
        EXPECT_EQ(message.correlation_id, "c-1");
        EXPECT_EQ(body["correlation_id"], "c-1");
        EXPECT_EQ(body["reply_to"], "asker");
        out.responses.push_back(body);
      } else {
        EXPECT_EQ(message.type, MessageType::event);
        EXPECT_EQ(message.routing_key, body["topic"].get<std::string>());
        EXPECT_EQ(message.correlation_id, "c-1") << "that of the call";
        EXPECT_EQ(message.trace_id, "t-1");
        out.events.push_back(body);
      }
    }
    for (const auto& settlement : work.settlements) {
      EXPECT_EQ(settlement.delivery.tag, 7u);
      EXPECT_EQ(settlement.after, work.messages.size()) << "the answer before the acknowledgement";
      out.verdicts.push_back(settlement.verdict);
    }
    return out;
  }
  static Incoming message(MessageType type, std::string body) {
    Incoming in;
    in.type = type;
    in.correlation_id = "c-1";
    in.trace_id = "t-1";
    in.reply_to = type == MessageType::event ? "" : "asker";
    in.body = std::move(body);
    in.delivery = {1, 3, 7};
    return in;
  }
  static std::string call(const std::string& method, const json& params, const json& context = {{"who", "ann"}}) {
    return json({{"tag", "request"},
                 {"service", "s"},
                 {"method", method},
                 {"params", params},
                 {"correlation_id", "c-1"},
                 {"context", context},
                 {"trace_id", "t-1"}})
        .dump();
  }
  Outcome handle(Incoming in) {
    // The transport numbers messages continuously; a new inbox for each message keeps the numbers small.
    inbox_ = std::make_shared<TransportInbox>(1U << 20);
    host_.handle(Transport::Sender(inbox_), std::move(in));
    return outcome();
  }
  Outcome ask(const std::string& method, const json& params = json::object(), const json& context = {{"who", "ann"}}) {
    return handle(message(MessageType::request, call(method, params, context)));
  }
  Outcome again(const std::string& method, MessageType type = MessageType::request) {
    auto in = message(type, call(method, json::object()));
    in.redelivered = true;
    if (type == MessageType::command) in.body.replace(in.body.find("request"), 7, "command");
    return handle(std::move(in));
  }
  Outcome command(const std::string& method, const json& params = json::object()) {
    auto in = message(MessageType::command, call(method, params));
    in.body.replace(in.body.find("request"), 7, "command");
    return handle(std::move(in));
  }
  Outcome tell(const json& payload, bool redelivered = false) {
    auto in = message(MessageType::event, json({{"tag", "event"},
                                                {"topic", "t.x"},
                                                {"event", payload},
                                                {"context", {{"who", "ann"}}},
                                                {"trace_id", "t-1"},
                                                {"correlation_id", "c-1"},
                                                {"target", {"u-1"}}})
                                              .dump());
    in.redelivered = redelivered;
    return handle(std::move(in));
  }
  static void expect_error(const Outcome& got, std::string_view name, const std::string& description) {
    EXPECT_EQ(got.error(), json({{"error", name}, {"description", description}}));
    EXPECT_EQ(got.verdicts, std::vector{Verdict::reject});
    EXPECT_TRUE(got.events.empty());
  }

  ServiceHost host_{"s", "1.2", "A demo"};
  std::shared_ptr<TransportInbox> inbox_;
};

}  // namespace nuropb::mesh
