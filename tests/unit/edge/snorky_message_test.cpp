#include "edge/protocol/snorky_message.hpp"

#include <gtest/gtest.h>

namespace nuropb::edge {
namespace {

SnorkyMistake mistake(std::string_view text) {
  const auto message = decode_snorky(text, {16});
  const auto* const found = std::get_if<SnorkyMistake>(&message);
  EXPECT_TRUE(found) << text;
  return found ? *found : SnorkyMistake{};
}

TEST(SnorkyMessage, ACallIsSlicedOutOfItsEnvelope) {
  const std::string text =
      R"( {"more":1,"message":{"callId": {"n":[1]} ,"params":[ 7 ],"command":"subscr\u0069be"},"service":"pub\"sub"} )";
  const auto message = decode_snorky(text, {16});
  const auto* const call = std::get_if<SnorkyRequest>(&message);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->service, "pub\"sub");
  EXPECT_EQ(call->command, "subscribe");
  EXPECT_EQ(call->call_id, R"({"n":[1]})");
  EXPECT_EQ(call->params, "[ 7 ]");
}

TEST(SnorkyMessage, MistakesSayWhatIsWrongAndWhoseTheyAre) {
  const std::tuple<std::string, const char*, const char*, const char*> wrong[] = {
      {"", "Invalid JSON", "", ""},
      {"{", "Invalid JSON", "", ""},
      {"\xff", "Invalid JSON", "", ""},
      {std::string(20, '['), "Invalid JSON", "", ""},
      {"7", "not an object", "", ""},
      {"{}", "no 'service'", "", ""},
      {R"({"service":null,"message":{}})", "'service' is not a string", "", ""},
      {R"({"service":"","message":{}})", "'service' is empty", "", ""},
      {"{\"service\":\"" + std::string(256, 's') + "\"}", "longer than 255", "", ""},
      {R"({"service":"s"})", "no 'message'", "s", ""},
      {R"({"service":"s","message":"m"})", "'message' is not an object", "s", ""},
      {R"({"service":"s","message":{"callId":1}})", "no 'command'", "s", "1"},
      {R"({"service":"s","message":{"callId":null,"command":"c"}})", "no 'params'", "s", "null"},
      {R"({"service":"s","message":{"command":7,"params":{},"callId":"i"}})", "Unknown command", "s", "\"i\""},
      {R"({"service":"s","message":{"command":"","params":{}}})", "Unknown command", "s", ""},
      {"{\"service\":\"s\",\"message\":{\"command\":\"c\",\"params\":{},\"callId\":\"" + std::string(1023, 'i') +
           "\"}}",
       "'callId' is longer", "s", ""},
  };
  for (const auto& [text, what, service, call_id] : wrong) {
    const SnorkyMistake found = mistake(text);
    EXPECT_NE(found.text.find(what), std::string::npos) << text << " → " << found.text;
    EXPECT_EQ(found.service, service) << text;
    EXPECT_EQ(found.call_id, call_id) << text;
  }
}

TEST(SnorkyMessage, ErrorsAreEnvelopes) {
  EXPECT_EQ(encode_snorky_error("s", "7", "a \"b\""),
            R"({"service":"s","message":{"type":"error","callId":7,"message":"a \"b\""}})");
  EXPECT_EQ(encode_snorky_error("", "", "x"),
            R"({"service":"gateway","message":{"type":"error","callId":null,"message":"x"}})");
}

}  // namespace
}  // namespace nuropb::edge
