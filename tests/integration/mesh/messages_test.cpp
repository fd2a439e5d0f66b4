// The messages on the wire, as a plain AMQP consumer sees them: properties of what we publish, and the routes of a
// service's messages.

#include <gtest/gtest.h>
#include <poll.h>

#include <map>

#include "meshd/amqp/connection.hpp"
#include "tests/integration/mesh/participant.hpp"
#include "tests/integration/mesh/settings.hpp"

namespace nuropb::mesh {
namespace {

struct Message {
  std::string routing_key, content_type, correlation_id, reply_to, expiration, body;
  int priority = -1;
  std::map<std::string, std::string> headers;
};

class Messages : public ::testing::Test {
 protected:
  static constexpr std::uint16_t channel = 1;

  void SetUp() override {
    name_ = "messages-" + random_hex32().substr(0, 8);
    auto opened = amqp::Connection::open(broker_url(), {});
    ASSERT_TRUE(opened) << opened.error().text();
    hand_.emplace(std::move(*opened));
    ASSERT_TRUE(hand_->open_channel(channel));
  }
  /// A queue that receives what is published with this key.
  void listen(const std::string& exchange, const std::string& key) {
    ASSERT_TRUE(hand_->declare_queue(channel, name_ + "-ear", {true, {}, milliseconds(5000)}));
    ASSERT_TRUE(hand_->bind_queue(channel, name_ + "-ear", exchange, key));
    ASSERT_TRUE(hand_->consume(channel, name_ + "-ear", "ear", true));
  }
  /// The next message with this correlation id; its body has at most one frame.
  Message next(const std::string& correlation_id) {
    Message out;
    std::string key;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < until) {
      amqp_frame_t frame;
      const auto got = hand_->next_frame(frame);
      if (!got) break;
      if (!*got) {
        pollfd socket{hand_->fd(), POLLIN, 0};
        ::poll(&socket, 1, 100);
      } else if (frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_DELIVER_METHOD) {
        key = amqp::view(static_cast<const amqp_basic_deliver_t*>(frame.payload.method.decoded)->routing_key);
      } else if (frame.frame_type == AMQP_FRAME_HEADER) {
        const auto& p = *static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded);
        const auto text = [&](amqp_flags_t flag, amqp_bytes_t value) {
          return p._flags & flag ? std::string(amqp::view(value)) : "(none)";
        };
        out = {key,
               text(AMQP_BASIC_CONTENT_TYPE_FLAG, p.content_type),
               text(AMQP_BASIC_CORRELATION_ID_FLAG, p.correlation_id),
               text(AMQP_BASIC_REPLY_TO_FLAG, p.reply_to),
               text(AMQP_BASIC_EXPIRATION_FLAG, p.expiration),
               {},
               p._flags & AMQP_BASIC_PRIORITY_FLAG ? p.priority : -1,
               {}};
        for (int i = 0; i < p.headers.num_entries; ++i) {
          const auto& entry = p.headers.entries[i];
          if (entry.value.kind == AMQP_FIELD_KIND_UTF8)
            out.headers.emplace(amqp::view(entry.key), amqp::view(entry.value.value.bytes));
        }
      } else if (frame.frame_type == AMQP_FRAME_BODY) {
        out.body = amqp::view(frame.payload.body_fragment);
        if (out.correlation_id == correlation_id) return out;
      }
    }
    ADD_FAILURE() << "no message " << correlation_id;
    return out;
  }
  static Outgoing outgoing(MessageType type, const std::string& routing_key, const std::string& correlation_id) {
    Outgoing out;
    out.type = type;
    out.routing_key = routing_key;
    out.correlation_id = correlation_id;
    out.trace_id = "trace";
    out.body = R"({"a":1})";
    return out;
  }

  std::string name_;
  std::optional<amqp::Connection> hand_;
};

TEST_F(Messages, PropertiesOfEachType) {
  Participant participant(participant_settings("client", Kind::client));
  ASSERT_TRUE(participant.start());
  listen("nuropb-rpc-exchange", name_);
  ASSERT_TRUE(hand_->bind_queue(channel, name_ + "-ear", "nuropb-events-exchange", name_ + ".#"));
  const std::map<std::string, std::string> headers{
      {"nuropb_protocol", "0.1.1"}, {"nuropb_version", "0.1.8"}, {"trace_id", "trace"}, {"encrypted", ""}};
  for (const auto type : {MessageType::request, MessageType::command, MessageType::event, MessageType::response}) {
    const std::string key = type == MessageType::event      ? name_ + ".t"
                            : type == MessageType::response ? name_ + "-ear"
                                                            : name_;
    auto message = outgoing(type, key, std::string(to_text(type)));
    message.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    if (type == MessageType::request) message.priority = 5;
    ASSERT_TRUE(participant.transport.submit(std::move(message)));
    const auto got = next(std::string(to_text(type)));
    auto expected = headers;
    expected["nuropb_type"] = to_text(type);
    EXPECT_EQ(got.headers, expected);
    EXPECT_EQ(got.content_type, "application/json");
    EXPECT_EQ(got.body, R"({"a":1})");
    EXPECT_EQ(got.routing_key, key);
    EXPECT_EQ(got.priority, type == MessageType::request ? 5 : -1) << "only where asked for";
    const bool asks = type == MessageType::request || type == MessageType::command;
    EXPECT_EQ(got.reply_to, asks ? participant.transport.response_queue() : "(none)");
    EXPECT_EQ(got.expiration != "(none)", asks) << got.expiration;
  }
}

