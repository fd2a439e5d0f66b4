// What clients send to the mesh: requests, commands, descriptions and events, and every outcome.

#include "common/outcome.hpp"
#include "tests/unit/meshd/meshd_fixture.hpp"

namespace nuropb::meshd {

using records::Type;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class MeshdRequests : public MeshdTest {
 protected:
  /// One edge with a session of ann, who may do everything.
  Client& begin() {
    write_policy("default = [\"request\", \"command\", \"describe\", \"event\", \"subscribe\"]\n");
    start();
    edge_ = &attach();
    return client_.emplace(open(*edge_, 0));
  }
  FakeEdge* edge_ = nullptr;
  std::optional<Client> client_;
};

TEST_F(MeshdRequests, ARequestIsStampedWithItsUserAndAnswered) {
  Client& ann = begin();
  ann.request(5, R"({"x":[1,2]})", "place", "orders");
  const Answered answer = ann.answer(5);
  EXPECT_EQ(answer.result, R"({"x":[1,2]})");
  EXPECT_EQ(answer.error, "null");
  EXPECT_EQ(answer.outcome, RequestOutcome::ok);
  ASSERT_EQ(mesh().published.size(), 1U);
  const mesh::Outgoing& sent = mesh().published.front();
  EXPECT_EQ(sent.type, MessageType::request);
  EXPECT_EQ(sent.routing_key, "orders");
  EXPECT_EQ(sent.trace_id, "t5");
  EXPECT_EQ(sent.deadline, clock_.now() + std::chrono::seconds(30));
  EXPECT_THAT(sent.body, AllOf(HasSubstr(R"("method":"place")"), HasSubstr(R"("params":{"x":[1,2]})"),
                               HasSubstr(R"("user_id":"ann")"), HasSubstr(R"("Authorisation":"ann")")));
}

TEST_F(MeshdRequests, ADeadlineIsNoLaterThanTheLimit) {
  config_.request.max_ttl_ms = 1000;
  Client& ann = begin();
  ann.request(5);
  settle();
  EXPECT_EQ(mesh().published.front().deadline, clock_.now() + milliseconds(1000));
}

TEST_F(MeshdRequests, AnAnswerIsAcknowledgedOnceItIsInTheRing) {
  Client& ann = begin();
  std::uint64_t in_ring = 0;
  mesh().on_acknowledged = [&] { in_ring = edge_->unread(); };
  ann.request(1);
  settle();
  EXPECT_THAT(mesh().acknowledged, ElementsAre(1));
  EXPECT_GT(in_ring, 0U) << "or a meshd that dies between the two would lose it";
  (void)ann.answer(1);
}

TEST_F(MeshdRequests, ACommandIsAnsweredOnceTheBrokerHasIt) {
  Client& ann = begin();
  mesh().holding = true;
  ann.command(1);
  EXPECT_TRUE(edge_->quiet());
  mesh().release();
  const Answered answer = ann.answer(1);
  EXPECT_EQ(answer.result, "null");
  EXPECT_EQ(answer.error, "null");
  EXPECT_EQ(mesh().published.front().type, MessageType::command);
}

TEST_F(MeshdRequests, ADescriptionIsAskedForByItsOwnMethod) {
  Client& ann = begin();
  ann.describe(1);
  EXPECT_THAT(ann.answer(1).result, HasSubstr("echo"));
  EXPECT_THAT(mesh().published.front().body, HasSubstr(R"("method":"nuropb_describe")"));
}

TEST_F(MeshdRequests, AnEventIsPublishedWithoutTheToken) {
  Client& ann = begin();
  ann.event(1, "orders.placed", R"({"n":7})", R"(["bob"])");
  EXPECT_EQ(ann.answer(1).error, "null");
  const mesh::Outgoing& sent = mesh().published.front();
  EXPECT_EQ(sent.type, MessageType::event);
  EXPECT_EQ(sent.routing_key, "orders.placed");
  EXPECT_THAT(sent.body, AllOf(HasSubstr(R"({"n":7})"), HasSubstr(R"(["bob"])"), HasSubstr(R"("user_id":"ann")"),
                               Not(HasSubstr("Authorisation"))));
}

TEST_F(MeshdRequests, AServicesErrorIsPassedOn) {
  Client& ann = begin();
  mesh().holding = true;
  ann.request(1);
  settle();
  mesh().respond(mesh().published.front().correlation_id, "null", R"({"error":"Full","description":"no room"})");
  const Answered answer = ann.answer(1);
  EXPECT_EQ(answer.name(), "Full");
  EXPECT_EQ(answer.outcome, RequestOutcome::error);
}

TEST_F(MeshdRequests, EachOutcomeOfTheBrokersIsToldInItsWords) {
  Client& ann = begin();
  mesh().holding = true;
  std::uint64_t sequence = 0;
  const auto outcome = [&](mesh::Outcome of) {
    ann.request(++sequence);
    settle();
    mesh().report(of, "why");
    return ann.answer(sequence);
  };
  const Answered missing = outcome(mesh::Outcome::not_delivered);
  EXPECT_EQ(missing.name(), error_name::not_delivered);
  EXPECT_EQ(missing.outcome, RequestOutcome::not_delivered);
  EXPECT_THAT(missing.error, HasSubstr("unable to call method echo"));
  const Answered refused = outcome(mesh::Outcome::refused);
  EXPECT_EQ(refused.name(), error_name::transport);
  EXPECT_EQ(refused.outcome, RequestOutcome::refused);
  EXPECT_THAT(refused.error, HasSubstr("why"));
  const Answered unknown = outcome(mesh::Outcome::unknown);
  EXPECT_EQ(unknown.outcome, RequestOutcome::unknown);
  EXPECT_THAT(unknown.error, HasSubstr(R"("outcome":"unknown")"));
}

TEST_F(MeshdRequests, ARequestThatExpiredBeforeItWasSentIsSettledAndLeftToItsEdge) {
  Client& ann = begin();
  mesh().holding = true;
  ann.request(1);
  settle();
  EXPECT_LT(edge_->settled(), edge_->written());
  mesh().report(mesh::Outcome::expired);
  EXPECT_TRUE(edge_->quiet());
  EXPECT_EQ(edge_->settled(), edge_->written());
}

TEST_F(MeshdRequests, NothingIsSettledBeforeTheBrokerHasSaidWhatBecameOfIt) {
  Client& ann = begin();
  settle();
  const std::uint64_t before = edge_->settled();
  EXPECT_EQ(before, edge_->written());
  mesh().holding = true;
  ann.request(1);
  const std::uint64_t first = edge_->written();
  ann.request(2);
  ann.request(3, "{}", "_private");  // has its answer at once
  settle();
  EXPECT_EQ(edge_->taken(), edge_->written());
  EXPECT_EQ(edge_->settled(), before) << "in the order of the ring";
  (void)ann.answer(3);
  mesh().report(mesh::Outcome::confirmed);
  settle();
  EXPECT_EQ(edge_->settled(), first);
  mesh().report(mesh::Outcome::confirmed);
  settle();
  EXPECT_EQ(edge_->settled(), edge_->written());
}

TEST_F(MeshdRequests, WhatIsSettledHasItsAnswerInTheRing) {
  Client& ann = begin();
  settle();
  const std::uint64_t before = edge_->settled();
  ann.request(1, "{}", "_private");
  ann.authorize(2, "bob");
  ann.subscribe(3, "nuropb-gateway.x");
  const auto two = edge_->unread();
  settle_with([&] {
    // All three were read in one turn, so they are settled together when all three are answered.
    if (edge_->settled() > before) { EXPECT_GT(edge_->unread(), two + 2 * sizeof(shm::RecordHeader)); }
  });
  EXPECT_EQ(edge_->settled(), edge_->written());
  EXPECT_EQ(ann.answer(1).name(), error_name::handling);
  EXPECT_EQ(ann.answer(2).name(), error_name::authorization);
  EXPECT_EQ(ann.answer(3).name(), error_name::authorization);
}

TEST_F(MeshdRequests, AFullBrokerLeavesRingsUnread) {
  Client& ann = begin();
  FakeEdge& other = attach();
  Client bob = open(other, 0, "bob");
  settle();
  mesh().full = true;
  ann.request(1);
  settle();
  const std::uint64_t taken = edge_->taken(), taken_of_other = other.taken();
  EXPECT_EQ(taken, edge_->written()) << "what is read waits in meshd";
  ann.request(2);
  bob.request(1);
  settle();
  EXPECT_EQ(edge_->taken(), taken);
  EXPECT_EQ(other.taken(), taken_of_other);
  mesh().make_room();
  (void)ann.answer(1);
  (void)ann.answer(2);
  (void)bob.answer(1);
}

TEST_F(MeshdRequests, AnEdgeWithMuchToSayDoesNotHoldUpAnother) {
  Client& ann = begin();
  Client bob = open(attach(), 0, "bob");
  for (std::uint64_t i = 1; i <= 200; ++i) ann.request(i, "{}");
  bob.request(1, "{}");
  settle();
  ASSERT_EQ(mesh().published.size(), 201U);
  std::size_t place = 0;
  while (!mesh().published[place].body.empty() &&
         mesh().published[place].body.find(R"("user_id":"bob")") == std::string::npos)
    ++place;
  EXPECT_LE(place, 128U) << "each edge has its turn";
}

TEST_F(MeshdRequests, AnswersForWhichTheRingHasNoRoomWaitAndAreAcknowledgedLater) {
  Client& ann = begin();
  const std::string params = params_of(12'000);
  for (std::uint64_t i = 1; i <= 4; ++i) ann.request(i, params);
  settle();
  for (std::uint64_t i = 5; i <= 8; ++i) ann.request(i, params);
  settle();
  EXPECT_LT(mesh().acknowledged.size(), 8U);
  EXPECT_GE(mesh().acknowledged.size(), 4U);
  for (std::uint64_t i = 1; i <= 8; ++i) EXPECT_EQ(ann.answer(i).result, params);
  settle();
  EXPECT_EQ(mesh().acknowledged.size(), 8U);
  EXPECT_GE(metric("nuropb_gateway_ring_stalls_total{worker=\"0\",ring=\"return\"}"), 1);
}

TEST_F(MeshdRequests, AnAnswerForAnEdgeThatDiedIsAcknowledged) {
  Client& ann = begin();
  pass(std::chrono::seconds(10));
  mesh().holding = true;
  ann.request(1);
  settle();
  edge_->die();
  settle();
  mesh().release();
  settle();
  EXPECT_THAT(mesh().acknowledged, ElementsAre(1));
}

TEST_F(MeshdRequests, RecordsThatADeadEdgeHadWrittenAreStillPublished) {
  Client& ann = begin();
  ann.request(1);
  ann.command(2);
  edge_->die();
  settle();
  EXPECT_EQ(mesh().published.size(), 2U);
  EXPECT_EQ(operate("status")["workers"].size(), 0U);
}

TEST_F(MeshdRequests, AnAnswerToNoRequestIsAcknowledgedAndDropped) {
  (void)begin();
  mesh().respond("rubbish", "1");
  mesh().respond(std::string(48, '0'), "1");
  EXPECT_TRUE(edge_->quiet());
  EXPECT_EQ(mesh().acknowledged.size(), 2U);
}

TEST_F(MeshdRequests, AResponseThatCannotBeReadIsAnErrorForTheClient) {
  Client& ann = begin();
  mesh().holding = true;
  for (std::uint64_t i = 1; i <= 3; ++i) ann.request(i);
  settle();
  const auto hand_over = [&](std::size_t which, std::string body, bool encrypted) {
    mesh::Incoming response;
    response.type = MessageType::response;
    response.correlation_id = mesh().published[which].correlation_id;
    response.body = std::move(body);
    response.encrypted = encrypted;
    mesh().hand_over(std::move(response));
  };
  hand_over(0, "rubbish", false);
  EXPECT_EQ(ann.answer(1).name(), error_name::message);
  hand_over(1, "rubbish", true);
  EXPECT_THAT(ann.answer(2).error, HasSubstr("the response is encrypted"));
  hand_over(2, std::string(config_.limits.message_bytes + 1, ' '), false);
  EXPECT_THAT(ann.answer(3).error, HasSubstr("limits.message_bytes"));
  EXPECT_EQ(mesh().acknowledged.size(), 3U);
}

TEST_F(MeshdRequests, ARequestOfASessionThatIsClosedIsMarkedAsAbandoned) {
  Client& ann = begin();
  mesh().holding = true;
  ann.request(1);
  settle();
  const auto abandoned = mesh().published.front().abandoned;
  ASSERT_TRUE(abandoned);
  EXPECT_FALSE(*abandoned);
  ann.close();
  settle();
  EXPECT_TRUE(*abandoned);
}

// Early answers: an edge of the previous meshd has not found this one yet.

TEST_F(MeshdRequests, AnAnswerThatIsHereBeforeItsEdgeWaitsForIt) {
  Client& ann = begin();
  mesh().holding = true;
  ann.request(1);
  settle();
  const std::string asked = mesh().published.front().correlation_id;
  const std::string ticket = edge_->welcome->ticket;
  restart();
  mesh().respond(asked, "42");
  settle();
  EXPECT_TRUE(mesh().acknowledged.empty()) << "or the next meshd would not get it, should this one die";
  FakeEdge& again = attach(ticket);
  const auto got = again.next<records::Response>(Type::response);
  EXPECT_EQ(got.header.sequence, 1U);
  EXPECT_EQ(got->result, "42");
  EXPECT_THAT(mesh().acknowledged, ElementsAre(1));
}

TEST_F(MeshdRequests, AnAnswerWhoseEdgeDoesNotComeIsGivenUp) {
  (void)begin();
  Client bob = open(attach(), 0, "bob");
  mesh().holding = true;
  bob.request(1);
  settle();
  const std::string asked = mesh().published.front().correlation_id;
  restart();
  mesh().respond(asked, "42");
  FakeEdge& another = attach();  // which has another slot
  EXPECT_TRUE(another.quiet());
  EXPECT_TRUE(mesh().acknowledged.empty());
  pass(std::chrono::seconds(5));
  EXPECT_THAT(mesh().acknowledged, ElementsAre(1));
  mesh().respond(asked, "42");
  settle();
  EXPECT_THAT(mesh().acknowledged, ElementsAre(1, 2)) << "meshd no longer waits for edges of its predecessor";
}

// Policy.

TEST_F(MeshdRequests, TheDefaultPolicyAllowsRequestsOnly) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  ann.request(1);
  EXPECT_EQ(ann.answer(1).error, "null");
  ann.command(2);
  const Answered command = ann.answer(2);
  EXPECT_EQ(command.name(), error_name::authorization);
  EXPECT_EQ(command.outcome, RequestOutcome::denied);
  EXPECT_THAT(command.error, HasSubstr("this user may not command it (policy)"));
  ann.event(3, "a.b");
  EXPECT_EQ(ann.answer(3).name(), error_name::authorization);
  ann.subscribe(4, "a.b");
  EXPECT_EQ(ann.answer(4).name(), error_name::authorization);
  EXPECT_EQ(mesh().published.size(), 1U);
}

TEST_F(MeshdRequests, ARuleThatDeniesADescriptionDeniesItByBothNames) {
  write_policy("default = [\"request\", \"describe\"]\n[[deny]]\nverbs = [\"describe\"]\nservices = [\"demo\"]\n");
  start();
  Client ann = open(attach(), 0);
  ann.describe(1);
  EXPECT_EQ(ann.answer(1).name(), error_name::authorization);
  ann.request(2, "{}", "nuropb_describe");
  EXPECT_EQ(ann.answer(2).name(), error_name::authorization);
  ann.request(3, "{}", "nuropb_describe", "orders");
  EXPECT_EQ(ann.answer(3).error, "null");
}

TEST_F(MeshdRequests, PrivateMethodsAndReservedTopicsAreForNoClient) {
  Client& ann = begin();
  ann.request(1, "{}", "_secret");
  EXPECT_THAT(ann.answer(1).error, HasSubstr("Unknown method _secret"));
  ann.event(2, "nuropb-gateway.gateway");
  EXPECT_EQ(ann.answer(2).name(), error_name::authorization);
  std::string words = "a";
  for (int i = 0; i < 120; ++i) words += ".a";
  ann.event(3, words);
  EXPECT_EQ(ann.answer(3).name(), error_name::validation);
  EXPECT_TRUE(mesh().published.empty());
}

// Limits.

TEST_F(MeshdRequests, WhatIsOverAUsersRateIsRefusedOverAllEdges) {
  config_.limits.user.messages_per_s = 2;
  Client& ann = begin();
  Client elsewhere = open(attach(), 0, "ann");
  Client bob = open(attach(), 0, "bob");
  ann.request(1);
  EXPECT_EQ(ann.answer(1).error, "null");
  elsewhere.request(1);
  EXPECT_EQ(elsewhere.answer(1).error, "null");
  ann.request(2);
  const Answered over = ann.answer(2);
  EXPECT_EQ(over.outcome, RequestOutcome::refused);
  EXPECT_THAT(over.error, HasSubstr("limits.user_messages_per_s"));
  bob.request(1);
  EXPECT_EQ(bob.answer(1).error, "null");
  pass(std::chrono::seconds(1));
  elsewhere.request(2);
  EXPECT_EQ(elsewhere.answer(2).error, "null");
  EXPECT_EQ(metric("nuropb_gateway_refused_by_limit_total{limit=\"user_messages_per_s\"}"), 1);
}

TEST_F(MeshdRequests, WhatIsOverAUsersBytesIsRefused) {
  config_.limits.user.bytes_per_s = 1000;
  Client& ann = begin();
  const std::string params = params_of(700);
  ann.request(1, params);
  EXPECT_EQ(ann.answer(1).error, "null");
  ann.request(2, params);
  EXPECT_THAT(ann.answer(2).error, HasSubstr("limits.user_bytes_per_s"));
}

TEST_F(MeshdRequests, ASessionThatStaysOverItsRateIsEnded) {
  config_.limits.user.messages_per_s = 1;
  Client& ann = begin();
  ann.request(1);
  EXPECT_EQ(ann.answer(1).error, "null");
  ann.request(2);
  EXPECT_EQ(ann.answer(2).outcome, RequestOutcome::refused);
  ann.request(3);
  EXPECT_EQ(ann.answer(3).outcome, RequestOutcome::refused) << "first, so that its client knows that it did not run";
  EXPECT_EQ(ann.ended(), close_code::rate_exceeded);
  EXPECT_EQ(mesh().published.size(), 1U);
}

TEST_F(MeshdRequests, AnUnsubscriptionGoesOnWhateverTheRate) {
  config_.limits.user.messages_per_s = 1;
  Client& ann = begin();
  ann.subscribe(1, "a.b");
  EXPECT_EQ(ann.answer(1).error, "null");
  ann.unsubscribe(2, "a.b");
  EXPECT_EQ(ann.answer(2).error, "null");
  EXPECT_FALSE(mesh().bound.contains("a.b"));
}

// Encryption.

TEST_F(MeshdRequests, AServiceIsAskedForItsDescriptionBeforeItsFirstRequest) {
  config_.request.encryption = true;
  Client& ann = begin();
  ann.request(1);
  EXPECT_EQ(ann.answer(1).error, "null");
  ASSERT_EQ(mesh().published.size(), 2U);
  EXPECT_THAT(mesh().published[0].body, HasSubstr("nuropb_describe"));
  EXPECT_THAT(mesh().published[1].body, HasSubstr(R"("method":"echo")"));
  EXPECT_FALSE(mesh().published[1].encrypted) << "Loopback's services require no encryption";
  ann.command(2);
  EXPECT_EQ(ann.answer(2).error, "null");
  EXPECT_EQ(mesh().published.size(), 3U) << "the description is remembered";
}

TEST_F(MeshdRequests, ARequestWhoseServiceDoesNotDescribeItselfIsRefusedAndSettled) {
  config_.request.encryption = true;
  Client& ann = begin();
  mesh().holding = true;
  ann.request(1);
  settle();
  ASSERT_EQ(mesh().held(), 1U) << "the question";
  mesh().report(mesh::Outcome::not_delivered);
  const Answered answer = ann.answer(1);
  EXPECT_EQ(answer.name(), error_name::not_delivered);
  EXPECT_EQ(edge_->settled(), edge_->written());
}

}  // namespace nuropb::meshd
