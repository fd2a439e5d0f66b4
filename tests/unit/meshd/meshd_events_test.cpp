// Subscriptions of clients, and events of the mesh on their way to them.

#include "tests/unit/meshd/meshd_fixture.hpp"

namespace nuropb::meshd {

using records::Type;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class MeshdEvents : public MeshdTest {
 protected:
  MeshdEvents() { write_policy("default = [\"event\", \"subscribe\"]\n"); }
  static std::string topic_of(FakeEdge& edge) {
    return std::string(edge.next<records::MeshEvent>(Type::mesh_event)->topic);
  }
};

TEST_F(MeshdEvents, ASubscriptionBringsEventsUntilItEnds) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  ann.subscribe(1, "orders.*");
  EXPECT_EQ(ann.answer(1).error, "null");
  EXPECT_TRUE(mesh().bound.contains("orders.*"));
  mesh().publish_event("orders.placed", R"({"n":7})", R"(["ann"])");
  mesh().publish_event("bills.paid", "1");
  const auto event = edge.next<records::MeshEvent>(Type::mesh_event);
  EXPECT_EQ(event->topic, "orders.placed");
  EXPECT_EQ(event->event, R"({"n":7})");
  EXPECT_EQ(event->target, R"(["ann"])");
  EXPECT_EQ(event->context, "") << "events.forward_context is off";
  EXPECT_EQ(event->handler, HandlerKind::web_socket);
  EXPECT_TRUE(edge.quiet());
  ann.unsubscribe(2, "orders.*");
  EXPECT_EQ(ann.answer(2).error, "null");
  EXPECT_FALSE(mesh().bound.contains("orders.*"));
  mesh().publish_event("orders.placed", "8");
  EXPECT_TRUE(edge.quiet());
}

TEST_F(MeshdEvents, AnEventOfOneClientComesToAnother) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  Client bob = open(attach(), 0, "bob");
  ann.subscribe(1, "chat.#");
  EXPECT_EQ(ann.answer(1).error, "null");
  bob.event(1, "chat.room.7", "\"hello\"");
  EXPECT_EQ(bob.answer(1).error, "null");
  EXPECT_EQ(topic_of(edge), "chat.room.7");
}

TEST_F(MeshdEvents, AnEventGoesOnceToEachEdgeThatWantsIt) {
  start();
  FakeEdge& one = attach();
  FakeEdge& two = attach();
  FakeEdge& three = attach();
  Client ann = open(one, 0);
  Client also_ann = open(one, 1);
  Client bob = open(two, 0, "bob");
  (void)open(three, 0, "cid");
  for (Client* client : {&ann, &also_ann, &bob}) {
    client->subscribe(1, "a.*");
    EXPECT_EQ(client->answer(1).error, "null");
  }
  ann.subscribe(2, "a.b");
  EXPECT_EQ(ann.answer(2).error, "null");
  mesh().publish_event("a.b", "1");
  EXPECT_EQ(topic_of(one), "a.b");
  EXPECT_TRUE(one.quiet());
  EXPECT_EQ(topic_of(two), "a.b");
  EXPECT_TRUE(three.quiet());
}

TEST_F(MeshdEvents, TheBrokerIsToldOfTheFirstSubscriptionAndOfTheLast) {
  start();
  Client ann = open(attach(), 0);
  Client bob = open(attach(), 0, "bob");
  ann.subscribe(1, "a.b");
  EXPECT_EQ(ann.answer(1).error, "null");
  ann.subscribe(2, "a.b");
  EXPECT_EQ(ann.answer(2).error, "null") << "idempotent";
  bob.subscribe(1, "a.b");
  EXPECT_EQ(bob.answer(1).error, "null");
  EXPECT_THAT(mesh().bind_order, ElementsAre("a.b"));
  ann.close();
  settle();
  EXPECT_TRUE(mesh().bound.contains("a.b"));
  bob.edge.die();
  settle();
  EXPECT_FALSE(mesh().bound.contains("a.b"));
}

TEST_F(MeshdEvents, ASubscriptionIsAnsweredOnceTheBrokerHasIt) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  Client bob = open(edge, 1, "bob");
  mesh().holding_patterns = true;
  ann.subscribe(1, "a.b");
  bob.subscribe(2, "a.b");
  EXPECT_TRUE(edge.quiet());
  mesh().bind_held();
  EXPECT_EQ(ann.answer(1).error, "null");
  EXPECT_EQ(bob.answer(2).error, "null");
}

