// What operators use: the admin socket, the console and taps; and messages pushed to clients.

#include <signal.h>

#include "meshd/taps.hpp"
#include "tests/unit/meshd/meshd_fixture.hpp"

namespace nuropb::meshd {

using nlohmann::json;
using records::Type;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class MeshdOperators : public MeshdTest {
 protected:
  MeshdOperators() { write_policy("default = [\"request\", \"command\", \"event\", \"subscribe\"]\n"); }

  static std::string keep(Client& client) {
    auto record = client.resume_record(records::Resume::What::keep);
    record.trace_id = "\"k\"";
    record.deadline_ms = UINT64_MAX;
    client.resume(record, 1);
    const std::string token(client.edge.next<records::Resumed>(Type::resumed)->token);
    (void)client.edge.next<records::Numbered>(Type::numbered);
    return token;
  }
  /// Resumable sessions of ann and bob.
  std::pair<Client, Client> open_numbered(FakeEdge& edge) {
    std::pair<Client, Client> out(open(edge, 0), open(edge, 1, "bob"));
    (void)keep(out.first);
    (void)keep(out.second);
    return out;
  }
  /// The response of the admin socket so far: its body as JSON; null: nothing yet.
  json answer_on(const shm::UniqueFd& connection) {
    const std::string text = heard(connection);
    const auto head = text.find("\r\n\r\n");
    return head == std::string::npos ? json() : json::parse(text.substr(head + 4));
  }
  shm::UniqueFd begin_operation(const std::string& name, const json& params) {
    auto connection = ask_admin("/operations/" + name, params.dump());
    EXPECT_TRUE(answer_on(connection).is_null()) << "it waits for the edges";
    return connection;
  }
};

TEST_F(MeshdOperators, ThePagesSayHowTheGatewayIs) {
  start(false);
  EXPECT_EQ(admin("/healthz").first, 200);
  EXPECT_EQ(admin("/readyz").first, 503) << "there is no edge";
  FakeEdge& edge = attach();
  EXPECT_EQ(admin("/readyz").first, 200);
  edge.segments().set(shm::EdgeCounter::draining, 1);
  EXPECT_EQ(admin("/readyz").first, 503) << "its only edge drains";
  EXPECT_EQ(admin("/nothing").first, 404);
  EXPECT_THAT(admin("/metrics").second, HasSubstr("nuropb_gateway_workers 1"));
}

TEST_F(MeshdOperators, ReadinessMayAskForTheBroker) {
  config_.listen.ready_with_broker = true;
  start(false);
  (void)attach();
  EXPECT_EQ(admin("/readyz").first, 503);
  loop_->connect_broker();
  settle();
  EXPECT_EQ(admin("/readyz").first, 200);
}

TEST_F(MeshdOperators, MetricsCountWhatPassed) {
  start();
  Client ann = open(attach(), 0);
  const double before = metric("nuropb_gateway_amqp_confirms_total");  // of what meshd itself has published
  ann.request(1);
  (void)ann.answer(1);
  EXPECT_EQ(metric("nuropb_gateway_amqp_confirms_total"), before + 1);
  EXPECT_EQ(metric("nuropb_gateway_amqp_received_total{type=\"response\"}"), 1);
  EXPECT_EQ(metric("nuropb_gateway_users"), 1);
  EXPECT_EQ(metric("nuropb_gateway_amqp_state{state=\"ready\"}"), 1);
}

TEST_F(MeshdOperators, WhatAnEdgeHasCountedStaysWithItsSlot) {
  start();
  FakeEdge& edge = attach();
  edge.segments().count(shm::EdgeCounter::bad_messages, 3);
  EXPECT_EQ(metric("nuropb_gateway_bad_messages_total"), 3);
  edge.die();
  EXPECT_EQ(metric("nuropb_gateway_bad_messages_total"), 3);
  attach().segments().count(shm::EdgeCounter::bad_messages);
  EXPECT_EQ(metric("nuropb_gateway_bad_messages_total"), 4);
}

TEST_F(MeshdOperators, TheStatusNamesEdgesAndSessions) {
  start();
  FakeEdge& edge = attach();
  (void)open(edge, 0);
  const json status = operate("status");
  EXPECT_EQ(status["mesh"], "loopback");
  EXPECT_EQ(status["broker"]["state"], "ready");
  EXPECT_EQ(status["sessions"], 1);
  EXPECT_EQ(status["handler_sessions"]["websocket"], 1);
  ASSERT_EQ(status["workers"].size(), 1U);
  EXPECT_EQ(status["workers"][0]["pid"], edge.pid());
  EXPECT_EQ(status["workers"][0]["slot"], edge.welcome->slot);
}

TEST_F(MeshdOperators, OperationsThatCannotBeReadAreRefused) {
  start();
  EXPECT_EQ(admin("/operations/status", "{").first, 400);
  EXPECT_EQ(admin("/operations/status", "[]").first, 400);
  EXPECT_EQ(admin("/operations/nothing", "{}").first, 400);
  EXPECT_THAT(admin("/operations/sessions", R"({"handler":"lines"})").second, HasSubstr("no consumers of handler"));
}

TEST_F(MeshdOperators, AnEdgeIsDrainedByItsSlot) {
  start();
  FakeEdge& edge = attach();
  FakeEdge& other = attach();
  EXPECT_EQ(admin("/operations/drain_worker", R"({"slot":77})").first, 400);
  EXPECT_EQ(admin("/operations/drain_worker", R"({"slot":"x"})").first, 400);
  EXPECT_EQ(operate("drain_worker", {{"slot", edge.welcome->slot}})["pid"], edge.pid());
  EXPECT_FALSE(edge.detached());
  EXPECT_EQ(edge.ended_by(), SIGTERM);
  EXPECT_FALSE(other.detached());
}

TEST_F(MeshdOperators, AReloadIsPassedOnToTheEdges) {
  start();
  FakeEdge& edge = attach();
  EXPECT_EQ(operate("reload")["edges"], json::array({edge.pid()}));
  EXPECT_EQ(edge.ended_by(), SIGHUP);
}

TEST_F(MeshdOperators, SighupReloadsMeshd) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  authorizer_.revoked.insert("ann");
  ::raise(SIGHUP);
  EXPECT_EQ(ann.ended(), close_code::revoked);
  EXPECT_EQ(edge.ended_by(), SIGTERM) << "edges have a SIGHUP of their own, from who started them";
  Client bob = open(attach(), 0, "bob");
  authorizer_.revoked.insert("bob");
  ::raise(SIGHUP);
  EXPECT_EQ(bob.ended(), close_code::revoked) << "again and again";
}

