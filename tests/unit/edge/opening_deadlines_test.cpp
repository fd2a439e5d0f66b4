#include "edge/sessions/opening_deadlines.hpp"

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

class OpeningDeadlinesTest : public SessionTest {};

TEST_F(OpeningDeadlinesTest, ClosesWhatIsStillInTheSameState) {
  ConsumerHandler& silent = connect(session(""));
  ConsumerHandler& unanswered = connect(session());
  ConsumerHandler& accepted = connect(session());
  for (ConsumerHandler* one : {&silent, &unanswered, &accepted}) sessions_.openings.add(*one, milliseconds(5));
  accepted.accept("ann", "ticket");
  ASSERT_TRUE(eventually([&] { return connection(silent).closed != -1 && connection(unanswered).closed != -1; }));
  EXPECT_EQ(connection(silent).closed, 4402);
  EXPECT_EQ(connection(unanswered).closed, 4002);
  EXPECT_EQ(connection(accepted).closed, -1);
}

TEST_F(OpeningDeadlinesTest, AnEarlierDeadlineSetsTheTimerAnew) {
  ConsumerHandler& late = connect(session());
  ConsumerHandler& early = connect(session());
  sessions_.openings.add(late, std::chrono::hours(1));
  sessions_.openings.add(early, milliseconds(1));
  ASSERT_TRUE(eventually([&] { return connection(early).closed == 4002; }));
  EXPECT_EQ(connection(late).closed, -1);
}

}  // namespace
}  // namespace nuropb::edge
