#include "edge/net/arrivals.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nuropb::edge {
namespace {

using Verdict = Arrivals::Verdict;
using std::chrono::milliseconds;
const Arrivals::Time start(std::chrono::hours(1));

TEST(Arrivals, AllOfThemCountAsLongAsTheyLive) {
  Arrivals arrivals({2, 0, 0});
  auto one = arrivals.enter(), two = arrivals.enter();
  EXPECT_EQ(arrivals.judge(start), Verdict::too_many);
  one.reset();
  EXPECT_EQ(arrivals.judge(start), Verdict::welcome);
}

TEST(Arrivals, HostsAreCountedAndForgotten) {
  Arrivals arrivals({100, 2, 0});
  std::vector<std::shared_ptr<void>> in;
  const auto come = [&](const char* address) {
    auto ticket = arrivals.enter();
    const bool taken = arrivals.belongs_to(ticket, *IpAddress::parse(address));
    if (taken) in.push_back(std::move(ticket));
    return taken;
  };
  EXPECT_TRUE(come("192.0.2.1") && come("192.0.2.1"));
  EXPECT_FALSE(come("192.0.2.1"));
  EXPECT_FALSE(come("::ffff:192.0.2.1")) << "the same one on a dual-stack socket";
  EXPECT_TRUE(come("192.0.2.2"));
  EXPECT_TRUE(come("2001:db8::1") && come("2001:db8::2"));
  EXPECT_FALSE(come("2001:db8::ffff:3")) << "one /64 is one host";
  EXPECT_TRUE(come("2001:db8:0:1::1"));
  EXPECT_EQ(arrivals.connections(), 6u);
  in.clear();
  EXPECT_EQ(arrivals.connections(), 0u);
  EXPECT_EQ(arrivals.hosts(), 0u) << "nothing is kept of closed connections";
  EXPECT_TRUE(come("192.0.2.1"));
}

TEST(Arrivals, ATicketMayOutliveThem) {
  std::shared_ptr<void> ticket;
  {
    Arrivals arrivals({100, 2, 0});
    ticket = arrivals.enter();
    EXPECT_TRUE(arrivals.belongs_to(ticket, *IpAddress::parse("192.0.2.1")));
  }
}

TEST(Arrivals, TooFast) {
  Arrivals arrivals({100, 0, 10});
  auto now = start;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(arrivals.judge(now), Verdict::welcome);
  EXPECT_EQ(arrivals.judge(now), Verdict::too_fast);
  now += milliseconds(99);
  EXPECT_EQ(arrivals.judge(now), Verdict::too_fast);
  now += milliseconds(2);
  EXPECT_EQ(arrivals.judge(now), Verdict::welcome);
  EXPECT_EQ(arrivals.judge(now), Verdict::too_fast);
  now += std::chrono::hours(1);
  int taken = 0;
  while (arrivals.judge(now) == Verdict::welcome) ++taken;
  EXPECT_EQ(taken, 10) << "a quiet time saves no more than a second's worth";
}

}  // namespace
}  // namespace nuropb::edge
