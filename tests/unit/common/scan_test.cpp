#include "common/json/scan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>
#include <random>

#include "common/json/plain_ascii.hpp"

namespace nuropb::json {
namespace {

bool good(std::string_view text, Limits limits = {}) { return !validate(text, nullptr, limits); }

TEST(Scan, AcceptsWhatRfc8259Accepts) {
  for (const char* text : {"null",
                           "true",
                           "false",
                           "0",
                           "-0",
                           "1",
                           "-1",
                           "10",
                           "1.5",
                           "0.1",
                           "1e5",
                           "1E+5",
                           "1e-5",
                           "-1.5e10",
                           "123456789012345678901234567890",
                           "1e999999",
                           "\"\"",
                           "\"a\"",
                           "\"\\u00e9\\n\\/\\\"\\\\\"",
                           "\"\xc3\xa9\"",
                           "\"\xf0\x9f\x98\x80\"",
                           "\"\\ud83d\"",
                           "\"\\udc00\"",
                           "[]",
                           "[1]",
                           "[1,2]",
                           "{}",
                           "{\"a\":1}",
                           "{\"a\":1,\"a\":2}",
                           " \t\r\n{ \"a\" : [ 1 , { } ] } \n",
                           "\"\x7f\"",
                           "[[[]]]",
                           "{\"\":\"\"}"}) {
    EXPECT_TRUE(good(text)) << text;
  }
}

TEST(Scan, RefusesEverythingElse) {
  for (const char* text : {"",
                           " ",
                           "nul",
                           "nulll",
                           "True",
                           "tru",
                           "01",
                           "-",
                           "-01",
                           "+1",
                           ".5",
                           "1.",
                           "1.e5",
                           "1e",
                           "1e+",
                           "0x10",
                           "1_0",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "\"",
                           "\"a",
                           "'a'",
                           "\"\n\"",
                           "\"\t\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\",
                           "\"\xff\"",
                           "\"\xc3\"",
                           "\"\xc0\x80\"",
                           "\"\xed\xa0\x80\"",
                           "\"\xf4\x90\x80\x80\"",
                           "\"\xf8\x88\x80\x80\x80\"",
                           "\"\xe0\x80\x80\"",
                           "\"\xf0\x80\x80\x80\"",
                           "\"\x80\"",
                           "[",
                           "]",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,]",
                           "[1 2]",
                           "{",
                           "}",
                           "{\"a\"",
                           "{\"a\":",
                           "{\"a\":1",
                           "{\"a\":1,",
                           "{\"a\":1,}",
                           "{,}",
                           "{a:1}",
                           "{1:1}",
                           "{\"a\" 1}",
                           "{\"a\":1 \"b\":2}",
                           "[}",
                           "{]",
                           "1 2",
                           "{} {}",
                           "[]x",
                           "\xef\xbb\xbf{}",
                           "/**/1",
                           "[1]//x"}) {
    EXPECT_FALSE(good(text)) << text;
  }
  EXPECT_FALSE(good(std::string_view("1\0", 2)));
  EXPECT_FALSE(good(std::string_view("\"\0\"", 3)));
}

TEST(Scan, EveryTruncationIsRefused) {
  const std::string text = "{\"a\":[1,2.5e3,\"x\\u00e9\xc3\xa9\",null,true],\"b\":{\"c\":false}}";
  ASSERT_TRUE(good(text));
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(good(std::string_view(text).substr(0, size))) << size;
}

TEST(Scan, SaysWhereAndWhat) {
  const auto problem = validate("{\"a\": tru}");
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->offset, 6u);
  EXPECT_EQ(problem->text(), "Expecting value: byte 6");
}

TEST(Scan, DepthHasItsLimitToTheLevel) {
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_TRUE(good(nested(5), {5}));
  EXPECT_FALSE(good(nested(6), {5}));
  EXPECT_TRUE(good(nested(1024), {1'000'000}));
  EXPECT_FALSE(good(nested(1025), {1'000'000})) << "the stack's own bound";
  EXPECT_FALSE(good(std::string(10'000'000, '[')));
  std::string objects;
  for (int i = 0; i < 300; ++i) objects += "{\"a\":";
  EXPECT_FALSE(good(objects + "1" + std::string(300, '}')));
}

