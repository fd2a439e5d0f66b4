#include "meshd/mesh/transport_inbox.hpp"

#include <gtest/gtest.h>
#include <poll.h>

namespace nuropb::mesh {
namespace {

Outgoing message(std::size_t body) {
  Outgoing out;
  out.body.assign(body, 'x');
  return out;
}

bool rung(const TransportInbox& inbox) {
  pollfd fd{inbox.fd(), POLLIN, 0};
  return ::poll(&fd, 1, 0) == 1;
}

TEST(TransportInbox, IsBoundedInBytes) {
  TransportInbox inbox(10'000);
  int taken = 0;
  while (inbox.push(message(1000))) ++taken;
  EXPECT_EQ(taken, 7);  // of 1256 bytes each
  EXPECT_LE(inbox.queued_bytes(), 10'000u);
  inbox.left(TransportInbox::cost(message(1000)));
  EXPECT_TRUE(inbox.push(message(1000)));
}

TEST(TransportInbox, TakesFromTheFrontWhatFits) {
  TransportInbox inbox(3000);
  std::vector<Outgoing> many(3);
  for (auto& each : many) each = message(1000);
  EXPECT_EQ(inbox.push(many), 2u);
  TransportInbox::Work work;
  inbox.take(work);
  EXPECT_EQ(work.messages.size(), 2u);
}

/// Otherwise a submitter that retries until it is accepted would wait forever, and with it all messages behind it.
TEST(TransportInbox, OneMessageFitsHoweverLarge) {
  TransportInbox inbox(1000);
  EXPECT_TRUE(inbox.push(message(5000)));
  EXPECT_FALSE(inbox.push(message(1)));
  inbox.left(TransportInbox::cost(message(5000)));
  std::vector<Outgoing> many(2);
  for (auto& each : many) each = message(5000);
  EXPECT_EQ(inbox.push(many), 1u);
}

TEST(TransportInbox, AcknowledgementsWaitForAThreadThatWakesSoon) {
  TransportInbox inbox(10'000);
  TransportInbox::Work work;
  ASSERT_TRUE(inbox.may_sleep(true));
  inbox.acknowledge({{1, 2, 1}});
  EXPECT_FALSE(rung(inbox));
  inbox.awake();
  EXPECT_TRUE(inbox.may_sleep(true)) << "it may go on sleeping for the moment that it has";
  inbox.awake();
  EXPECT_FALSE(inbox.may_sleep()) << "but not for longer";
  inbox.take(work);
  EXPECT_EQ(work.settlements.size(), 1u);

  ASSERT_TRUE(inbox.may_sleep());
  inbox.acknowledge({{1, 2, 2}});
  EXPECT_TRUE(rung(inbox));
  inbox.awake();
  inbox.take(work);

  ASSERT_TRUE(inbox.may_sleep(true));
  inbox.settle({{1, 2, 3}});
  EXPECT_TRUE(rung(inbox)) << "a service's acknowledgement lets the next call come";
  inbox.awake();
  EXPECT_FALSE(inbox.may_sleep(true));
}

TEST(TransportInbox, SettlementsKnowWhatWentBeforeThem) {
  TransportInbox inbox(10'000);
  inbox.settle({{1, 2, 1}});
  ASSERT_TRUE(inbox.push(message(1)));
  ASSERT_TRUE(inbox.push(message(1)));
  inbox.settle({{1, 2, 2}});
  TransportInbox::Work work;
  inbox.take(work);
  ASSERT_EQ(work.settlements.size(), 2u);
  EXPECT_EQ(work.settlements[0].after, 0u);
  EXPECT_EQ(work.settlements[1].after, 2u);
  inbox.acknowledge({{1, 2, 3}, {1, 2, 4}});
  inbox.take(work);
  ASSERT_EQ(work.settlements.size(), 2u);
  EXPECT_EQ(work.settlements[1].delivery.tag, 4u);
  EXPECT_EQ(work.settlements[1].after, 2u);
}

TEST(TransportInbox, WakesWhoSleepsAndOnlyThen) {
  TransportInbox inbox(10'000);
  ASSERT_TRUE(inbox.push(message(1)));
  EXPECT_FALSE(rung(inbox));
  EXPECT_FALSE(inbox.may_sleep());
  TransportInbox::Work work;
  inbox.take(work);
  ASSERT_TRUE(inbox.may_sleep());
  ASSERT_TRUE(inbox.push(message(1)));
  EXPECT_TRUE(rung(inbox));
  inbox.awake();
  EXPECT_FALSE(rung(inbox));
  inbox.take(work);
  ASSERT_TRUE(inbox.may_sleep());
  inbox.poke();
  EXPECT_TRUE(rung(inbox));
  inbox.awake();
  EXPECT_FALSE(inbox.may_sleep()) << "there is news that was not taken";
}

TEST(TransportInbox, StoppedTakesNoMessagesButWork) {
  TransportInbox inbox(10'000);
  inbox.stop();
  EXPECT_FALSE(inbox.push(message(1)));
  inbox.post(std::nullopt, [] {});
  TransportInbox::Work work;
  inbox.take(work);
  EXPECT_TRUE(work.stop);
  EXPECT_EQ(work.posts.size(), 1u);
}

/// Work that is dropped after the transport's end may contain a reply whose destructor calls the inbox.
TEST(TransportInbox, ClosingDropsWhatIsThereWithoutALockHeld) {
  TransportInbox inbox(10'000);
  struct ComesBack {
    TransportInbox& inbox;
    ~ComesBack() { inbox.settle({{1, 1, 1}}); }
  };
  inbox.post(std::nullopt, [held = std::make_shared<ComesBack>(ComesBack{inbox})] {});
  inbox.close();
  inbox.post(std::nullopt, [] { FAIL(); });
  TransportInbox::Work work;
  inbox.take(work);
  EXPECT_TRUE(work.posts.empty());
}

}  // namespace
}  // namespace nuropb::mesh
