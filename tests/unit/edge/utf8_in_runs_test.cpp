#include "edge/transport/utf8_in_runs.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace nuropb::edge {
namespace {

using Validator = websocketpp::utf8_validator::validator;

/// Byte by byte, as websocketpp does it.
std::pair<bool, bool> slowly(const std::string& text) {
  Validator validator;
  for (const char c : text) {
    if (!validator.consume(static_cast<std::uint8_t>(c))) return {false, false};
  }
  return {true, validator.complete()};
}

/// In two parts, as a message arrives in reads and frames.
std::pair<bool, bool> in_runs(std::string text, std::size_t split) {
  Validator validator;
  const auto middle = text.begin() + static_cast<std::string::difference_type>(split);
  if (!validator.decode(text.begin(), middle) || !validator.decode(middle, text.end())) return {false, false};
  return {true, validator.complete()};
}

TEST(Utf8InRuns, SaysWhatTheTableSays) {
  std::vector<std::string> texts{"", "plain", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\xc0\xaf"};
  for (const std::size_t before : {0, 15, 16, 31, 40}) {
    for (const char* odd : {"\xc3\xa4", "\xe2\x82", "\xff", "\x80"})
      texts.push_back(std::string(before, 'a').append(odd).append(40, 'b'));
  }
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    const std::size_t length = random() % 80;
    // Mostly ASCII, sometimes a part of another character.
    for (std::size_t at = 0; at < length; ++at)
      text += static_cast<char>(random() % 8 == 0 ? 0x80 + random() % 0x80 : 0x20 + random() % 0x5f);
    texts.push_back(text);
  }
  int good = 0;
  for (const std::string& text : texts) {
    good += slowly(text).first;
    for (std::size_t split = 0; split <= text.size(); ++split)
      EXPECT_EQ(in_runs(text, split), slowly(text)) << testing::PrintToString(text) << " split at " << split;
  }
  EXPECT_GT(good, 100) << "some are UTF-8";
}

TEST(Utf8InRuns, FindsTheEndOfAscii) {
  for (std::size_t before = 0; before < 70; ++before) {
    const std::string text = std::string(before, 'x').append("\xc3\xa4").append(20, 'y');
    EXPECT_EQ(ascii_run(text.data(), text.size()), before);
  }
  EXPECT_EQ(ascii_run("", 0), 0u);
}

}  // namespace
}  // namespace nuropb::edge
