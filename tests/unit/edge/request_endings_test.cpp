#include "edge/relay/request_endings.hpp"

#include "tests/unit/edge/relay_fixture.hpp"

namespace nuropb::edge {
namespace {

using records::Type;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RequestEndingsTest : public RelayTest {};

TEST_F(RequestEndingsTest, ARequestEndsWithItsDeadline) {
  attach();
  Client& client = join_accepted();
  client.send(request_text("a", R"(,"ttl":50)"));
  relays_.expire(clock_.now() + milliseconds(config_.request.ttl_ms + 1000));
  EXPECT_THAT(client.read(), ElementsAre(HasSubstr("no answer in time; it may have run")));
  EXPECT_EQ(counter(shm::EdgeCounter::timeouts), 1u);
}

TEST_F(RequestEndingsTest, ASubscriptionThatEndsSoIsUndone) {
  attach();
  Client& client = join_accepted();
  client.send(R"({"type":"subscribe","payload":{"topic":"a","trace_id":"s"}})");
  turn();
  (void)meshd_->next<records::Subscription>(Type::subscribe);
  relays_.expire(clock_.now() + milliseconds(config_.request.ttl_ms + 1000));
  EXPECT_THAT(client.read(), ElementsAre(HasSubstr("not subscribed")));
  turn();
  EXPECT_EQ((meshd_->next<records::Subscription>(Type::unsubscribe).second.topic), "a");
}

TEST_F(RequestEndingsTest, AtTheEndOfTheEdgeTheOutcomeIsUnknownUnlessMeshdKeepsIt) {
  attach();
  Client& plain = join_accepted();
  Client& resumable = join_accepted();
  resumable.handler().relayed().numbered = std::make_unique<NumberedMessages>();
  for (Client* const client : {&plain, &resumable}) client->send(request_text("a"));
  relays_.interrupt_all();
  EXPECT_THAT(plain.read(), ElementsAre(HasSubstr(R"("outcome":"unknown")")));
  EXPECT_THAT(resumable.read(), IsEmpty());
  EXPECT_EQ(sessions_.pending.size(), 0u);
}

TEST_F(RequestEndingsTest, ASessionThatClosesAbandonsItsRequests) {
  attach();
  Client& client = join_accepted();
  client.send(request_text("a"));
  client.handler().close(4000, "");
  EXPECT_EQ(sessions_.pending.size(), 0u);
  EXPECT_THAT(client.read(), IsEmpty());
}

}  // namespace
}  // namespace nuropb::edge
