#include "edge/protocol/client_message.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace nuropb::edge {
namespace {

ClientMessage decode(std::string_view text) { return decode_client_message(text, {64}); }

TEST(ClientMessage, ARequestIsCutUp) {
  const std::string text =
      R"({"type":"request","payload":{"service":"s","method":"m\u00e9","params":{"a": [1, 2.50]},"trace_id":"t","ttl":250,"idempotent":true}})";
  const auto message = decode(text);
  const auto* request = std::get_if<ClientRequest>(&message);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->service, "s");
  EXPECT_EQ(request->method, "m\xc3\xa9");
  EXPECT_EQ(request->params, "{\"a\": [1, 2.50]}");
  EXPECT_EQ(request->trace_id, "\"t\"");
  EXPECT_EQ(request->ttl_ms, 250u);
  EXPECT_TRUE(request->idempotent);
}

/// .NET's writers begin each text with a byte order mark.
TEST(ClientMessage, AByteOrderMarkBeforeItIsLeftOut) {
  const auto message = decode(
      "\xef\xbb\xbf"
      R"({"type":"request","payload":{"service":"s","method":"m","params":1}})");
  ASSERT_TRUE(std::holds_alternative<ClientRequest>(message));
  EXPECT_EQ(std::get<ClientRequest>(message).params, "1");
  EXPECT_TRUE(std::holds_alternative<ClientMistake>(decode("\xef\xbb\xbf")));
  EXPECT_TRUE(std::holds_alternative<ClientMistake>(decode("\xef\xbb\xbf\xef\xbb\xbf{}")));
}

TEST(ClientMessage, ATtlOfAnySizeIsOne) {
  for (const char* ttl : {"9223372036854775807", "1e30", "18446744073709551616"}) {
    const auto message = decode(
        std::string(R"({"type":"request","payload":{"service":"s","method":"m","params":1,"ttl":)") + ttl + "}}");
    ASSERT_TRUE(std::holds_alternative<ClientRequest>(message)) << ttl;
    EXPECT_EQ(std::get<ClientRequest>(message).ttl_ms, 1ULL << 53) << ttl;
  }
}

TEST(ClientMessage, ATraceparentThatIsNoneIsIgnored) {
  const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto with = [](const std::string& raw) {
    const std::string text =
        R"({"type":"request","payload":{"service":"s","method":"m","params":{},"traceparent":)" + raw + "}}";
    const auto message = decode(text);
    return std::holds_alternative<ClientRequest>(message) ? std::get<ClientRequest>(message).traceparent : "mistake";
  };
  EXPECT_EQ(with("\"" + parent + "\""), parent);
  EXPECT_EQ(with("\"\\u0030" + parent.substr(1) + "\""), parent);
  EXPECT_EQ(with("\"cc" + parent.substr(2) + "-later\""), parent);
  for (const char* none : {"null", "7", "\"\"", "\"00-x\"", "[]"}) EXPECT_EQ(with(none), "") << none;
}

TEST(ClientMessage, TraceIdMayBeAnythingOrNothing) {
  for (const char* trace : {"7", "null", "{\"a\":1}", "\"\"", "1208925819614629174706176"}) {
    const std::string text =
        std::string(R"({"type":"request","payload":{"service":"s","method":"m","params":null,"trace_id":)") + trace +
        "}}";
    const auto message = decode(text);
    const auto* request = std::get_if<ClientRequest>(&message);
    ASSERT_TRUE(request) << trace;
    EXPECT_EQ(request->trace_id, trace);
    EXPECT_EQ(request->params, "null") << "the service validates it";
  }
  const auto message = decode(R"({"type":"request","payload":{"service":"s","method":"m","params":{}}})");
  ASSERT_TRUE(std::holds_alternative<ClientRequest>(message));
  EXPECT_EQ(std::get<ClientRequest>(message).trace_id, "");
}

