#include "edge/transport/line_reader.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace nuropb::edge {
namespace {

using Problem = LineReader::Problem;

struct Read {
  std::vector<std::string> lines;
  Problem problem = Problem::none;
  bool operator==(const Read&) const = default;
};

/// The lines from these pieces of a stream, up to its end.
Read read(const std::vector<std::string_view>& pieces, std::size_t limit = 16) {
  Read out;
  LineReader reader(limit);
  const auto take = [&](std::string_view line) {
    out.lines.emplace_back(line);
    return true;
  };
  for (const auto piece : pieces) {
    if (out.problem = reader.feed(piece, take); out.problem != Problem::none) return out;
    EXPECT_LE(reader.kept(), limit + 1);
  }
  out.problem = reader.finish(take);
  return out;
}
Read lines(std::vector<std::string> lines) { return {std::move(lines), Problem::none}; }

TEST(LineReader, EndsOfLines) {
  EXPECT_EQ(read({"a\nb\n"}), lines({"a", "b"}));
  EXPECT_EQ(read({"a\r\nb\r\n"}), lines({"a", "b"}));
  EXPECT_EQ(read({"a\rb\n"}), lines({"a\rb"})) << "a CR alone ends nothing";
  EXPECT_EQ(read({"\n\r\n \t\n", "a", "\n\n"}), lines({"a"})) << "empty lines are no messages";
  EXPECT_EQ(read({"a\nb"}), lines({"a", "b"})) << "the end of the stream ends the last line";
  EXPECT_EQ(read({"a\nb\r"}), lines({"a", "b"}));
  EXPECT_EQ(read({""}), lines({}));
}

TEST(LineReader, TheLimitIsOfALineWithoutItsEnd) {
  const std::string most(16, 'x'), more(17, 'x');
  EXPECT_EQ(read({most + "\n"}), lines({most}));
  EXPECT_EQ(read({most + "\r\n"}), lines({most}));
  EXPECT_EQ(read({most, "\r", "\n"}), lines({most}));
  EXPECT_EQ(read({most}), lines({most}));
  EXPECT_EQ(read({more + "\n"}).problem, Problem::too_long);
  EXPECT_EQ(read({more, "\n"}).problem, Problem::too_long);
  EXPECT_EQ(read({more}).problem, Problem::too_long);
  EXPECT_EQ(read({most, "xx"}).problem, Problem::too_long) << "not waited for";
  EXPECT_EQ(read({"a\n" + more + "\n"}), (Read{{"a"}, Problem::too_long}));
}

TEST(LineReader, OnlyUtf8) {
  EXPECT_EQ(read({"\xc3\xb6\n", "\xe2\x82", "\xac\n", "\xf0\x9f\x98\x80\n"}), lines({"ö", "€", "😀"}));
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "a\xe2\x82", "\xc3(", "\xff"}) {
    EXPECT_EQ(read({"a\n", bad, "\nb\n"}), (Read{{"a"}, Problem::not_utf8})) << bad;
    EXPECT_FALSE(is_utf8(bad));
  }
}

/// .NET's StreamWriter, PowerShell and some editors begin a stream with EF BB BF.
TEST(LineReader, AByteOrderMarkAtTheBeginIsLeftOut) {
  EXPECT_EQ(read({"\xef\xbb\xbf"
                  "a\r\nb\r\n"}),
            lines({"a", "b"}));
  EXPECT_EQ(read({"\xef", "\xbb", "\xbf", "a\n"}), lines({"a"})) << "it comes byte by byte";
  EXPECT_EQ(read({"", "\xef\xbb",
                  "\xbf"
                  "a"}),
            lines({"a"}));
  EXPECT_EQ(read({"\xef\xbb\xbf"}), lines({})) << "and nothing behind it";
  EXPECT_EQ(read({"\xef\xbb\xbf" + std::string(16, 'x')}), lines({std::string(16, 'x')})) << "the limit is the line's";
  EXPECT_EQ(read({"\xef\xbb\xbf"
                  "\xef\xbb\xbf"
                  "a\n"}),
            lines({"\xef\xbb\xbf"
                   "a"}))
      << "the second is a character";
  EXPECT_EQ(read({"a\n\xef\xbb\xbf"
                  "b\n"}),
            lines({"a",
                   "\xef\xbb\xbf"
                   "b"}))
      << "it stands at the begin alone";
  EXPECT_EQ(read({"\xef", "\xbc\xa1\n"}), lines({"\xef\xbc\xa1"})) << "another character that begins alike";
  EXPECT_EQ(read({"\xef\xbb", "\xbb\n"}), lines({"\xef\xbb\xbb"}));
  EXPECT_EQ(read({"\xef\xbb"}).problem, Problem::not_utf8) << "a part of it is no text";
  EXPECT_EQ(read({"\xff\xfe{\0\n\0"}).problem, Problem::not_utf8) << "UTF-16 stays refused";
}

TEST(LineReader, WhoWantsNoMoreGetsNoMore) {
  LineReader reader(16);
  int taken = 0;
  const auto take = [&](std::string_view) { return ++taken < 2; };
  EXPECT_EQ(reader.feed("a\nb\nc\n\xff\n", take), Problem::none);
  EXPECT_EQ(reader.feed("d\n", take), Problem::none);
  EXPECT_EQ(reader.finish(take), Problem::none);
  EXPECT_EQ(taken, 2);
}

/// The first line may have another limit than the rest: the limit changes in the middle of the input.
TEST(LineReader, TheLimitChangesBetweenLines) {
  LineReader reader(4);
  std::vector<std::string> taken;
  const auto take = [&](std::string_view line) {
    taken.emplace_back(line);
    reader.limit(20);
    return true;
  };
  EXPECT_EQ(reader.feed("1234\n12345678901234567890\n123", take), Problem::none);
  EXPECT_EQ(taken.size(), 2u);
  reader.limit(2);
  EXPECT_EQ(reader.feed("4", take), Problem::too_long) << "holds for what is incomplete";
}

/// However a stream is split, the lines are the same.
TEST(LineReader, PiecesOfAnySize) {
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  const std::vector<std::string> words{"\n", "\r\n", "a", "ö", " ", "\xff", "0123456789", "\r", "{}"};
  for (int round = 0; round < 3000; ++round) {
    std::string stream;
    for (std::size_t i = below(12); i > 0; --i) stream += words[below(round % 10 == 0 ? words.size() : 5)];
    const Read whole = read({stream});
    std::vector<std::string_view> pieces;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t size = 1 + below(5);
      pieces.push_back(std::string_view(stream).substr(at, size));
      at += size;
    }
    const Read cut = read(pieces);
    EXPECT_EQ(cut.lines, whole.lines) << testing::PrintToString(stream);
    EXPECT_EQ(cut.problem, whole.problem) << testing::PrintToString(stream);
  }
}

TEST(LineReader, JsonOnOneLine) {
  EXPECT_TRUE(is_on_one_line(R"({"a":"\n"})"));
  EXPECT_FALSE(is_on_one_line("{\n}"));
  EXPECT_EQ(on_one_line("{\r\n  \"a\": 1\n}"), "{    \"a\": 1 }");
}

}  // namespace
}  // namespace nuropb::edge
