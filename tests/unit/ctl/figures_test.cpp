#include "meshd/ctl/figures.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace nuropb::ctl {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;

json answer(std::uint64_t requests, std::uint64_t generation = 7, std::uint64_t pid = 100) {
  const json out{{"pid", pid},
                 {"uptime_s", 75},
                 {"service", "gateway"},
                 {"broker", {{"state", "ready"}}},
                 {"counts", {{"requests", requests}}},
                 {"workers",
                  {{{"slot", 0},
                    {"generation", generation},
                    {"pid", 101},
                    {"sessions", 3},
                    {"requests", requests},
                    {"request_ring", {{"bytes", 1}, {"capacity", 1000}}},
                    {"return_ring", {{"bytes", 500}, {"capacity", 1000}}},
                    {"silent_s", 4}}}}};
  return json::parse(out.dump());  // as parsed from a response: integers are unsigned
}

TEST(Rates, AreWhatCameInASecond) {
  const json rated = rates(answer(100), answer(150), 2);
  EXPECT_EQ(rated["requests"], 25.0);
  EXPECT_EQ(rated["workers"][0]["requests"], 25.0);
}

TEST(Rates, OfProcessesThatBeganAnewAreNone) {
  EXPECT_EQ(rates(answer(100), answer(50), 1)["requests"], 0.0);
  EXPECT_EQ(rates(answer(0, 7, 99), answer(50), 1)["requests"], 0.0);
  EXPECT_EQ(rates(answer(0, 6), answer(50), 1)["workers"][0]["requests"], 0.0);
  EXPECT_EQ(rates({}, answer(50), 1)["requests"], 0.0);
  EXPECT_EQ(rates(answer(0), answer(50), 0)["requests"], 0.0);
}

json measured(const std::vector<std::uint64_t>& counts) {
  json out = answer(0);
  out["latencies"] =
      json::array({{{"name", "x_seconds"}, {"labels", ""}, {"le", {0.001, 0.01, nullptr}}, {"counts", counts}}});
  return out;
}

TEST(Latencies, AreTheBoundsOfTheirBuckets) {
  const json found = latencies(measured({10, 10, 10}), measured({60, 109, 110}));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0]["count"], 100);
  EXPECT_EQ(found[0]["p50_ms"], 1.0);
  EXPECT_EQ(found[0]["p90_ms"], 10.0);
  EXPECT_EQ(latencies({}, measured({0, 0, 5}))[0]["p50_ms"], 10.0);  // at least
  EXPECT_TRUE(latencies(measured({1, 1, 1}), measured({1, 1, 1})).empty());
}

TEST(Latencies, WhatIsNoHistogramIsPassedOver) {
  json strange = answer(0);
  for (const char* text : {R"([])", R"({})", R"(7)", R"([7, {}, {"le": [], "counts": []}, {"le": [1], "counts": [1, 2]},
                                          {"le": ["x"], "counts": ["y"]}])"}) {
    strange["latencies"] = json::parse(text);
    EXPECT_TRUE(latencies(strange, strange).empty()) << text;
  }
}

TEST(Screen, ShowsWorkersAndTheirRings) {
  const auto lines = screen(answer(150), rates(answer(100), answer(150), 2), latencies({}, measured({1, 1, 1})), 200);
  EXPECT_THAT(lines, Contains(HasSubstr("up 1 m 15 s")));
  EXPECT_THAT(lines, Contains("latency   x                         p50 <= 1.0 ms    p90 <= 1.0 ms    p99 <= 1.0 ms"));
  EXPECT_THAT(lines,
              Contains(HasSubstr(
                  "0.7       101      3         25       [#.........] 0.1 %  [#####.....]  50 %  silent for 4 s")));
  for (const std::string& line : screen(answer(1), {}, {}, 20)) EXPECT_LE(line.size(), 20U);
}

TEST(Screen, NamesStagesInWords) {
  json now = measured({1, 1, 1});
  const std::vector<std::array<const char*, 3>> cases{
      {"stage_seconds", R"(stage="edge_in")", "latency   edge_in  "},
      {"request_seconds", "", "latency   request  "},
      {"amqp_seconds", R"(step="confirm",node="a")", "latency   amqp confirm a  "},
      {"stage_seconds", R"(stage="cut)", "latency     "}};
  for (const auto& [name, labels, shown] : cases) {
    now["latencies"][0]["name"] = name;
    now["latencies"][0]["labels"] = labels;
    EXPECT_THAT(screen(now, {}, latencies({}, now), 200), Contains(::testing::StartsWith(shown)));
  }
}

TEST(Screen, LetsNobodyElseDraw) {
  json evil = answer(0);
  evil["service"] = "\x1b[2J\n";
  evil["workers"] = "nobody";
  for (const std::string& line : screen(evil, {}, {}, 200)) EXPECT_EQ(line.find_first_of("\x1b\n"), std::string::npos);
  EXPECT_THAT(screen({}, {}, {}, 200), Contains("no worker is attached"));
}

}  // namespace
}  // namespace nuropb::ctl
