#include "meshd/snorky/value.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd::snorky {
namespace {

TEST(SnorkyValue, EqualValuesHaveOneSpelling) {
  const std::pair<const char*, const char*> equal[] = {
      {"1", "1.0"},
      {"1", "10e-1"},
      {"1", "0.1E+1"},
      {"100", "1e2"},
      {"0", "-0"},
      {"0", "0.000e9"},
      {"-12.5", "-1250e-2"},
      {"123456789012345678901234567890", "1.2345678901234567890123456789e29"},
      {R"("a")", R"("\u0061")"},
      {R"("\/")", R"("/")"},
      {R"("é")", R"("\u00e9")"},
      {R"("\n")", R"("\u000A")"},
      {R"({"a":1,"b":[2,null]})", " { \"b\" : [ 2.0 , null ] , \"\\u0061\" : 1 } "},
      {R"({"a":1,"a":2})", R"({"a":2})"},
      {"[]", "[ ]"},
      {"{}", "{\n}"},
      {" true ", "true"},
  };
  for (const auto& [one, other] : equal) EXPECT_EQ(canonical(one), canonical(other)) << one << " and " << other;
}

TEST(SnorkyValue, DifferentOnesDont) {
  const std::pair<const char*, const char*> different[] = {
      {"1", "true"},
      {"0", "false"},
      {"null", R"("null")"},
      {"1", R"("1")"},
      {"[1]", "1"},
      {"[1,2]", "[2,1]"},
      {"[[1],2]", "[[1,2]]"},
      {"{}", "[]"},
      {R"({"a":1})", R"({"a":1,"b":null})"},
      {"1", "-1"},
      {"10", "1"},
      {R"("a,b")", R"(["a","b"])"},
      {"123456789012345678901234567890", "123456789012345678901234567891"},
      {"0.1", "0.10000000000000000001"},
      {R"("\"")", R"("\\")"},
  };
  for (const auto& [one, other] : different) EXPECT_NE(canonical(one), canonical(other)) << one << " and " << other;
}

TEST(SnorkyValue, TheSpellingIsJsonAndStaysWhatItIs) {
  for (const char* const raw : {"1e400", "-0.00125", "1e99999999999999999999",
                                R"({"b":"\u0000\ud800","a":[{},[[]],"}],\\"]})", R"("")", "1000000000000000000000"}) {
    const std::string once = canonical(raw);
    EXPECT_FALSE(json::validate(once)) << once;
    EXPECT_EQ(canonical(once), once);
  }
  EXPECT_EQ(canonical("1500e-3"), "15e-1");
  EXPECT_EQ(canonical("20.0"), "20");
}

TEST(SnorkyValue, PatternsSeeTheTextOfAString) {
  EXPECT_EQ(as_text(R"("chat\/1")"), "chat/1");
  EXPECT_EQ(as_text(R"(["a", 1.0])"), R"(["a",1])");
}

TEST(SnorkyValue, ParamsAreExactlyThoseNamed) {
  json::Slice channel, message;
  const auto both = [&](std::string_view params) {
    return bind(params, {{"channel", &channel}, {"message", &message}});
  };
  ASSERT_TRUE(both(R"( {"message" : {"a":[1,"}"]} , "chan\u006eel":"x"} )"));
  EXPECT_EQ(channel.text, "\"x\"");
  EXPECT_EQ(channel.kind, json::Kind::string);
  EXPECT_EQ(message.text, R"({"a":[1,"}"]})");
  for (const char* const wrong : {"null", "7", "[]", R"(["channel","message"])", "{}", R"({"channel":1})",
                                  R"({"channel":1,"message":2,"more":3})", "\"channel\""}) {
    EXPECT_FALSE(both(wrong)) << wrong;
  }
  ASSERT_TRUE(both(R"({"channel":1,"message":2,"channel":3})"));
  EXPECT_EQ(channel.text, "3") << "the last one, as in Python";
  EXPECT_TRUE(bind("{}", {}));
  EXPECT_TRUE(bind(R"({"channel":1})", {{"channel", &channel}}, {{"message", &message}}));
  EXPECT_FALSE(message.present()) << "what was bound before is gone";
}

}  // namespace
}  // namespace nuropb::meshd::snorky
