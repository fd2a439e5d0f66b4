#include "meshd/mesh/majority_look.hpp"

#include <gtest/gtest.h>

namespace nuropb::mesh {
namespace {

using std::chrono::seconds;

TEST(MajorityLook, IsDueNowAndThenWhileConnected) {
  MajorityLook look;
  const SteadyTime start{seconds(1000)};
  EXPECT_FALSE(look.due(start, true)) << "never connected";
  look.begin(start);
  EXPECT_FALSE(look.due(start + seconds(9), true));
  EXPECT_TRUE(look.due(start + seconds(10), true));
  EXPECT_FALSE(look.due(start + seconds(10), true)) << "once";
  EXPECT_TRUE(look.due(start + seconds(25), true));
  EXPECT_FALSE(look.due(start + seconds(34), true));
}

TEST(MajorityLook, WaitsAnotherTurnWhereTheAnswerCouldBeHeldUp) {
  MajorityLook look;
  const SteadyTime start{seconds(1000)};
  look.begin(start);
  EXPECT_FALSE(look.due(start + seconds(10), false));
  EXPECT_FALSE(look.due(start + seconds(11), true));
  EXPECT_TRUE(look.due(start + seconds(20), true));
  look.begin(start + seconds(20));
  EXPECT_FALSE(look.due(start + seconds(29), true));
}

}  // namespace
}  // namespace nuropb::mesh