TEST_F(Messages, ExpirationIsWhatIsReallyLeft) {
  Participant participant(participant_settings("client", Kind::client));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  auto waits = outgoing(MessageType::request, name_, "waits"), late = outgoing(MessageType::request, name_, "late");
  waits.deadline = deadline;
  late.deadline = std::chrono::steady_clock::now();
  ASSERT_TRUE(participant.transport.submit(std::move(waits)));  // there is no connection yet
  ASSERT_TRUE(participant.transport.submit(std::move(late)));
  listen("nuropb-rpc-exchange", name_);
  const auto left_before =
      std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  ASSERT_LT(left_before, 30'000);
  ASSERT_TRUE(participant.start());
  const auto got = next("waits");
  EXPECT_LE(std::stoll(got.expiration), left_before);
  EXPECT_GT(std::stoll(got.expiration), 0);
  ASSERT_TRUE(participant.sees([](const auto& s) { return s.reports.size() == 2; }));
  for (const auto& report : participant.seen().reports)
    EXPECT_EQ(report.outcome, report.correlation_id == "late" ? Outcome::expired : Outcome::confirmed);
}

TEST_F(Messages, AServicesBindingsPrefetchAndDeadLetters) {
  auto with = participant_settings(name_, Kind::service);
  with.rpc_bindings = {name_ + "-alias"};
  with.event_bindings = {name_ + ".*"};
  with.prefetch = 2;
  Participant service(with), client(participant_settings("client", Kind::client));
  ASSERT_TRUE(service.start());
  ASSERT_TRUE(client.start());
  EXPECT_EQ(client.publish(MessageType::request, name_ + "-alias", "{}").outcome, Outcome::confirmed);
  EXPECT_EQ(client.publish(MessageType::event, name_ + ".e", "{}").outcome, Outcome::confirmed);
  EXPECT_EQ(client.publish(MessageType::command, name_, "{}", "third").outcome, Outcome::confirmed);
  ASSERT_TRUE(service.sees([](const auto& s) { return s.requests.size() == 2; }));
  EXPECT_EQ(service.seen().requests[0].routing_key, name_ + "-alias");
  EXPECT_EQ(service.seen().requests[1].type, MessageType::event);
  EXPECT_FALSE(service.sees([](const auto& s) { return s.requests.size() > 2; }, milliseconds(300)))
      << "two are enough at a time";
  ASSERT_TRUE(hand_->consume(channel, "nuropb-" + name_ + "-dl", "dl", true));
  service.transport.ack(service.seen().requests[0].delivery);
  ASSERT_TRUE(service.sees([](const auto& s) { return s.requests.size() == 3; }));
  service.transport.reject(service.seen().requests[2].delivery, false);
  EXPECT_EQ(next("third").routing_key, name_) << "rejected, it is in the dead-letter queue";
  service.transport.reject(service.seen().requests[1].delivery, true);
  ASSERT_TRUE(service.sees([](const auto& s) { return s.requests.size() == 4; }));
  EXPECT_TRUE(service.seen().requests[3].redelivered);
}

TEST_F(Messages, WhatNobodyWaitsForAnyMoreIsNotSent) {
  listen("nuropb-rpc-exchange", name_);
  Participant participant(participant_settings(name_, Kind::client));
  ASSERT_TRUE(participant.start());
  const auto gone = std::make_shared<std::atomic<bool>>(true), there = std::make_shared<std::atomic<bool>>(false);
  const auto submit = [&](const std::string& id, std::shared_ptr<const std::atomic<bool>> abandoned) {
    Outgoing message;
    message.routing_key = name_;
    message.correlation_id = id;
    message.body = "{}";
    message.abandoned = std::move(abandoned);
    ASSERT_TRUE(participant.transport.submit(std::move(message)));
  };
  submit("abandoned", gone);
  submit("awaited", there);
  EXPECT_EQ(next("awaited").correlation_id, "awaited");
  ASSERT_TRUE(participant.sees([](const auto& seen) { return seen.reports.size() == 2; }));
  for (const Report& report : participant.seen().reports)
    EXPECT_EQ(report.outcome, report.correlation_id == "abandoned" ? Outcome::expired : Outcome::confirmed);
}

}  // namespace
}  // namespace nuropb::mesh