TEST(Scan, SlicesAreTheTextItself) {
  const std::string text = R"( {"x":1,"payload":{"service":"s","params": {"a":[1, 2]} ,"n":null},"type":"request"} )";
  std::array<Field, 3> payload{{{"params"}, {"service"}, {"missing"}}};
  std::array<Field, 3> fields{{{"type"}, {"payload", {}, payload}, {"absent"}}};
  Slice root;
  ASSERT_FALSE(scan(text, fields, &root));
  EXPECT_EQ(root.kind, Kind::object);
  EXPECT_EQ(fields[0].value.text, "\"request\"");
  EXPECT_EQ(fields[0].value.kind, Kind::string);
  EXPECT_EQ(fields[1].value.kind, Kind::object);
  EXPECT_EQ(payload[0].value.text, "{\"a\":[1, 2]}");
  EXPECT_EQ(payload[1].value.text, "\"s\"");
  EXPECT_FALSE(payload[2].value.present());
  EXPECT_FALSE(fields[2].value.present());
  EXPECT_GE(payload[0].value.text.data(), text.data());
}

TEST(Scan, OnlyMembersOfTheRightObjectCount) {
  std::array<Field, 1> inner{{{"b"}}};
  std::array<Field, 2> fields{{{"a", {}, inner}, {"b"}}};
  ASSERT_FALSE(scan(R"({"z":{"b":1,"a":{"b":2}},"a":[{"b":3}],"y":[{"a":{"b":4}}]})", fields));
  EXPECT_EQ(fields[0].value.kind, Kind::array);
  EXPECT_FALSE(inner[0].value.present());
  EXPECT_FALSE(fields[1].value.present());
  ASSERT_FALSE(scan(R"({"a":{"c":{"b":1},"b":5}})", fields));
  EXPECT_EQ(inner[0].value.text, "5");
}

TEST(Scan, WhereANameStandsTwiceTheLastOneWinsWhole) {
  std::array<Field, 2> inner{{{"x"}, {"y"}}};
  std::array<Field, 1> fields{{{"a", {}, inner}}};
  ASSERT_FALSE(scan(R"({"a":{"x":1,"y":2},"a":{"y":3}})", fields));
  EXPECT_FALSE(inner[0].value.present());
  EXPECT_EQ(inner[1].value.text, "3");
  ASSERT_FALSE(scan(R"({"a":{"x":1},"a":7})", fields));
  EXPECT_EQ(fields[0].value.text, "7");
  EXPECT_FALSE(inner[0].value.present());
}

TEST(Scan, NothingIsLeftInsideAMemberThatCameAgainAsSomethingElse) {
  std::array<Field, 1> deepest{{{"p"}}};
  std::array<Field, 2> inner{{{"x", {}, deepest}, {"y"}}};
  std::array<Field, 1> fields{{{"a", {}, inner}}};
  for (const char* second :
       {"[7]", "7", "null", "{\"y\":3}", "{\"x\":[]}", "{\"x\":{}}", "{\"x\":{\"p\":1},\"x\":2}"}) {
    const std::string text = std::string("{\"a\":{\"x\":{\"p\":1},\"y\":2},\"a\":") + second + "}";
    ASSERT_FALSE(scan(text, fields)) << text;
    EXPECT_EQ(fields[0].value.text, std::string_view(second).substr(0, fields[0].value.text.size())) << text;
    EXPECT_FALSE(deepest[0].value.present()) << text;
    const auto again = nlohmann::json::parse(text)["a"];
    for (const Field& field : inner) {
      const bool there = again.is_object() && again.contains(field.name);
      ASSERT_EQ(field.value.present(), there) << text << " " << field.name;
      if (there) { EXPECT_EQ(field.value.text, again[std::string(field.name)].dump()) << text; }
    }
  }
}

TEST(Scan, WantedMembersNestEightLevelsDeep) {
  std::array<std::array<Field, 1>, 9> levels;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    levels[i] = {{{"a"}}};
    if (i > 0) levels[i - 1][0].members = levels[i];
  }
  std::string text = "[1]";
  for (std::size_t i = 0; i < levels.size(); ++i) text = "{\"a\":" + text + "}";
  ASSERT_FALSE(scan(text, levels[0]));
  for (std::size_t i = 0; i < 8; ++i) EXPECT_TRUE(levels[i][0].value.present()) << i;
  EXPECT_EQ(levels[7][0].value.text, "{\"a\":[1]}");
  EXPECT_FALSE(levels[8][0].value.present());
}