// Pushes.

TEST_F(MeshdOperators, AMessageToAUserGoesToEachEdgeThatServesThem) {
  start();
  FakeEdge& one = attach();
  FakeEdge& two = attach();
  FakeEdge& three = attach();
  const Client ann = open(one, 3);
  const Client also_ann = open(two, 4);
  (void)open(two, 5, "bob");
  (void)open(three, 0, "cid");
  const auto operation = begin_operation("send_to_users", {{"user_ids", {"ann"}}, {"message", {{"n", 7}}}});
  std::uint64_t op = 0;
  for (const auto& [edge, client] : {std::pair(&one, &ann), std::pair(&two, &also_ann)}) {
    const auto push = edge->next<records::Push>(Type::push);
    EXPECT_FALSE(push->all);
    ASSERT_EQ(push->sessions.size(), 1U);
    EXPECT_EQ(push->sessions[0].session, client->slot);
    EXPECT_EQ(push->sessions[0].serial, client->serial);
    EXPECT_EQ(push->text, R"({"n":7})");
    op = push->op;
    edge->write(Type::pushed, records::Pushed{op, 1});
  }
  EXPECT_TRUE(three.quiet());
  const json outcome = answer_on(operation);
  EXPECT_EQ(outcome["connections"], 2);
  EXPECT_EQ(outcome["silent_edges"], 0);
}

TEST_F(MeshdOperators, AMessageToASessionGoesToItsEdgeAlone) {
  start();
  FakeEdge& edge = attach();
  const Client ann = open(edge, 0);
  const auto operation = begin_operation("send_to_session", {{"session_id", ann.id.hex()}, {"message", 1}});
  const auto push = edge.next<records::Push>(Type::push);
  EXPECT_EQ(push->sessions.size(), 1U);
  edge.write(Type::pushed, records::Pushed{push->op, 0});
  EXPECT_EQ(answer_on(operation)["connections"], 0) << "it has left meanwhile";
  EXPECT_EQ(operate("send_to_session", {{"session_id", SessionId::random().hex()}, {"message", 1}})["connections"], 0);
}