TEST_F(MeshdEvents, AClientThatUnsubscribesMeanwhileHasBothAnswers) {
  start();
  Client ann = open(attach(), 0);
  mesh().holding_patterns = true;
  ann.subscribe(1, "a.b");
  ann.unsubscribe(2, "a.b");
  EXPECT_EQ(ann.answer(1).error, "null");
  EXPECT_EQ(ann.answer(2).error, "null");
  EXPECT_FALSE(mesh().bound.contains("a.b"));
}

TEST_F(MeshdEvents, APatternThatTheBrokerRefusesIsRefused) {
  start();
  Client ann = open(attach(), 0);
  mesh().pattern_refusal = "access refused";
  ann.subscribe(1, "a.b");
  const Answered answer = ann.answer(1);
  EXPECT_EQ(answer.name(), error_name::transport);
  EXPECT_THAT(answer.error, HasSubstr("access refused"));
  mesh().pattern_refusal.clear();
  ann.subscribe(2, "a.b");
  EXPECT_EQ(ann.answer(2).error, "null") << "it may be asked for again";
}

TEST_F(MeshdEvents, APatternThatTheBrokerRefusesLaterEndsItsSubscriptions) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  Client bob = open(edge, 1, "bob");
  ann.subscribe(1, "a.b");
  EXPECT_EQ(ann.answer(1).error, "null");
  bob.subscribe(1, "c.d");
  EXPECT_EQ(bob.answer(1).error, "null");
  mesh().refuse_pattern("a.b", "access refused");
  const auto gone = edge.next<records::SubscriptionEnded>(Type::subscription_ended);
  EXPECT_EQ(gone->session, ann.slot);
  EXPECT_EQ(gone->topic, "a.b");
  EXPECT_TRUE(edge.quiet());
}

TEST_F(MeshdEvents, TwoSpellingsOfOnePatternAreOneForTheBroker) {
  start();
  Client ann = open(attach(), 0);
  ann.subscribe(1, "#.#");
  EXPECT_EQ(ann.answer(1).error, "null");
  ann.subscribe(2, "#");
  EXPECT_EQ(ann.answer(2).error, "null");
  EXPECT_THAT(mesh().bind_order, ElementsAre("#"));
  ann.unsubscribe(3, "#.#");
  EXPECT_EQ(ann.answer(3).error, "null");
  EXPECT_TRUE(mesh().bound.contains("#"));
  ann.unsubscribe(4, "#");
  EXPECT_EQ(ann.answer(4).error, "null");
  EXPECT_FALSE(mesh().bound.contains("#"));
}

TEST_F(MeshdEvents, ASessionHasNoMoreSubscriptionsThanTheLimit) {
  config_.events.subscriptions_per_session = 2;
  start();
  Client ann = open(attach(), 0);
  ann.subscribe(1, "a");
  EXPECT_EQ(ann.answer(1).error, "null");
  ann.subscribe(2, "b");
  EXPECT_EQ(ann.answer(2).error, "null");
  ann.subscribe(3, "c");
  EXPECT_THAT(ann.answer(3).error, HasSubstr("events.subscriptions_per_session"));
  ann.unsubscribe(4, "a");
  EXPECT_EQ(ann.answer(4).error, "null");
  ann.subscribe(5, "c");
  EXPECT_EQ(ann.answer(5).error, "null");
  EXPECT_EQ(metric("nuropb_gateway_refused_by_limit_total{limit=\"subscriptions_per_session\"}"), 1);
}

TEST_F(MeshdEvents, MessagesBetweenGatewaysAreForNoClient) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  ann.subscribe(1, "nuropb-gateway.gateway");
  EXPECT_EQ(ann.answer(1).name(), error_name::authorization);
  ann.subscribe(2, "#");
  EXPECT_EQ(ann.answer(2).error, "null");
  mesh().publish_event("nuropb-gateway.gateway", R"({"from":"x","to":null,"kind":"presence","message":null})");
  mesh().publish_event("nuropb-gateway.other", "1");
  EXPECT_TRUE(edge.quiet());
}

TEST_F(MeshdEvents, ABrokerThatRefusesTheGatewaysTopicIsSaidInTheLog) {
  start();
  mesh().refuse_pattern("nuropb-gateway.gateway", "access refused");
  settle();
  EXPECT_TRUE(logged("the broker refuses the gateways' own topic"));
}