/// A requested member at every position among others, with and without white space around it.
TEST(Scan, ASliceIsTheSameWhereverItStands) {
  const std::string others[] = {"\"k\":[{\"w\":0}]", "\"w2\":\"w\"", "\"\":{\"w\":{\"w\":1}}", "\"v\":-1.5e+3"};
  for (const std::string value : {"null", "true", "-0.5e1", "\"\\\"}\"", "[]", "{}", "[1,{\"w\":2}]", "{\"w\":[3]}"}) {
    for (const std::string space : {"", " ", "\n\t \r"}) {
      for (std::size_t place = 0; place <= std::size(others); ++place) {
        std::string text = "{" + space;
        for (std::size_t i = 0; i <= std::size(others); ++i) {
          if (i > 0) text += "," + space;
          text += i == place ? "\"w\"" + space + ":" + space + value + space : others[i < place ? i : i - 1] + space;
        }
        text += "}" + space;
        std::array<Field, 1> fields{{{"w"}}};
        ASSERT_FALSE(scan(text, fields)) << text;
        ASSERT_EQ(fields[0].value.text, value) << text;
        ASSERT_GE(fields[0].value.text.data(), text.data());
        ASSERT_LE(fields[0].value.text.data() + value.size(), text.data() + text.size());
      }
    }
  }
}

TEST(Scan, ANameWrittenWithEscapesIsTheSameName) {
  std::array<Field, 1> fields{{{"type"}}};
  ASSERT_FALSE(scan(R"({"t\u0079pe":1})", fields));
  EXPECT_EQ(fields[0].value.text, "1");
}

TEST(Scan, AnEarlierScanLeavesNothingBehind) {
  std::array<Field, 1> fields{{{"a"}}};
  ASSERT_FALSE(scan(R"({"a":1})", fields));
  ASSERT_FALSE(scan(R"({"b":1})", fields));
  EXPECT_FALSE(fields[0].value.present());
}

TEST(Text, UnescapeAndQuoteAreInverse) {
  const std::string texts[] = {
      "", "plain", "q\"b\\s/", std::string("\0\x01\x1f\x7f", 4), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\n\r\t\b\f"};
  for (const std::string& text : texts) {
    const std::string quoted_text = json::quoted(text);
    Slice slice;
    ASSERT_FALSE(validate(quoted_text, &slice)) << quoted_text;
    EXPECT_EQ(unescape(slice), text);
    EXPECT_EQ(nlohmann::json::parse(quoted_text).get<std::string>(), text);
  }
}

TEST(Text, AByteThatIsNotPlainIsFoundWhereverItStands) {
  for (std::size_t length = 0; length <= 49; ++length) {
    EXPECT_EQ(plain_ascii(std::string(length, '~')), length);
    for (std::size_t at = 0; at < length; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(length, ' ');
        text[at] = static_cast<char>(byte);
        const bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
        ASSERT_EQ(plain_ascii(text), plain ? length : at) << "byte " << byte << " at " << at << " of " << length;
        if (at + 1 < length) text.back() = '\n';  // a second one after it
        ASSERT_EQ(plain_ascii(text), plain && at + 1 < length ? length - 1 : plain ? length : at);
      }
    }
  }
}

TEST(Text, SurrogatesJoinAndLoneOnesAreReplaced) {
  const std::pair<const char*, const char*> cases[] = {{R"("\ud83d\ude00")", "\xf0\x9f\x98\x80"},
                                                       {R"("\ud83d")", "\xef\xbf\xbd"},
                                                       {R"("\ude00x")", "\xef\xbf\xbdx"},
                                                       {R"("\ud83d\u0041")",
                                                        "\xef\xbf\xbd"
                                                        "A"},
                                                       {R"("\ud83d\ud83d\ude00")", "\xef\xbf\xbd\xf0\x9f\x98\x80"}};
  for (const auto& [text, expected] : cases) {
    Slice slice;
    ASSERT_FALSE(validate(text, &slice));
    EXPECT_EQ(unescape(slice), expected) << text;
  }
}

TEST(Text, BytesThatAreNoTextBecomeJsonAllTheSame) {
  for (const char* bytes : {"\xff", "a\x80z", "\xc3", "\xed\xa0\x80", "\xf5\x80\x80\x80"})
    EXPECT_TRUE(good(quoted(bytes))) << quoted(bytes);
}

TEST(Text, ControlCharactersAndLineSeparatorsAboveAsciiAreEscaped) {
  EXPECT_EQ(quoted("\xc2\x9b"), R"("\u009b")");
  EXPECT_EQ(quoted("a\xc2\x85z\xe2\x80\xa8\xe2\x80\xa9"), R"("a\u0085z\u2028\u2029")");
  EXPECT_EQ(quoted("\xc2\xa0\xe2\x80\xa7"), "\"\xc2\xa0\xe2\x80\xa7\"") << "their neighbours are not";
}

