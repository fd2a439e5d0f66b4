#include "edge/sessions/edge_gauges.hpp"

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

class EdgeGaugesTest : public SessionTest {};

TEST_F(EdgeGaugesTest, PublishesThePresentState) {
  EdgeGauges gauges(link_, sessions_.slots, sessions_.pending, sessions_.silent, drain_,
                    std::make_shared<Arrivals>(Arrivals::Limits{10, 10, 0}));
  attach();
  gauges.count_own_files();
  ConsumerHandler& handler = open();
  sessions_.pending.add(1, handler.slot(), handler.relayed().requests, SteadyTime::max(), "\"t\"");
  gauges.publish();
  EXPECT_EQ(counter(shm::EdgeCounter::sessions), 1u);
  EXPECT_EQ(counter(shm::EdgeCounter::pending), 1u);
  EXPECT_EQ(counter(shm::EdgeCounter::draining), 0u);
  EXPECT_GT(counter(shm::EdgeCounter::open_files), 3u);
  EXPECT_GT(counter(shm::EdgeCounter::most_files), counter(shm::EdgeCounter::open_files));
  (void)sessions_.pending.take(1);
}

}  // namespace
}  // namespace nuropb::edge
