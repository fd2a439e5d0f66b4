#include "meshd/refusal_log.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

using Kind = RefusalLog::Kind;

TEST(RefusalLog, AFloodIsAFewLinesASecond) {
  RefusalLog log;
  const SessionId session = SessionId::random();
  SteadyTime now{std::chrono::seconds(100)};
  const auto lines_of = [&](int times, Kind kind) {
    std::uint32_t lines = 0;
    for (int i = 0; i < times; ++i) lines += log.tell(kind, now, session, "192.0.2.1", "", "bad token") ? 1 : 0;
    return lines;
  };
  EXPECT_EQ(lines_of(10'000, Kind::session), RefusalLog::at_once);
  EXPECT_EQ(lines_of(1, Kind::authorize), 1U) << "the kinds don't concern each other";
  now += std::chrono::seconds(1);
  EXPECT_EQ(lines_of(10'000, Kind::session), RefusalLog::per_second);
  now += std::chrono::hours(1);
  EXPECT_EQ(lines_of(10'000, Kind::session), RefusalLog::at_once) << "not an hour's worth";
}

}  // namespace
}  // namespace nuropb::meshd
