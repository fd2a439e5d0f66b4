#include "meshd/amqp/frames.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "meshd/amqp/connection.hpp"

namespace nuropb::amqp {
namespace {

amqp_bytes_t bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
std::string text(amqp_bytes_t b) { return {static_cast<const char*>(b.bytes), b.len}; }

/// Parses with rabbitmq-c what was written here.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  bool next(amqp_frame_t& frame) {
    while (!in_.empty()) {
      frame.frame_type = 0;
      const int used = amqp_handle_input(state_.get(), bytes(in_), &frame);
      if (used <= 0) return false;
      in_.remove_prefix(static_cast<std::size_t>(used));
      if (frame.frame_type != 0) return true;
    }
    return false;
  }

 private:
  std::unique_ptr<amqp_connection_state_t_, int (*)(amqp_connection_state_t)> state_{amqp_new_connection(),
                                                                                     &amqp_destroy_connection};
  std::string_view in_;
};

amqp_basic_publish_t to(std::string_view exchange, std::string_view key) {
  amqp_basic_publish_t out{};
  out.exchange = bytes(exchange);
  out.routing_key = bytes(key);
  out.mandatory = 1;
  return out;
}

TEST(Frames, AMessageAsRabbitmqCReadsIt) {
  Frames frames;
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_HEADERS_FLAG;
  properties.content_type = bytes("application/json");
  properties.correlation_id = bytes("c-1");
  amqp_table_entry_t entry{};
  entry.key = bytes("nuropb_type");
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = bytes("request");
  properties.headers = {1, &entry};
  ASSERT_TRUE(frames.publish(3, to("exchange", "key"), properties, "{}"));

  Reader reader(frames.bytes());
  amqp_frame_t frame;
  ASSERT_TRUE(reader.next(frame));
  ASSERT_EQ(frame.frame_type, AMQP_FRAME_METHOD);
  EXPECT_EQ(frame.channel, 3);
  ASSERT_EQ(frame.payload.method.id, static_cast<amqp_method_number_t>(AMQP_BASIC_PUBLISH_METHOD));
  const auto* publish = static_cast<const amqp_basic_publish_t*>(frame.payload.method.decoded);
  EXPECT_EQ(text(publish->exchange), "exchange");
  EXPECT_EQ(text(publish->routing_key), "key");
  EXPECT_TRUE(publish->mandatory);
  ASSERT_TRUE(reader.next(frame));
  ASSERT_EQ(frame.frame_type, AMQP_FRAME_HEADER);
  EXPECT_EQ(frame.payload.properties.class_id, AMQP_BASIC_CLASS);
  EXPECT_EQ(frame.payload.properties.body_size, 2U);
  const auto* read = static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded);
  EXPECT_EQ(text(read->content_type), "application/json");
  EXPECT_EQ(text(read->correlation_id), "c-1");
  ASSERT_EQ(read->headers.num_entries, 1);
  EXPECT_EQ(text(read->headers.entries[0].value.value.bytes), "request");
  ASSERT_TRUE(reader.next(frame));
  ASSERT_EQ(frame.frame_type, AMQP_FRAME_BODY);
  EXPECT_EQ(text(frame.payload.body_fragment), "{}");
  EXPECT_FALSE(reader.next(frame));
}

TEST(Frames, LongBodiesInSeveralFramesAndNoneForAnEmptyOne) {
  Frames frames;
  frames.set_frame_max(4096);
  const std::string body = std::string(4088, 'a') + std::string(4088, 'b') + "c";
  ASSERT_TRUE(frames.publish(1, to("", "q"), {}, body));
  ASSERT_TRUE(frames.publish(1, to("", "q"), {}, ""));
  Reader reader(frames.bytes());
  std::vector<int> types;
  std::string read;
  for (amqp_frame_t frame; reader.next(frame);) {
    types.push_back(frame.frame_type);
    if (frame.frame_type == AMQP_FRAME_BODY) read += text(frame.payload.body_fragment);
  }
  EXPECT_EQ(read, body);
  EXPECT_EQ(types, (std::vector<int>{AMQP_FRAME_METHOD, AMQP_FRAME_HEADER, AMQP_FRAME_BODY, AMQP_FRAME_BODY,
                                     AMQP_FRAME_BODY, AMQP_FRAME_METHOD, AMQP_FRAME_HEADER}));
}

TEST(Frames, MethodsByThemselves) {
  Frames frames;
  amqp_basic_ack_t ack{0x0102030405060708, 1};
  ASSERT_TRUE(frames.method(2, AMQP_BASIC_ACK_METHOD, &ack));
  EXPECT_EQ(
      frames.bytes(),
      std::string_view("\x01\x00\x02\x00\x00\x00\x0d\x00\x3c\x00\x50\x01\x02\x03\x04\x05\x06\x07\x08\x01\xce", 21));
  frames.clear();
  EXPECT_TRUE(frames.empty());
}

/// Properties are one frame, and what publishable() accepts fits.
TEST(Frames, PropertiesThatFitTheFrameOfTheBroker) {
  const std::string id(255, 'c');
  for (const std::size_t frame_max : {4096, 8192, 131'072}) {
    std::size_t largest = 0;
    for (std::size_t size = 0; size < 7000; ++size) {
      const std::string trace(size, 't');
      Properties properties;
      properties.correlation_id = properties.reply_to = id;
      properties.expiration = "4294967295";
      properties.priority = 9;
      properties.headers = {{"trace_id", trace}};
      if (Connection::publishable("service", properties, frame_max)) largest = size;
    }
    Frames frames;
    frames.set_frame_max(frame_max);
    const std::string trace(largest, 't');
    amqp_table_entry_t header = text_entry("trace_id", trace);
    amqp_basic_properties_t raw{};
    raw._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG |
                 AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_PRIORITY_FLAG;
    raw.content_type = bytes("application/json");
    raw.correlation_id = raw.reply_to = bytes(id);
    raw.expiration = bytes("4294967295");
    raw.headers = {1, &header};
    ASSERT_TRUE(frames.publish(1, to("", "q"), raw, ""));
    const std::size_t method = 8 + 4 + 2 + 1 + 2 + 1;  // the preceding frame, with names of 0 and 1 bytes
    EXPECT_LE(frames.bytes().size() - method, frame_max);
    EXPECT_GT(largest, frame_max == 4096 ? 3000u : 6000u) << "and no more is refused than has to be";
  }
}

TEST(Frames, WhatCannotBeEncodedLeavesNothing) {
  Frames frames;
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_CORRELATION_ID_FLAG;
  const std::string long_id(300, 'x');
  properties.correlation_id = bytes(long_id);
  EXPECT_FALSE(frames.publish(1, to("", "q"), properties, "{}"));
  EXPECT_TRUE(frames.empty());
}

}  // namespace
}  // namespace nuropb::amqp