TEST(ClientMessage, MistakesInTheWordsOfNuropbGw) {  // provokes: KeyError, AttributeError
  struct Row {
    std::string text, error, description, trace_id;
  };
  const std::string head = R"({"type":"request","payload":{)";
  const std::string decoding = "Error decoding JSON: ";
  const Row rows[] = {
      {"{nope", "JSONDecodeError", decoding + "Expecting property name enclosed in double quotes: byte 1", ""},
      {"", "JSONDecodeError", decoding + "Expecting value: byte 0", ""},
      {"[1]", "AttributeError", decoding + "'list' object has no attribute 'get'", ""},
      {"\"x\"", "AttributeError", decoding + "'str' object has no attribute 'get'", ""},
      {"null", "AttributeError", decoding + "'NoneType' object has no attribute 'get'", ""},
      {R"({"type":"request","payload":[]})", "AttributeError", decoding + "'list' object has no attribute 'get'", ""},
      {head + R"("trace_id":"t"}})", "KeyError", decoding + "'service'", "\"t\""},
      {head + R"("service":"s","trace_id":7}})", "KeyError", decoding + "'method'", "7"},
      {head + R"("service":"s","method":"m"}})", "KeyError", decoding + "'params'", ""},
      {R"({"payload":{"trace_id":"t"}})", "NuropbValidationError", "Message type is not defined", "\"t\""},
      {R"({"type":"request"})", "NuropbValidationError", "Message payload is not defined", ""},
      {R"({"type":"commands","payload":{"trace_id":"t"}})", "NuropbValidationError",
       "Unknown message type \"commands\"", "\"t\""},
      {R"({"type":1,"payload":{}})", "NuropbValidationError", "Unknown message type 1", ""},
      {head + R"("service":1,"method":"m","params":{}}})", "NuropbValidationError", "'service' is not a string", ""},
      {head + R"("service":"","method":"m","params":{}}})", "NuropbValidationError", "'service' is empty", ""},
      {head + R"("service":"s","method":")" + std::string(256, 'm') + R"(","params":{}}})", "NuropbValidationError",
       "'method' is longer than 255 bytes", ""},
      {head + R"("service":"s","method":"m","params":{},"idempotent":1}})", "NuropbValidationError",
       "'idempotent' is neither true nor false", ""},
      {head + R"("service":"s","method":"m","params":{},"ttl":-1}})", "NuropbValidationError",
       "'ttl' is not a whole number of milliseconds", ""},
      {head + R"("service":"s","method":"m","params":{},"ttl":1.5}})", "NuropbValidationError",
       "'ttl' is not a whole number of milliseconds", ""},
      {head + R"("service":"s","method":"m","params":{},"ttl":"1"}})", "NuropbValidationError",
       "'ttl' is not a whole number of milliseconds", ""},
      {head + R"("service":"s","method":"m","params":{},"trace_id":")" + std::string(1100, 't') + R"("}})",
       "NuropbValidationError", "'trace_id' is longer than 1024 bytes", ""},
  };
  for (const Row& row : rows) {
    const auto message = decode(row.text);
    const auto* mistake = std::get_if<ClientMistake>(&message);
    ASSERT_TRUE(mistake) << row.text;
    EXPECT_EQ(mistake->error, row.error) << row.text;
    EXPECT_EQ(mistake->description, row.description) << row.text;
    EXPECT_EQ(mistake->trace_id, row.trace_id) << row.text;
    EXPECT_EQ(mistake->of_request, row.description.starts_with("'"))
        << row.text;  // it names a member of a complete request
  }
}