TEST_F(MeshdOperators, SessionsAreClosedByTheirEdges) {
  start();
  FakeEdge& edge = attach();
  (void)open(edge, 0);
  const auto operation = begin_operation("close_all", {{"code", 4000}, {"reason", "maintenance"}});
  const auto close = edge.next<records::CloseSessions>(Type::close_sessions);
  EXPECT_TRUE(close->all);
  EXPECT_EQ(close->code, 4000);
  EXPECT_EQ(close->reason, "maintenance");
  edge.write(Type::pushed, records::Pushed{close->op, 1});
  EXPECT_EQ(answer_on(operation)["connections"], 1);
  EXPECT_EQ(admin("/operations/close_all", R"({"code":5000})").first, 400);
}

TEST_F(MeshdOperators, AnEdgeThatSaysNothingIsNotWaitedForWithoutEnd) {
  config_.push.timeout_ms = 2000;
  start();
  FakeEdge& edge = attach();
  (void)open(edge, 0);
  const auto operation = begin_operation("send_to_all", {{"message", 1}});
  pass(milliseconds(1900));
  EXPECT_TRUE(answer_on(operation).is_null());
  pass(milliseconds(300));
  EXPECT_EQ(answer_on(operation)["silent_edges"], 1);
  // The edge's count comes too late, which is no violation.
  const auto push = edge.next<records::Push>(Type::push);
  edge.write(Type::pushed, records::Pushed{push->op, 1});
  EXPECT_FALSE(edge.detached());
}

TEST_F(MeshdOperators, AnEdgeThatDiesOverAPushIsSilent) {
  start();
  FakeEdge& edge = attach();
  (void)open(edge, 0);
  const auto operation = begin_operation("send_to_all", {{"message", 1}});
  edge.die();
  EXPECT_EQ(answer_on(operation)["silent_edges"], 1);
}

TEST_F(MeshdOperators, AnEdgeThatCountsMoreThanItHasIsKilled) {
  start();
  FakeEdge& edge = attach();
  const Client ann = open(edge, 0);
  const auto operation = begin_operation("send_to_session", {{"session_id", ann.id.hex()}, {"message", 1}});
  const auto push = edge.next<records::Push>(Type::push);
  edge.write(Type::pushed, records::Pushed{push->op, 2});
  EXPECT_TRUE(edge.killed());
  EXPECT_EQ(answer_on(operation)["silent_edges"], 1);
}

TEST_F(MeshdOperators, APushToASessionWithNumbersIsNumberedWhetherItHasASocketOrNot) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  (void)keep(ann);
  EXPECT_EQ(operate("send_to_session", {{"session_id", ann.id.hex()}, {"message", {{"n", 7}}}})["connections"], 1);
  const auto got = edge.next<records::Numbered>(Type::numbered);
  EXPECT_EQ(got->number, 2U);
  EXPECT_EQ(got->text, R"({"n":7})");
  EXPECT_EQ(operate("send_to_session", {{"session_id", ann.id.hex()}, {"message", 7}})["connections"], 1);
  EXPECT_EQ(edge.next<records::Numbered>(Type::numbered)->text, R"({"type":"message","payload":7})");
  ann.close(true);
  EXPECT_EQ(operate("send_to_users", {{"user_ids", {"ann"}}, {"message", 8}})["connections"], 1);
  EXPECT_TRUE(edge.quiet());
  EXPECT_EQ(operate("sessions")["count"]["sessions"], 1);
}

TEST_F(MeshdOperators, AClosedSessionWithNumbersWaitsOrIsGoneByItsCode) {
  start();
  FakeEdge& edge = attach();
  auto [ann, bob] = open_numbered(edge);
  EXPECT_EQ(operate("close_session", {{"session_id", ann.id.hex()}, {"code", 4001}})["connections"], 1);
  EXPECT_EQ(ann.ended(), 4001);
  EXPECT_EQ(operate("status")["sessions_waiting"], 1);
  EXPECT_EQ(operate("close_session", {{"session_id", bob.id.hex()}, {"code", 1000}})["connections"], 1);
  EXPECT_EQ(bob.ended(), 1000);
  EXPECT_EQ(operate("status")["sessions_waiting"], 1);
  EXPECT_EQ(operate("close_session", {{"session_id", ann.id.hex()}, {"code", 4600}})["connections"], 1);
  EXPECT_EQ(operate("status")["sessions_waiting"], 0) << "one that waits is ended for good, too";
}

