#include "edge/sessions/session_slots.hpp"

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

class SessionSlotsTest : public SessionTest {};

TEST_F(SessionSlotsTest, ASlotIsUsedAgainOnceItIsReleased) {
  ConsumerHandler& first = open();
  const records::SessionRef ref = first.ref();
  first.on_close();
  EXPECT_EQ(sessions_.slots.connections(), 0u);
  EXPECT_NE(connect(session()).slot(), ref.session);
  sessions_.slots.release(ref.session);
  ConsumerHandler& next = connect(session());
  EXPECT_EQ(next.slot(), ref.session);
  EXPECT_NE(next.serial(), ref.serial);
  EXPECT_EQ(sessions_.slots.find(ref), nullptr);
  EXPECT_EQ(sessions_.slots.find(next.ref()), &next);
}

TEST_F(SessionSlotsTest, OnlyAcceptedSessionsAreEstablished) {
  ConsumerHandler& waiting = connect(session());
  ConsumerHandler& accepted = open();
  EXPECT_EQ(sessions_.slots.find_established(waiting.ref()), nullptr);
  EXPECT_EQ(sessions_.slots.find_established(accepted.ref()), &accepted);
  EXPECT_EQ(sessions_.slots.sessions(), 1u);
  EXPECT_EQ(sessions_.slots.connections(), 2u);
  accepted.close(4000, "");
  EXPECT_EQ(sessions_.slots.find_established(accepted.ref()), nullptr);
}

TEST_F(SessionSlotsTest, IdentitiesHaveSessionsOfTheirOwn) {
  NewSession lines = session();
  lines.identity = HandlerKind::lines;
  open(std::move(lines));
  EXPECT_EQ(sessions_.slots.manager(HandlerKind::lines).sessions(), 1u);
  EXPECT_EQ(sessions_.slots.manager(HandlerKind::web_socket).sessions(), 0u);
}

}  // namespace
}  // namespace nuropb::edge
