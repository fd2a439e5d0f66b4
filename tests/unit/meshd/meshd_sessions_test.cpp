// Sessions of clients: how they are opened, refused, authenticated again, and ended.

#include "meshd/policy.hpp"
#include "tests/unit/meshd/meshd_fixture.hpp"

namespace nuropb::meshd {

using records::CredentialKind;
using records::Type;
using ::testing::HasSubstr;

using MeshdSessions = MeshdTest;

TEST_F(MeshdSessions, AGoodTokenOpensASessionOfItsUser) {
  start();
  FakeEdge& edge = attach();
  Client ann = present(edge, 3, "ann");
  const auto got = edge.next<records::SessionAccepted>(Type::session_accepted);
  EXPECT_EQ(got->session, 3U);
  EXPECT_EQ(got->serial, ann.serial);
  EXPECT_EQ(got->user_id, "ann");
  EXPECT_EQ(got->username, "null");
  EXPECT_FALSE(got->ticket.empty());
  EXPECT_FALSE(got->resume.empty());
  EXPECT_TRUE(edge.quiet());
  EXPECT_EQ(operate("sessions")["count"]["sessions"], 1);
}

TEST_F(MeshdSessions, ABadTokenIsRefusedAndTheLogDoesNotHaveIt) {
  authorizer_.verdicts.emplace("bad-token", Verdict::refuse("the signature is wrong"));
  start();
  FakeEdge& edge = attach();
  Client client = present(edge, 0, "bad-token");
  EXPECT_EQ(refused(client), close_code::token_refused);
  EXPECT_TRUE(logged("the signature is wrong"));
  EXPECT_FALSE(logged("bad-token"));
  // The slot can be used again at once.
  Client other = open(edge, 0, "ann");
  EXPECT_EQ(other.user, "ann");
}

TEST_F(MeshdSessions, ATokenThatCannotBeValidatedNowIsRefusedForNow) {
  authorizer_.verdicts.emplace("ann", Verdict::later("the issuer does not answer"));
  start();
  Client client = present(attach(), 0, "ann");
  EXPECT_EQ(refused(client), close_code::mesh_unavailable);
  EXPECT_EQ(metric("nuropb_gateway_auth_failures_total{reason=\"unavailable\"}"), 1);
}

TEST_F(MeshdSessions, AValidationThatEndsAfterTheClientLeftIsIgnored) {
  authorizer_.waits = true;
  start();
  FakeEdge& edge = attach();
  Client first = present(edge, 0, "ann");
  settle();
  first.close();
  Client second = present(edge, 0, "bob");
  settle();
  ASSERT_EQ(authorizer_.waiting.size(), 2U);
  authorizer_.waiting[0](user("ann"));
  EXPECT_TRUE(edge.quiet());
  authorizer_.waiting[1](user("bob"));
  accepted(second);
  EXPECT_EQ(second.user, "bob");
}

TEST_F(MeshdSessions, AValidationThatEndsAfterTheEdgeDiedIsIgnored) {
  authorizer_.waits = true;
  start();
  FakeEdge& edge = attach();
  (void)present(edge, 0, "ann");
  settle();
  edge.die();
  settle();
  ASSERT_EQ(authorizer_.waiting.size(), 1U);
  authorizer_.waiting[0](user("ann"));
  settle();
  EXPECT_EQ(operate("sessions")["count"]["sessions"], 0);
}

TEST_F(MeshdSessions, ATicketOpensTheSessionAgainAtTheNextMeshd) {
  start();
  FakeEdge& edge = attach();
  const Client ann = open(edge, 1);
  const std::string worker_ticket = edge.welcome->ticket;
  restart();
  FakeEdge& again = attach(worker_ticket);
  ASSERT_TRUE(again.welcome);
  EXPECT_EQ(again.welcome->slot, edge.welcome->slot);
  EXPECT_EQ(again.welcome->generation, edge.welcome->generation);
  Client back = present(again, 1, ann.ticket, CredentialKind::ticket, HandlerKind::web_socket, ann.id);
  accepted(back);
  EXPECT_EQ(back.user, "ann");
  // The ticket of another session, or a changed one, is refused.
  Client thief = present(again, 2, ann.ticket, CredentialKind::ticket);
  EXPECT_EQ(refused(thief), close_code::token_refused);
  Client forger = present(again, 3, "no ticket", CredentialKind::ticket, HandlerKind::web_socket, ann.id);
  EXPECT_EQ(refused(forger), close_code::token_refused);
}

TEST_F(MeshdSessions, ATicketOfAnotherEdgeIsRefused) {
  start();
  FakeEdge& edge = attach();
  const Client ann = open(edge, 1);
  Client thief = present(attach(), 1, ann.ticket, CredentialKind::ticket, HandlerKind::web_socket, ann.id);
  EXPECT_EQ(refused(thief), close_code::token_refused);
}

TEST_F(MeshdSessions, ATicketOfARevokedUserEndsTheSessionThatItOpens) {
  start();
  FakeEdge& edge = attach();
  const Client ann = open(edge, 1);
  authorizer_.revoked.insert("ann");
  restart();
  FakeEdge& again = attach(edge.welcome->ticket);
  Client back = present(again, 1, ann.ticket, CredentialKind::ticket, HandlerKind::web_socket, ann.id);
  accepted(back);
  EXPECT_EQ(back.ended(), close_code::revoked);
}

TEST_F(MeshdSessions, ATicketWhoseTokenHasExpiredEndsTheSessionThatItOpens) {
  authorizer_.verdicts.emplace("ann", user("ann", unix_now() - 1));
  start();
  FakeEdge& edge = attach();
  const Client ann = open(edge, 1);
  restart();
  FakeEdge& again = attach(edge.welcome->ticket);
  Client back = present(again, 1, ann.ticket, CredentialKind::ticket, HandlerKind::web_socket, ann.id);
  accepted(back);
  EXPECT_EQ(back.ended(), close_code::token_expired);
}

TEST_F(MeshdSessions, AClientWithoutATokenIsRefused) {
  start();
  Client nobody = present(attach(), 0, "", CredentialKind::none);
  EXPECT_EQ(refused(nobody), close_code::token_refused);
}

TEST_F(MeshdSessions, AKindOfHandlersThatIsOffIsRefusedForNow) {
  start();
  Client client = present(attach(), 0, "ann", CredentialKind::header, HandlerKind::lines);
  EXPECT_EQ(refused(client), close_code::mesh_unavailable);
}

TEST_F(MeshdSessions, AUserHasNoMoreConnectionsThanTheLimitOverAllEdges) {
  config_.limits.connections_per_user = 2;
  start();
  FakeEdge& one = attach();
  FakeEdge& two = attach();
  Client first = open(one, 0);
  (void)open(two, 0);
  Client third = present(two, 1, "ann");
  EXPECT_EQ(refused(third), close_code::too_many_connections);
  (void)open(two, 2, "bob");
  first.close();
  settle();
  (void)open(two, 3, "ann");
  EXPECT_EQ(metric("nuropb_gateway_refused_by_limit_total{limit=\"connections_per_user\"}"), 1);
}

TEST_F(MeshdSessions, AFreshTokenOfTheSameUserTakesTheSessionFurther) {
  start();
  Client ann = open(attach(), 0);
  authorizer_.verdicts.emplace("fresh", user("ann", unix_now() + 3600));
  ann.authorize(7, "fresh");
  const std::string before = ann.ticket;
  accepted(ann);
  EXPECT_NE(ann.ticket, before);
  const Answered answer = ann.answer(7);
  EXPECT_EQ(answer.error, "null");
  EXPECT_THAT(answer.result, HasSubstr(R"("user_id":"ann")"));
}

TEST_F(MeshdSessions, ATokenOfAnotherUserChangesNothing) {
  start();
  Client ann = open(attach(), 0);
  ann.authorize(7, "bob");
  EXPECT_EQ(ann.answer(7).name(), error_name::authorization);
  ann.request(8);
  settle();
  EXPECT_THAT(mesh().published.back().body, HasSubstr(R"("user_id":"ann")"));
}

TEST_F(MeshdSessions, AFreshTokenThatIsRefusedOrNotValidatedChangesNothing) {
  authorizer_.verdicts.emplace("bad", Verdict::refuse("expired"));
  authorizer_.verdicts.emplace("later", Verdict::later("no issuer"));
  start();
  Client ann = open(attach(), 0);
  ann.authorize(7, "bad");
  EXPECT_EQ(ann.answer(7).name(), error_name::authentication);
  ann.authorize(8, "later");
  EXPECT_EQ(ann.answer(8).name(), error_name::transport);
  ann.request(9);
  EXPECT_EQ(ann.answer(9).error, "null");
}

TEST_F(MeshdSessions, OneFreshTokenIsValidatedAtATime) {
  start();
  Client ann = open(attach(), 0);
  authorizer_.waits = true;
  ann.authorize(7, "ann");
  ann.authorize(8, "ann");
  EXPECT_EQ(ann.answer(8).name(), error_name::transport);
  authorizer_.waiting.front()(user("ann"));
  accepted(ann);
  EXPECT_EQ(ann.answer(7).error, "null");
}

TEST_F(MeshdSessions, AClientIsWarnedBeforeItsTokenExpires) {
  authorizer_.verdicts.emplace("ann", user("ann", unix_now() + 30));
  start();
  FakeEdge& edge = attach();
  const Client ann = open(edge, 2);
  pass(std::chrono::seconds(1));
  const auto notice = edge.next<records::SessionNotice>(Type::session_notice);
  EXPECT_EQ(notice->session, 2U);
  EXPECT_THAT(std::string(notice->text), HasSubstr("session_expiring"));
  EXPECT_THAT(std::string(notice->text), HasSubstr(ann.id.hex()));
  pass(std::chrono::seconds(1));
  EXPECT_TRUE(edge.quiet()) << "it is said once";
}

TEST_F(MeshdSessions, AnExpiredTokenEndsItsSession) {
  authorizer_.verdicts.emplace("ann", user("ann", unix_now() - 1));
  start();
  Client ann = open(attach(), 2);
  pass(std::chrono::seconds(1));
  EXPECT_EQ(ann.ended(), close_code::token_expired);
  EXPECT_EQ(metric("nuropb_gateway_auth_failures_total{reason=\"expired\"}"), 1);
}

TEST_F(MeshdSessions, AReloadEndsSessionsOfRevokedUsersAndNoOthers) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0, "ann");
  Client bob = open(edge, 1, "bob");
  authorizer_.revoked.insert("ann");
  EXPECT_EQ(operate("reload")["edges"].size(), 1U);
  EXPECT_EQ(ann.ended(), close_code::revoked);
  bob.request(1);
  EXPECT_EQ(bob.answer(1).error, "null");
}

