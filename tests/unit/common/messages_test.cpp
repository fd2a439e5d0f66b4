#include "common/messages.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace nuropb {
namespace {

// As the Python peer (nuropb 0.1.8) wrote them.
constexpr const char* python_request =
    R"({"tag": "request", "service": "probe", "method": "secret", "params": {"q": 1, "u": "\u00e9\u2713"}, "correlation_id": "f985036a41fd4e7ea48ca9c101788487", "context": {"user_id": "u1"}, "trace_id": "enc"})";
constexpr const char* python_response =
    R"({"tag": "response", "result": {"secret": {"q": 1}}, "error": null, "correlation_id": "f985036a41fd4e7ea48ca9c101788487", "trace_id": "enc", "context": {}, "warning": null, "reply_to": "rq"})";

TEST(Messages, APythonRequestIsUnderstood) {
  const auto call = decode_call(python_request, MessageType::request);
  ASSERT_TRUE(call) << call.error().text();
  EXPECT_EQ(call->service, "probe");
  EXPECT_EQ(call->method, "secret");
  EXPECT_EQ(call->params, R"({"q": 1, "u": "\u00e9\u2713"})");
  EXPECT_EQ(call->context, R"({"user_id": "u1"})");
  EXPECT_EQ(call->trace_id, "\"enc\"");
  EXPECT_EQ(call->correlation_id, "f985036a41fd4e7ea48ca9c101788487");
}

TEST(Messages, APythonResponseIsUnderstood) {
  const auto response = decode_response(python_response);
  ASSERT_TRUE(response) << response.error().text();
  EXPECT_EQ(response->result, R"({"secret": {"q": 1}})");
  EXPECT_EQ(response->error, "null");
  EXPECT_EQ(response->reply_to, "rq");
}

TEST(Messages, WhatWeWriteIsWhatThePeerWrites) {
  const auto call = decode_call(python_request, MessageType::request);
  EXPECT_EQ(nlohmann::ordered_json::parse(encode_call(MessageType::request, *call)).dump(),
            nlohmann::ordered_json::parse(python_request).dump());
  const auto response = decode_response(python_response);
  EXPECT_EQ(nlohmann::ordered_json::parse(encode_response(*response)).dump(),
            nlohmann::ordered_json::parse(python_response).dump());
}

TEST(Messages, EventsGoThrough) {
  const EventBody event{"a.b", "[1,\"x\"]", "{\"k\":1}", "c", "\"t\"", "[\"ann\"]"};
  const std::string text = encode_event(event);
  const auto decoded = decode_event(text);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->topic, "a.b");
  EXPECT_EQ(decoded->event, "[1,\"x\"]");
  EXPECT_EQ(decoded->target, "[\"ann\"]");
}

TEST(Messages, AreWrittenAsThePeerWritesThem) {
  EXPECT_EQ(
      encode_call(MessageType::command, {"s", "m", R"({"a":1})", "c", "", ""}),
      R"({"tag":"command","service":"s","method":"m","params":{"a":1},"correlation_id":"c","context":{},"trace_id":null})");
  EXPECT_EQ(encode_event({"t", "1", "", "c", "", ""}),
            R"({"tag":"event","topic":"t","event":1,"context":{},"trace_id":null,"correlation_id":"c","target":null})");
  EXPECT_EQ(
      encode_response({"[]", "", "c", "\"t\"", "", "", "q"}),
      R"({"tag":"response","result":[],"error":null,"correlation_id":"c","trace_id":"t","context":{},"warning":null,)"
      R"("reply_to":"q"})");
}

TEST(Messages, TextsThatGrowWhenTheyAreQuotedHaveRoom) {
  for (std::size_t size = 0; size < 1000; ++size) {
    const std::string text(size, '\x01');
    const auto call = nlohmann::json::parse(encode_call(MessageType::request, {text, text, "{}", text, "", ""}));
    EXPECT_EQ(call["service"], text);
    EXPECT_EQ(call["correlation_id"], text);
    EXPECT_TRUE(call["trace_id"].is_null());
    EXPECT_EQ(error_json(text, text),
              "{\"error\":" + json::quoted(text) + ",\"description\":" + json::quoted(text) + "}");
  }
}

TEST(Messages, WhatAPeerMayLeaveOutIsFilledIn) {
  const auto call =
      decode_call(R"({"service":"s","method":"m","params":null,"context":null,"trace_id":null})", MessageType::command);
  ASSERT_TRUE(call) << call.error().text();
  EXPECT_EQ(call->params, "{}");
  EXPECT_EQ(call->context, "{}");
  EXPECT_EQ(call->trace_id, "null");
  const auto response = decode_response("{}");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->result, "null");
  EXPECT_EQ(response->error, "null");
}

TEST(Messages, TextsWithEscapesStayWithWhatWasRead) {
  std::string text = R"({"service":"a\u0062","method":"\"m\"","correlation_id":"plain","params":{}})";
  auto read = decode_call(text, MessageType::request);
  ASSERT_TRUE(read);
  const auto call = std::move(*read);  // short ones, which std::string stores inline
  EXPECT_EQ(call.service, "ab");
  EXPECT_EQ(call.method, "\"m\"");
  EXPECT_EQ(call.correlation_id, "plain");
}

TEST(Messages, AMistakeIsNamed) {
  struct Row {
    const char* text;
    const char* part;
  };
  for (const Row& row :
       {Row{"{", "byte"}, Row{"[]", "object"}, Row{R"({"method":"m"})", "'service' is missing"},
        Row{R"({"service":1,"method":"m"})", "'service' is not a string"}, Row{R"({"service":"s"})", "'method'"},
        Row{R"({"service":"s","method":"m","params":[1]})", "'params'"},
        Row{R"({"service":"s","method":"m","context":"x"})", "'context'"},
        Row{R"({"tag":"event","service":"s","method":"m"})", "'tag'"}}) {
    const auto call = decode_call(row.text, MessageType::request);
    ASSERT_FALSE(call) << row.text;
    EXPECT_NE(call.error().text().find(row.part), std::string::npos) << call.error().text();
  }
  EXPECT_FALSE(decode_response(R"({"error":"text"})"));
  EXPECT_FALSE(decode_response(R"({"error":[]})"));
  EXPECT_FALSE(decode_event(R"({"topic":"t","target":"x"})"));
  EXPECT_FALSE(decode_event(R"({"event":1})"));
}

TEST(Messages, ErrorsAsClientsGetThem) {
  EXPECT_EQ(error_json("NuropbHandlingError", "say \"no\""),
            R"({"error":"NuropbHandlingError","description":"say \"no\""})");
  EXPECT_EQ(unknown_outcome_json("x"), R"({"error":"NuropbTransportError","description":"x","outcome":"unknown"})");
}

TEST(Messages, TypesHaveTheirWords) {
  for (const auto type : {MessageType::request, MessageType::command, MessageType::event, MessageType::response})
    EXPECT_EQ(message_type(to_text(type)), type);
  EXPECT_FALSE(message_type("reply"));
}

}  // namespace
}  // namespace nuropb