TEST(Text, AsUnsigned) {
  const auto number = [](std::string_view text) { return as_unsigned({Kind::number, text}); };
  EXPECT_EQ(number("0"), 0u);
  EXPECT_EQ(number("60000"), 60000u);
  EXPECT_EQ(number("9007199254740992"), 1ULL << 53);
  for (const char* text : {"-1", "1.5", "1e3", "9007199254740993", "99999999999999999999"})
    EXPECT_FALSE(number(text)) << text;
  EXPECT_FALSE(as_unsigned({Kind::string, "1"}));
}

TEST(Text, AsDuration) {
  const auto number = [](std::string_view text) { return as_duration({Kind::number, text}); };
  EXPECT_EQ(number("0"), 0u);
  EXPECT_EQ(number("250"), 250u);
  for (const char* text : {"5000", "5000.0", "5e3", "5E+3", "50000e-1"}) EXPECT_EQ(number(text), 5000u) << text;
  for (const char* text : {"9007199254740992", "9007199254740993", "9223372036854775807", "18446744073709551615",
                           "99999999999999999999999999999999", "1e30", "1.7976931348623157e308", "1e400"})
    EXPECT_EQ(number(text), 1ULL << 53) << text;
  for (const char* text : {"-1", "-0", "-1e30", "1.5", "0.001", "1e-400"}) EXPECT_FALSE(number(text)) << text;
  EXPECT_FALSE(as_duration({Kind::string, "1"}));
}

/// Compared with nlohmann's parser, over texts assembled from valid and invalid pieces of JSON. (It rejects lone
/// surrogates, which we accept.)
TEST(Scan, AgreesWithNlohmann) {
  const char* const pieces[] = {
      "{",  "}",   "[",   "]",    ",",     ":",    "\"a\"",  "\"\\u00e9\"", "\"\xc3\xa9\"", "1",
      "-0", "1.5", "2e3", "true", "false", "null", " ",      "\n",          "\"",           "\\",
      "0",  "-",   "e",   ".",    "\x01",  "\xff", "\"b\":", "\"a\":[",     "{\"k\":"};
  std::mt19937 random(1);
  // It also rejects numbers that a double cannot represent.
  const auto has_huge_exponent = [](const std::string& text) {
    const auto at = text.find('e');
    return at != std::string::npos && std::count_if(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(),
                                                    [](char c) { return c >= '0' && c <= '9'; }) > 2;
  };
  int accepted = 0;
  for (int i = 0; i < 300'000; ++i) {
    std::string text;
    for (unsigned n = random() % 9; n > 0; --n) text += pieces[random() % std::size(pieces)];
    if (has_huge_exponent(text)) continue;
    const bool theirs = nlohmann::json::accept(text), ours = good(text);
    ASSERT_EQ(ours, theirs) << text;
    accepted += ours;
  }
  EXPECT_GT(accepted, 1000);
}

/// The sixteen-byte steps check every byte: a special character at any position of a long string.
TEST(Scan, SpecialCharactersAreSeenAtEveryPlaceOfALongString) {
  for (std::size_t size = 0; size < 70; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text = "\"" + std::string(size, 'x') + "\"";
      for (const char bad : {'"', '\n', '\x1f', '\x80', '\xff', '\\'}) {
        text[at + 1] = bad;
        ASSERT_EQ(good(text), nlohmann::json::accept(text)) << size << " " << at << " " << int(bad);
      }
    }
  }
}

TEST(Scan, ALongNumberIsNamedWhereItBegins) {
  const auto problem = [](const std::string& text) { return json::validate(text, nullptr, {.max_number = 5}); };
  for (const char* good : {"12345", "-1234", "1.234", "1e123", "[12345,12345]", "\"1234567\""})
    EXPECT_FALSE(problem(good)) << good;
  for (const char* bad : {"123456", "-12345", "1.2345", "1e1234", "0.0000"}) {
    const auto found = problem("[" + std::string(bad) + "]");
    ASSERT_TRUE(found) << bad;
    EXPECT_EQ(found->text(), "Number too long: byte 1") << bad;
  }
  EXPECT_FALSE(json::validate(std::string(100'000, '9'))) << "without a limit, any length is JSON";
}

}  // namespace
}  // namespace nuropb::json