TEST_F(MeshdSessions, AReloadAppliesTheNewPolicyToSessionsThatAreOpen) {
  write_policy("default = [\"request\", \"subscribe\"]\n");
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  ann.subscribe(1, "orders.new");
  ann.subscribe(2, "public.news");
  EXPECT_EQ(ann.answer(1).error, "null");
  EXPECT_EQ(ann.answer(2).error, "null");
  write_policy("default = [\"subscribe\"]\n[[deny]]\nverbs = [\"subscribe\"]\ntopics = [\"orders.#\"]\n");
  (void)operate("reload");
  const auto gone = edge.next<records::SubscriptionEnded>(Type::subscription_ended);
  EXPECT_EQ(gone->topic, "orders.new");
  EXPECT_THAT(std::string(gone->error), HasSubstr(std::string(may_not_subscribe)));
  EXPECT_FALSE(mesh().bound.contains("orders.new"));
  EXPECT_TRUE(mesh().bound.contains("public.news"));
  ann.request(3);
  EXPECT_EQ(ann.answer(3).name(), error_name::authorization);
}

TEST_F(MeshdSessions, AReloadThatFailsLeavesAllAsItWas) {
  write_policy("default = [\"request\", \"subscribe\"]\n");
  start();
  Client ann = open(attach(), 0);
  write_policy("default = 7\n");
  authorizer_.reload_error = "tokens.toml:1: rubbish";
  const auto [status, body] = admin("/operations/reload", "{}");
  EXPECT_EQ(status, 400);
  EXPECT_THAT(body, HasSubstr("tokens.toml:1: rubbish"));
  EXPECT_THAT(body, HasSubstr("policy.toml"));
  ann.subscribe(1, "orders.new");
  EXPECT_EQ(ann.answer(1).error, "null");
}