TEST(ClientMessage, TheOtherVerbs) {
  const auto of = [](std::string_view text) {
    const auto message = decode_client_message(text, {});
    EXPECT_TRUE(std::holds_alternative<ClientRequest>(message)) << text;
    return std::holds_alternative<ClientRequest>(message) ? std::get<ClientRequest>(message) : ClientRequest{};
  };
  using records::Type;
  EXPECT_EQ(of(R"({"type":"command","payload":{"service":"s","method":"m","params":{}}})").verb, Type::command);
  const auto describe = of(R"({"type":"describe","payload":{"service":"s","method":7}})");
  EXPECT_EQ(describe.verb, Type::describe);
  EXPECT_EQ(describe.method, "") << "it has none, whatever is said";
  const auto event =
      of(R"({"type":"event","payload":{"topic":"a.b","event":{"x":1},"target":["ann"],"trace_id":"t"}})");
  EXPECT_EQ(event.verb, Type::event);
  EXPECT_EQ(event.topic, "a.b");
  EXPECT_EQ(event.params, R"({"x":1})");
  EXPECT_EQ(event.target, R"(["ann"])");
  EXPECT_EQ(of(R"({"type":"event","payload":{"topic":"a","event":null}})").target, "null");
  EXPECT_EQ(of(R"({"type":"subscribe","payload":{"topic":"a.#"}})").topic, "a.#");
  EXPECT_EQ(of(R"({"type":"authorize","payload":{"token":"t.x"}})").token, "t.x");
  EXPECT_EQ(of(R"({"type":"authorize","payload":{"token":"t.x"}})").verb, Type::authorize);
  const auto keep = of(R"({"type":"resume","payload":{}})");
  EXPECT_EQ(keep.verb, Type::resume);
  EXPECT_TRUE(keep.token.empty() && !keep.ack);
  EXPECT_EQ(of(R"({"type":"resume","payload":{"token":"t","seq":9007199254740991}})").seq, 9007199254740991u);
  EXPECT_TRUE(of(R"({"type":"ack","payload":{"seq":3}})").ack);
  EXPECT_EQ(of(R"({"type":"unsubscribe","payload":{"topic":"a.#"}})").verb, Type::unsubscribe);

  const auto mistake = [](std::string_view text) {
    const auto message = decode_client_message(text, {});
    return std::holds_alternative<ClientMistake>(message) ? std::get<ClientMistake>(message).description : "none";
  };
  EXPECT_EQ(mistake(R"({"type":"describe","payload":{}})"), "Error decoding JSON: 'service'");
  EXPECT_EQ(mistake(R"({"type":"command","payload":{"service":"s","params":{}}})"), "Error decoding JSON: 'method'");
  EXPECT_EQ(mistake(R"({"type":"event","payload":{"topic":"a"}})"), "Error decoding JSON: 'event'");
  EXPECT_EQ(mistake(R"({"type":"event","payload":{"topic":"a","event":1,"target":"ann"}})"),
            "'target' is neither null nor a list of user ids");
  EXPECT_EQ(mistake(R"({"type":"subscribe","payload":{"topic":""}})"), "'topic' is empty");
  EXPECT_EQ(mistake(R"({"type":"authorize","payload":{"token":""}})"), "'token' is empty");
  EXPECT_EQ(mistake(R"({"type":"authorize","payload":{"token":7}})"), "'token' is not a string");
  EXPECT_EQ(mistake(R"({"type":"resume","payload":{"token":7,"seq":1}})"), "'token' is not a string");
  EXPECT_EQ(mistake(R"({"type":"resume","payload":{"token":"","seq":1}})"), "'token' is empty");
  EXPECT_EQ(mistake(R"({"type":"resume","payload":{"token":"t","seq":-1}})"), "'seq' is not a whole number");
  EXPECT_EQ(mistake(R"({"type":"resume","payload":{"token":"t"}})"), "Error decoding JSON: 'seq'");
  EXPECT_EQ(mistake(R"({"type":"ack","payload":{"seq":"3"}})"), "'seq' is not a whole number");
  EXPECT_EQ(
      mistake(R"({"type":"authorize","payload":{"token":")" + std::string(records::max_credential + 1, 'x') + "\"}}"),
      "'token' is longer than 16 KiB");
  EXPECT_EQ(mistake(R"({"type":"subscribe","payload":{"topic":[]}})"), "'topic' is not a string");
}

TEST(ClientMessage, EventsForConsumers) {
  EXPECT_EQ(encode_event({"a.b", R"({"x":1})", "", "null"}),
            R"({"type":"event","payload":{"topic":"a.b","event":{"x":1}}})");
  EXPECT_EQ(encode_event({"a\"", "1", R"({"c":1})", R"(["ann"])"}),
            R"({"type":"event","payload":{"topic":"a\"","event":1,"context":{"c":1},"target":["ann"]}})");
}

TEST(ClientMessage, DepthIsLimited) {
  const auto message = decode(R"({"type":"request","payload":{"service":"s","method":"m","params":)" +
                              std::string(100, '[') + std::string(100, ']') + "}}");
  ASSERT_TRUE(std::holds_alternative<ClientMistake>(message));
  EXPECT_NE(std::get<ClientMistake>(message).description.find("Nested too deeply"), std::string::npos);
}

TEST(ClientMessage, WhatGoesOut) {
  EXPECT_EQ(encode_mistake({"E", "say \"d\"", ""}), R"({"error":"E","description":"say \"d\""})");
  EXPECT_EQ(encode_mistake({"E", "d", "7"}), R"({"error":"E","description":"d","trace_id":7})");
  EXPECT_EQ(encode_mistake({"E", "d", "7", true}),
            R"({"type":"response","payload":{"trace_id":7,"result":null,"error":{"error":"E","description":"d"}}})");
  EXPECT_EQ(encode_mistake({"E", "d", "", true}),
            R"({"type":"response","payload":{"trace_id":null,"result":null,"error":{"error":"E","description":"d"}}})");
  EXPECT_EQ(
      encode_hello("ab", "ann\"", "null"),
      R"({"type":"event","payload":{"topic":"hello","event":{"session_id":"ab","user_id":"ann\"","username":null}}})");
  std::string out = "left over";
  encode_response(out, "\"t\"", "[1]", "null");
  EXPECT_EQ(out, R"({"type":"response","payload":{"trace_id":"t","result":[1],"error":null}})");
}

}  // namespace
}  // namespace nuropb::edge
