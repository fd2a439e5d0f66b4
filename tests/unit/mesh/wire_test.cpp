#include "meshd/mesh/wire.hpp"

#include <gtest/gtest.h>

namespace nuropb::mesh {
namespace {

ReceivedProperties good() {
  return {"cid",
          "rq",
          {{"nuropb_protocol", "0.1.1"},
           {"nuropb_version", "0.1.8"},
           {"nuropb_type", "request"},
           {"trace_id", "t"},
           {"encrypted", ""}}};
}

TEST(Wire, APeersHeadersAreRead) {
  Incoming message;
  ASSERT_TRUE(read_properties(good(), message));
  EXPECT_EQ(message.type, MessageType::request);
  EXPECT_EQ(message.correlation_id, "cid");
  EXPECT_EQ(message.reply_to, "rq");
  EXPECT_EQ(message.trace_id, "t");
  EXPECT_FALSE(message.encrypted);
}

TEST(Wire, WhatIsWrongIsNamedAndTheRestStillRead) {
  const auto refuse = [](const char* header, const char* value) {
    auto properties = good();
    if (value) properties.headers[header] = value;
    else properties.headers.erase(header);
    Incoming message;
    const auto read = read_properties(std::move(properties), message);
    EXPECT_FALSE(read) << header;
    EXPECT_EQ(message.correlation_id, "cid") << "enough to answer with";
    EXPECT_EQ(message.reply_to, "rq");
    return read ? std::string() : read.error().text();
  };
  EXPECT_NE(refuse("nuropb_protocol", nullptr).find("nuropb_protocol: is missing"), std::string::npos);
  EXPECT_NE(refuse("nuropb_protocol", "0.2.0").find("0.2.0"), std::string::npos);
  EXPECT_NE(refuse("nuropb_type", nullptr).find("nuropb_type: is missing"), std::string::npos);
  EXPECT_NE(refuse("nuropb_type", "shout").find("shout"), std::string::npos);
}

TEST(Wire, OnlyStringsAreHeaders) {
  amqp_table_entry_t entries[3]{};
  entries[0] = {amqp::bytes("nuropb_type"), {AMQP_FIELD_KIND_UTF8, {}}};
  entries[0].value.value.bytes = amqp::bytes("event");
  entries[1] = {amqp::bytes("nuropb_protocol"), {AMQP_FIELD_KIND_I32, {}}};
  entries[1].value.value.i32 = 1;
  entries[2] = {amqp::bytes("trace_id"), {AMQP_FIELD_KIND_VOID, {}}};
  amqp_basic_properties_t p{};
  p._flags = AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG;
  p.headers = {3, entries};
  p.correlation_id = amqp::bytes("c");
  const auto got = received_properties(p);
  EXPECT_EQ(got.headers.size(), 1u);
  EXPECT_EQ(got.headers.at("nuropb_type"), "event");
  EXPECT_EQ(got.correlation_id, "c");
  EXPECT_EQ(got.reply_to, "") << "its flag is not set";
}

TEST(Wire, WhatIsPublishedIsWhatPeersExpect) {
  Outgoing request;
  request.type = MessageType::request;
  request.correlation_id = "c";
  request.trace_id = "t";
  request.priority = 3;
  const auto p = to_properties(request, "rq", "1500");
  EXPECT_EQ(p.reply_to, "rq");
  EXPECT_EQ(p.expiration, "1500");
  EXPECT_EQ(p.priority, 3);
  ASSERT_EQ(p.headers.size(), 5u);
  EXPECT_EQ(p.headers[0], (std::pair<std::string_view, std::string_view>{"nuropb_protocol", "0.1.1"}));
  EXPECT_EQ(p.headers[2].second, "request");
  EXPECT_EQ(p.headers[4], (std::pair<std::string_view, std::string_view>{"encrypted", ""}));
  request.type = MessageType::event;
  EXPECT_EQ(to_properties(request, "rq", "1500").reply_to, "");
  EXPECT_EQ(to_properties(request, "rq", "1500").expiration, "");
}

}  // namespace
}  // namespace nuropb::mesh