TEST_F(MeshdSessions, AReloadThatDeniesATopicAnswersPendingSubscriptions) {
  write_policy("default = [\"subscribe\"]\n");
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  mesh().holding_patterns = true;
  ann.subscribe(1, "orders.new");
  settle();
  write_policy("default = [\"request\"]\n");
  (void)operate("reload");
  EXPECT_EQ(ann.answer(1).name(), error_name::authorization);
  EXPECT_EQ(edge.next<records::SubscriptionEnded>(Type::subscription_ended)->topic, "orders.new");
}

TEST_F(MeshdSessions, ATokenIsValidatedByAServiceOfTheMesh) {
  mesh_authorizer_.emplace(MeshAuthorizer::Settings{"auth", "whose"});
  start(false);
  FakeEdge& edge = attach();
  Client early = present(edge, 0, "ann");
  EXPECT_EQ(refused(early), close_code::mesh_unavailable) << "there is no broker yet";
  loop_->connect_broker();
  settle();
  mesh().holding = true;
  Client ann = present(edge, 1, "ann");
  EXPECT_TRUE(edge.quiet());
  ASSERT_EQ(mesh().published.size(), 1U);
  EXPECT_EQ(mesh().published[0].routing_key, "auth");
  mesh().respond(mesh().published[0].correlation_id, R"({"user_id":"ann"})");
  accepted(ann);
  EXPECT_EQ(ann.user, "ann");
  EXPECT_EQ(mesh().acknowledged.size(), 1U);
  Client nobody = present(edge, 2, "bob");
  settle();
  mesh().report(mesh::Outcome::confirmed);
  mesh().report(mesh::Outcome::not_delivered);
  EXPECT_EQ(refused(nobody), close_code::mesh_unavailable);
}

TEST_F(MeshdSessions, RecordsOfASessionThatWasEndedAreIgnored) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  authorizer_.revoked.insert("ann");
  (void)operate("reload");
  EXPECT_EQ(ann.ended(), close_code::revoked);
  const std::size_t before = mesh().published.size();
  ann.request(1);
  ann.command(2);
  ann.event(3, "a.b");
  ann.subscribe(4, "a.b");
  ann.authorize(5, "ann");
  ann.close();
  EXPECT_TRUE(edge.quiet());
  EXPECT_FALSE(edge.detached());
  EXPECT_EQ(mesh().published.size(), before);
  EXPECT_EQ(edge.settled(), edge.written());
}

}  // namespace nuropb::meshd