TEST_F(MeshdOperators, AnOperationOnAllSessionsIncludesNumberedOnes) {
  start();
  FakeEdge& edge = attach();
  auto [ann, bob] = open_numbered(edge);
  bob.close(true);
  settle();
  const auto send = ask_admin("/operations/send_to_all", R"({"message":7})");
  const auto push = edge.next<records::Push>(Type::push);
  EXPECT_TRUE(push->all);
  (void)edge.next<records::Numbered>(Type::numbered);
  edge.write(Type::pushed, records::Pushed{push->op, 0});
  EXPECT_EQ(answer_on(send)["connections"], 2);
  const auto close = ask_admin("/operations/close_all", R"({"code":4600})");
  const auto closing = edge.next<records::CloseSessions>(Type::close_sessions);
  EXPECT_TRUE(closing->all);
  edge.write(Type::pushed, records::Pushed{closing->op, 1});
  EXPECT_EQ(answer_on(close)["connections"], 2) << "the edge closes its own sessions";
  EXPECT_EQ(operate("status")["sessions_waiting"], 0);
}

TEST_F(MeshdOperators, SessionsAreListed) {
  start();
  FakeEdge& edge = attach();
  const Client ann = open(edge, 0);
  (void)open(edge, 1, "bob");
  const json all = operate("sessions");
  EXPECT_EQ(all["sessions"].size(), 2U);
  EXPECT_EQ(all["count"]["users"], 2);
  const json hers = operate("sessions", {{"user_id", "ann"}});
  ASSERT_EQ(hers["sessions"].size(), 1U);
  EXPECT_EQ(hers["sessions"][0]["session_id"], ann.id.hex());
}

// Taps.

TEST_F(MeshdOperators, ATapShowsShapesOfWhatAUserAsksAndIsAnswered) {
  config_.admin.tap = true;
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  Client bob = open(edge, 1, "bob");
  const auto tap = ask_admin("/tap", R"({"user_id":"ann"})");
  (void)heard(tap);
  ann.request(1, R"({"card":"4111-1111-1111"})");
  bob.request(2, R"({"card":"5500-0000-0000"})");
  (void)ann.answer(1);
  (void)bob.answer(2);
  ann.subscribe(3, "a.b");
  (void)ann.answer(3);
  ann.event(4, "a.b", R"({"secret":"x"})");
  ann.describe(5);
  ann.command(6);
  ann.unsubscribe(7, "a.b");
  ann.authorize(8, "ann");
  const auto operation = ask_admin("/operations/send_to_users", R"({"user_ids":["ann","bob"],"message":{"pushed":1}})");
  settle();
  const std::string lines = heard(tap);
  EXPECT_THAT(lines, AllOf(HasSubstr(R"("describe")"), HasSubstr(R"("command")"), HasSubstr(R"("unsubscribe")"),
                           HasSubstr(R"("authorize")"), HasSubstr(R"("push")"), HasSubstr(R"("pushed")")));
  EXPECT_THAT(lines, AllOf(HasSubstr(R"("request")"), HasSubstr(R"("echo")"), HasSubstr(R"("card")"),
                           HasSubstr(R"("subscribe")"), HasSubstr(R"("event")"), HasSubstr(R"("secret")")));
  EXPECT_THAT(lines, AllOf(Not(HasSubstr("4111-1111-1111")), Not(HasSubstr("5500-0000-0000"))));
  EXPECT_THAT(lines, Not(HasSubstr("bob")));
  EXPECT_TRUE(logged("an operator watches messages of a client"));
}

TEST_F(MeshdOperators, ATapShowsAMessageThatALimitThenRefuses) {
  config_.admin.tap = true;
  config_.limits.user.messages_per_s = 1;
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  const auto tap = ask_admin("/tap", json{{"session_id", ann.id.hex()}}.dump());
  (void)heard(tap);
  ann.request(1, R"({"first":1})");
  (void)ann.answer(1);
  ann.request(2, R"({"second":1})");
  EXPECT_EQ(ann.answer(2).outcome, RequestOutcome::refused);
  const std::string lines = heard(tap);
  EXPECT_THAT(lines, HasSubstr(R"("second")")) << "taps come before limits";
  EXPECT_THAT(lines, HasSubstr(std::string(error_name::transport)));
}

TEST_F(MeshdOperators, ATapShowsPushesAndEventsOfNumberedSessionsToo) {
  config_.admin.tap = true;
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  (void)keep(ann);
  const auto tap = ask_admin("/tap", R"({"user_id":"ann"})");
  (void)heard(tap);
  (void)operate("send_to_users", {{"user_ids", {"ann"}}, {"message", {{"pushed", 1}}}});
  ann.subscribe(3, "a.b");
  settle();
  mesh().publish_event("a.b", R"({"came":1})");
  ann.request(4, R"({"asked":1})");
  settle();
  const std::string lines = heard(tap);
  EXPECT_THAT(lines, AllOf(HasSubstr("pushed"), HasSubstr("came"), HasSubstr("asked")));
}