TEST_F(MeshdEvents, AnEventForMoreUsersThanMayBeNamedIsRefused) {
  config_.limits.message_bytes = 64 * 1024;
  config_.rings.request_bytes = 1U << 18;
  start();
  Client ann = open(attach(), 0);
  std::string target = "[\"a\"";
  for (int i = 0; i < 10'000; ++i) target += ",\"a\"";
  ann.event(1, "a.b", "1", target + "]");
  EXPECT_EQ(ann.answer(1).name(), error_name::validation);
  EXPECT_TRUE(mesh().published.empty());
}

TEST_F(MeshdEvents, AnEventThatNoClientCanBeShownIsDroppedAndCounted) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  ann.subscribe(1, "#");
  EXPECT_EQ(ann.answer(1).error, "null");
  mesh().publish_event("a.b", "\"" + std::string(config_.limits.message_bytes, 'x') + "\"");
  EXPECT_TRUE(edge.quiet());
  EXPECT_EQ(metric("nuropb_gateway_dropped_events_total"), 1);
  EXPECT_TRUE(logged("event dropped"));
}

TEST_F(MeshdEvents, EventsForTheTwoKindsOfHandlersAreKeptApart) {
  config_.lines.enabled = true;
  start();
  FakeEdge& edge = attach();
  Client web = open(edge, 0);
  Client lines = open(edge, 1, "bob", HandlerKind::lines);
  lines.subscribe(1, "a.b");
  EXPECT_EQ(lines.answer(1).error, "null");
  EXPECT_TRUE(mesh(HandlerKind::lines).bound.contains("a.b"));
  EXPECT_FALSE(mesh().bound.contains("a.b"));
  web.event(2, "a.b", "1");
  settle();
  // The answer and the event come over two transports, in any order.
  bool answered = false, came = false;
  for (int i = 0; i < 2; ++i) {
    try {
      const auto event = edge.next<records::MeshEvent>(Type::mesh_event);
      EXPECT_EQ(event->handler, HandlerKind::lines);
      came = true;
      if (!answered) answered = web.answer(2).error == "null";
    } catch (const std::runtime_error&) {
      answered = true;  // the answer was in front, and has been read
    }
    if (came && answered) break;
  }
  EXPECT_TRUE(came);
  lines.request(3);
  const auto response = edge.next<records::Response>(Type::response);
  EXPECT_EQ(response.header.sequence, 3U);
  EXPECT_EQ(mesh(HandlerKind::lines).published.size(), 0U) << "policy: no requests";
}

TEST_F(MeshdEvents, AnEdgeThatDoesNotReadItsEventsIsKilled) {
  start();
  FakeEdge& deaf = attach();
  FakeEdge& other = attach();
  Client ann = open(deaf, 0);
  Client bob = open(other, 0, "bob");
  for (Client* client : {&ann, &bob}) {
    client->subscribe(1, "a.b");
    EXPECT_EQ(client->answer(1).error, "null");
  }
  const std::string event = "\"" + std::string(15'000, 'x') + "\"";
  for (int i = 0; i < 40; ++i) {
    mesh().publish_event("a.b", event);
    EXPECT_EQ(topic_of(other), "a.b");
  }
  EXPECT_TRUE(deaf.killed());
  EXPECT_TRUE(logged("does not read its events"));
}

TEST_F(MeshdEvents, SubscriptionsThatAnEdgeBringsBackAfterARestartCountForNoRate) {
  config_.limits.user.messages_per_s = 1;
  config_.events.subscriptions_per_session = 3;
  start();
  FakeEdge& edge = attach();
  const Client ann = open(edge, 0);
  restart();
  FakeEdge& again = attach(edge.welcome->ticket);
  Client back = present(again, 0, ann.ticket, records::CredentialKind::ticket, HandlerKind::web_socket, ann.id);
  accepted(back);
  for (const std::uint64_t i : {1U, 2U, 3U}) {
    back.subscribe(i, "topic." + std::to_string(i));
    EXPECT_EQ(back.answer(i).error, "null");
  }
  back.event(4, "a.b");
  EXPECT_EQ(back.answer(4).error, "null");
  back.event(5, "a.b");
  EXPECT_EQ(back.answer(5).outcome, RequestOutcome::refused);
}

}  // namespace nuropb::meshd
