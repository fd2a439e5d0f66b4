#include "common/log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

namespace nuropb::log {
namespace {

constexpr std::int64_t noon = 1'763'640'000'123'456;  // 2025-11-20T12:00:00.123Z

Settings settings(Format format) { return {"meshd", Level::info, format, ""}; }

TEST(Log, TextReadsLikeASentence) {
  EXPECT_EQ(render(settings(Format::text), Level::warning, noon, "worker gone",
                   {{"slot", 3}, {"reason", "its socket closed"}, {"kill", false}}),
            "2025-11-20T12:00:00.123Z WARNING meshd worker gone slot=3 reason=\"its socket closed\" kill=false");
}

TEST(Log, JsonIsOneObject) {
  const auto line =
      nlohmann::json::parse(render(settings(Format::json), Level::error, noon, "say \"x\"",
                                   {{"n", -1}, {"u", 18446744073709551615ULL}, {"f", 1.5}, {"t", "a\nb"}}));
  EXPECT_EQ(line["level"], "error");
  EXPECT_EQ(line["process"], "meshd");
  EXPECT_EQ(line["message"], "say \"x\"");
  EXPECT_EQ(line["n"], -1);
  EXPECT_EQ(line["u"], 18446744073709551615ULL);
  EXPECT_EQ(line["t"], "a\nb");
}

TEST(Log, WhatIsNoNumberIsStillJson) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto line =
      nlohmann::json::parse(render(settings(Format::json), Level::info, noon, "m",
                                   {{"rate", infinity}, {"mean", std::numeric_limits<double>::quiet_NaN()}}));
  EXPECT_TRUE(line["rate"].is_null());
  EXPECT_TRUE(line["mean"].is_null());
  EXPECT_NE(render(settings(Format::text), Level::info, noon, "m", {{"rate", infinity}}).find("rate=inf"),
            std::string::npos);
}

TEST(Log, NoInputCanForgeALine) {
  for (const Format format : {Format::text, Format::json}) {
    const std::string line =
        render(settings(format), Level::info, noon, "m\nx", {{"a", "b\n2025 ERROR meshd forged\r\x1b[31m\x00\xff"}});
    for (const char c : line) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << line;
  }
}

TEST(Log, AValueThatLooksLikeFieldsIsQuoted) {
  EXPECT_NE(render(settings(Format::text), Level::info, noon, "m", {{"a", "1 b=2"}}).find("a=\"1 b=2\""),
            std::string::npos);
  EXPECT_NE(render(settings(Format::text), Level::info, noon, "m", {{"a", ""}}).find("a=\"\""), std::string::npos);
}

TEST(Log, GoesToAFileAndNoFurtherThanItsLevel) {
  const std::string file = ::testing::TempDir() + "nuropb-log-test-" + std::to_string(::getpid());
  std::remove(file.c_str());
  ASSERT_TRUE(configure({"t", Level::warning, Format::text, file}));
  info("not this");
  warning("but this", {{"n", 1}});
  ASSERT_TRUE(configure({}));
  std::ifstream in(file);
  std::string line, more;
  std::getline(in, line);
  EXPECT_NE(line.find("WARNING t but this n=1"), std::string::npos) << line;
  EXPECT_FALSE(std::getline(in, more)) << more;
  std::remove(file.c_str());
}

TEST(Log, AFileThatCantBeOpenedIsNamed) {
  const auto refused = configure({"t", Level::info, Format::text, "/proc/no/such.log"});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("/proc/no/such.log"), std::string::npos);
}

}  // namespace
}  // namespace nuropb::log
