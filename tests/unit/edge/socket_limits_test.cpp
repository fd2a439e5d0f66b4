#include "edge/sessions/socket_limits.hpp"

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

/// A socket that has no connection.
class Holder final : public MemoryBudget::Holder {
 public:
  [[nodiscard]] std::string_view owner() const override { return "ann"; }
  void give_way(MemoryBudget::What) override { ++gave_way; }
  void give_up_message() override { ++gave_up; }
  int gave_way = 0, gave_up = 0;
};

class SocketLimitsTest : public SessionTest {
 protected:
  SocketLimitsTest() {
    config_.limits.memory_bytes = 100'000;
    config_.limits.message_ms = 5000;
  }
  ManualClock time_;
  CachedClock moment_{time_};
};

TEST_F(SocketLimitsTest, MemoryIsRelievedFromTheEventLoopOnce) {
  SocketLimits limits(config_.limits, io_, moment_, link_);
  Holder holder;
  EXPECT_TRUE(limits.memory().set(holder, MemoryBudget::What::outgoing, {200'000, 0}));
  limits.relieve_soon();
  limits.relieve_soon();
  EXPECT_EQ(holder.gave_way, 0);
  turn();
  EXPECT_EQ(holder.gave_way, 1);
  limits.memory().forget(holder);
}

TEST_F(SocketLimitsTest, AMessageHasItsTimeToArrive) {
  SocketLimits limits(config_.limits, io_, moment_, link_);
  Holder early, late;
  limits.memory().begin(early, time_.now());
  time_.advance(milliseconds(5001));
  limits.memory().begin(late, time_.now());
  limits.close_late_messages();
  limits.close_late_messages();
  EXPECT_EQ(early.gave_up, 1);
  EXPECT_EQ(late.gave_up, 0);
  limits.memory().forget(late);
}

}  // namespace
}  // namespace nuropb::edge
