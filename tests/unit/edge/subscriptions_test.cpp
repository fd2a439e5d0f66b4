#include "edge/relay/subscriptions.hpp"

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SubscriptionsTest : public SessionTest {
 protected:
  Subscriptions subscriptions_;
};

TEST_F(SubscriptionsTest, FindsTheSessionsOfOneIdentity) {
  ConsumerHandler& handler = open();
  NewSession lines = session();
  lines.identity = HandlerKind::lines;
  ConsumerHandler& other = open(std::move(lines));
  subscriptions_.add(handler, "a.*");
  subscriptions_.add(other, "a.#");
  EXPECT_THAT(subscriptions_.match(HandlerKind::web_socket, "a.b"), ElementsAre(handler.slot()));
  EXPECT_THAT(subscriptions_.match(HandlerKind::lines, "a.b"), ElementsAre(other.slot()));
  subscriptions_.remove(handler, "a.*");
  EXPECT_THAT(subscriptions_.match(HandlerKind::web_socket, "a.b"), IsEmpty());
}

TEST_F(SubscriptionsTest, EventsOfAResumableSessionComeFromMeshd) {
  ConsumerHandler& handler = open();
  subscriptions_.add(handler, "a");
  handler.relayed().numbered = std::make_unique<NumberedMessages>();
  subscriptions_.leave_to_meshd(handler);
  subscriptions_.add(handler, "b");
  EXPECT_THAT(handler.relayed().topics, ElementsAre("a", "b"));
  EXPECT_THAT(subscriptions_.match(HandlerKind::web_socket, "a"), IsEmpty());
  EXPECT_THAT(subscriptions_.match(HandlerKind::web_socket, "b"), IsEmpty());
}

TEST_F(SubscriptionsTest, ASessionThatEndsHasNone) {
  ConsumerHandler& handler = open();
  subscriptions_.add(handler, "a");
  subscriptions_.add(handler, "b");
  subscriptions_.remove_all(handler);
  EXPECT_THAT(handler.relayed().topics, IsEmpty());
  EXPECT_THAT(subscriptions_.match(HandlerKind::web_socket, "a"), IsEmpty());
}

}  // namespace
}  // namespace nuropb::edge