TEST_F(MeshdOperators, TapsAreOffUnlessTheSettingsAllowThem) {
  start();
  EXPECT_EQ(admin("/tap", R"({"user_id":"ann"})").first, 400);
  kill();
  config_.admin.tap = true;
  start();
  EXPECT_THAT(admin("/tap", "{}").second, HasSubstr("'user_id', 'session_id'"));
  EXPECT_THAT(admin("/tap", R"({"user_id":"ann","session_id":"00"})").first, 200);
}

TEST_F(MeshdOperators, NoMoreTapsAreOpenThanMayBe) {
  config_.admin.tap = true;
  start();
  std::vector<shm::UniqueFd> taps;
  for (std::size_t i = 0; i < Taps::most_readers; ++i) {
    taps.push_back(ask_admin("/tap", R"({"user_id":"ann"})"));
    EXPECT_THAT(heard(taps.back()), HasSubstr(" 200 "));
  }
  EXPECT_EQ(admin("/tap", R"({"user_id":"ann"})").first, 400);
}

TEST_F(MeshdOperators, ATapEndsWhenItsReaderLeaves) {
  config_.admin.tap = true;
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  for (int i = 0; i < 6; ++i) {
    auto tap = ask_admin("/tap", R"({"user_id":"ann"})");
    (void)heard(tap);
    tap.reset();
    settle();
  }
  pass(std::chrono::seconds(1));
  EXPECT_TRUE(logged("an operator has stopped watching"));
  ann.request(1);
  EXPECT_EQ(ann.answer(1).error, "null");
}

// The console.

class MeshdConsole : public MeshdOperators {
 protected:
  std::pair<int, json> console(FakeEdge& edge, std::string_view token, std::string_view what,
                               std::string_view params = "{}") {
    edge.write(Type::console_call, records::ConsoleCall{token, what, params}, ++sequence_);
    const auto got = edge.next<records::BackendAnswer>(Type::backend_answer);
    EXPECT_EQ(got.header.sequence, sequence_);
    return {got->status, json::parse(got->text)};
  }
  std::uint64_t sequence_ = 0;
};

TEST_F(MeshdConsole, ShowsTheStatusToItsUsersAlone) {
  config_.console.enabled = true;
  config_.console.users = {"ann"};
  config_.limits.message_bytes = 24 * 1024;
  authorizer_.verdicts.emplace("bad", Verdict::refuse("no"));
  authorizer_.verdicts.emplace("later", Verdict::later("no"));
  start();
  FakeEdge& edge = attach();
  EXPECT_EQ(console(edge, "bad", "status").first, 401);
  EXPECT_EQ(console(edge, "later", "status").first, 503);
  EXPECT_EQ(console(edge, "bob", "status").first, 403);
  const auto [code, status] = console(edge, "ann", "status");
  EXPECT_EQ(code, 200);
  EXPECT_EQ(status["workers"].size(), 1U);
  EXPECT_EQ(console(edge, "ann", "nothing").first, 404);
  (void)attach();
  EXPECT_EQ(console(edge, "ann", "status").second["workers"].size(), 1U) << "figures of this moment are kept";
  pass(milliseconds(300));
  EXPECT_EQ(console(edge, "ann", "status").second["workers"].size(), 2U);
}

TEST_F(MeshdConsole, KillsEdgesWhereTheSettingsAllowIt) {
  config_.console.enabled = true;
  config_.console.users = {"*"};
  start();
  FakeEdge& edge = attach();
  EXPECT_EQ(console(edge, "ann", "kill", R"({"slot":0})").first, 403);
  kill();
  config_.console.kill_workers = true;
  start();
  FakeEdge& one = attach();
  FakeEdge& two = attach();
  EXPECT_EQ(console(one, "ann", "kill", "rubbish").first, 400);
  EXPECT_EQ(console(one, "ann", "kill", R"({"slot":1})").first, 200);
  EXPECT_EQ(two.ended_by(), SIGKILL);
}

TEST_F(MeshdConsole, IsOffUnlessTheSettingsSaySo) {
  start();
  FakeEdge& edge = attach();
  EXPECT_EQ(console(edge, "ann", "status").first, 503);
  edge.write_raw(static_cast<std::uint16_t>(Type::console_call), std::string(64, '\xff'), 9);
  EXPECT_TRUE(edge.killed());
}

}  // namespace nuropb::meshd
