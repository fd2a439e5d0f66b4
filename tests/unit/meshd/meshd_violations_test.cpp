// Records and behaviour that violate the protocol: the edge's process is killed, and other edges are not affected.

#include <array>

#include "tests/unit/meshd/meshd_fixture.hpp"

namespace nuropb::meshd {

using records::CredentialKind;
using records::Type;

namespace {

/// A well-formed record of each type that names a session, of session 0.
void write_of_session(FakeEdge& edge, Type type, std::uint32_t serial, std::uint64_t deadline_ms) {
  switch (type) {
    case Type::open_session:
      return edge.write(type, records::OpenSession{0, serial, SessionId::random(), CredentialKind::header, "ann", "::1",
                                                   HandlerKind::web_socket});
    case Type::close_session: return edge.write(type, records::CloseSession{0, serial, false});
    case Type::event:
      return edge.write(type, records::Event{0, serial, deadline_ms, "a.b", "\"t\"", "1", "null", {}}, 9);
    case Type::subscribe:
    case Type::unsubscribe:
      return edge.write(type, records::Subscription{0, serial, "a.b", deadline_ms, "\"t\"", {}}, 9);
    case Type::authorize: return edge.write(type, records::Authorize{0, serial, "ann", deadline_ms, "\"t\""}, 9);
    case Type::snorky_call:
      return edge.write(type, records::SnorkyCall{0, serial, false, "pubsub", "subscribe", "1", "{}", {}}, 9);
    case Type::resume: {
      records::Resume record;
      record.session = 0;
      record.serial = serial;
      record.trace_id = "\"t\"";
      record.deadline_ms = deadline_ms;
      return edge.write(type, record, 9);
    }
    case Type::describe:
      return edge.write(type, records::Request{0, serial, deadline_ms, "demo", "", "\"t\"", "", {}}, 9);
    default: return edge.write(type, records::Request{0, serial, deadline_ms, "demo", "echo", "\"t\"", "{}", {}}, 9);
  }
}

constexpr std::array verbs{Type::request,   Type::command,     Type::describe,    Type::event, Type::subscribe,
                           Type::authorize, Type::unsubscribe, Type::snorky_call, Type::resume};

}  // namespace

class MeshdViolations : public MeshdTest {
 protected:
  /// The edge is killed by this record, and another edge goes on.
  void expect_killed(FakeEdge& edge, std::string_view why) {
    EXPECT_TRUE(edge.killed()) << why;
    EXPECT_TRUE(logged(why)) << why;
    Client other = open(attach(), 0, "bob");
    other.request(1);
    EXPECT_EQ(other.answer(1).error, "null");
  }
};

/// A type of record, and a state of its session.
class MeshdRecordsInStates : public MeshdViolations, public ::testing::WithParamInterface<Type> {};

INSTANTIATE_TEST_SUITE_P(Verbs, MeshdRecordsInStates, ::testing::ValuesIn(verbs),
                         [](const auto& one) { return "Type" + std::to_string(static_cast<unsigned>(one.param)); });

TEST_P(MeshdRecordsInStates, OfASessionThatIsNotOpenKillsItsEdge) {
  start();
  FakeEdge& edge = attach();
  write_of_session(edge, GetParam(), 1, deadline_ms());
  expect_killed(edge, "of a session that is not open");
  EXPECT_EQ(metric("nuropb_gateway_workers_killed_total"), 1);
}

TEST_P(MeshdRecordsInStates, OfASessionWhoseTokenIsBeingValidatedKillsItsEdge) {
  authorizer_.waits = true;
  start();
  FakeEdge& edge = attach();
  const Client client = present(edge, 0, "ann");
  settle();
  write_of_session(edge, GetParam(), client.serial, deadline_ms());
  authorizer_.waits = false;
  expect_killed(edge, "not allowed in this state of the session");
}

TEST_P(MeshdRecordsInStates, OfASessionThatMeshdHasEndedIsIgnored) {
  authorizer_.verdicts.emplace("bad", Verdict::refuse("no"));
  start();
  FakeEdge& edge = attach();
  Client client = present(edge, 0, "bad");
  EXPECT_EQ(refused(client), close_code::token_refused);
  write_of_session(edge, GetParam(), client.serial, deadline_ms());
  EXPECT_TRUE(edge.quiet());
  EXPECT_FALSE(edge.detached());
  EXPECT_EQ(edge.settled(), edge.written());
  EXPECT_TRUE(mesh().published.empty());
}

TEST_P(MeshdRecordsInStates, OfAnEarlierSessionInTheSlotKillsItsEdge) {
  start();
  FakeEdge& edge = attach();
  const Client client = open(edge, 0);
  write_of_session(edge, GetParam(), client.serial + 1, deadline_ms());
  expect_killed(edge, "of a session that is not open");
}

TEST_P(MeshdRecordsInStates, ThatCannotBeDecodedKillsItsEdge) {
  start();
  FakeEdge& edge = attach();
  (void)open(edge, 0);
  edge.write_raw(static_cast<std::uint16_t>(GetParam()), std::string(256, '\xff'), 9);
  expect_killed(edge, "can't be decoded");
}

TEST_F(MeshdViolations, ASessionIsOpenedTwice) {
  start();
  FakeEdge& edge = attach();
  const Client client = open(edge, 0);
  write_of_session(edge, Type::open_session, client.serial + 1, deadline_ms());
  expect_killed(edge, "a session is opened twice");
}

TEST_F(MeshdViolations, ASessionIsOpenedWhileItsTokenIsBeingValidated) {
  authorizer_.waits = true;
  start();
  FakeEdge& edge = attach();
  (void)present(edge, 0, "ann");
  (void)present(edge, 0, "ann");
  settle();
  authorizer_.waits = false;
  expect_killed(edge, "a session is opened twice");
}

TEST_F(MeshdViolations, MoreSessionsThanAnEdgeMayHave) {
  config_.limits.connections = 2;
  start();
  FakeEdge& edge = attach();
  (void)open(edge, 1);
  (void)present(edge, 2, "ann");
  expect_killed(edge, "more sessions than limits.connections");
}

TEST_F(MeshdViolations, AClosedSessionIsClosedAgainWithoutHarm) {
  start();
  FakeEdge& edge = attach();
  Client client = open(edge, 0);
  client.close();
  client.close();
  EXPECT_TRUE(edge.quiet());
  EXPECT_FALSE(edge.detached());
  EXPECT_EQ(operate("sessions")["count"]["sessions"], 0);
}

TEST_F(MeshdViolations, RecordsThatAreNotForMeshdAndRecordsOfNoType) {
  for (const std::uint16_t type : {std::uint16_t{67}, std::uint16_t{0}, std::uint16_t{14}, std::uint16_t{999}}) {
    if (loop_) kill();
    start();
    FakeEdge& edge = attach();
    edge.write_raw(type, std::string(64, '\0'));
    expect_killed(edge, "record type " + std::to_string(type));
  }
}

TEST_F(MeshdViolations, ARecordLargerThanItsTypeMayBe) {
  start();
  FakeEdge& edge = attach();
  edge.write_raw(static_cast<std::uint16_t>(Type::close_session), std::string(1000, '\0'));
  expect_killed(edge, "record type 2 with 1000 bytes");
}

TEST_F(MeshdViolations, ASequenceOfMoreThan40Bits) {
  start();
  FakeEdge& edge = attach();
  Client client = open(edge, 0);
  client.request(1ULL << 40);
  expect_killed(edge, "its sequence has more than 40 bits");
}

TEST_F(MeshdViolations, TextsThatAreNotTheJsonThatTheyHaveToBe) {
  const auto killed_by = [this](const auto& write) {
    if (loop_) kill();
    start();
    FakeEdge& edge = attach();
    Client client = open(edge, 0);
    write(edge, client);
    return edge.killed();
  };
  const std::uint64_t until = deadline_ms();
  EXPECT_TRUE(killed_by([](FakeEdge&, Client& client) { client.request(1, "{} , \"method\":\"other\""); }));
  EXPECT_TRUE(killed_by([](FakeEdge&, Client& client) { client.request(1, "{}", ""); }));
  EXPECT_TRUE(killed_by([](FakeEdge&, Client& client) { client.request(1, "{}", "echo", ""); }));
  EXPECT_TRUE(killed_by([&](FakeEdge& edge, Client& client) {
    edge.write(Type::request, records::Request{0, client.serial, until, "demo", "echo", "t", "{}", {}}, 1);
  }));
  EXPECT_TRUE(killed_by([&](FakeEdge& edge, Client& client) {
    edge.write(Type::request, records::Request{0, client.serial, until, "demo", "echo", "1", "{}", {0, 0, "xx"}}, 1);
  }));
}

TEST_F(MeshdViolations, EventsWhoseTextsAreNotTheJsonThatTheyHaveToBe) {
  write_policy("default = [\"event\"]\n");
  for (const auto& [event, target] :
       {std::pair("{", "null"), std::pair("1", "{"), std::pair("1", "\"ann\""), std::pair("", "null")}) {
    if (loop_) kill();
    start();
    FakeEdge& edge = attach();
    Client client = open(edge, 0);
    client.event(1, "a.b", event, target);
    EXPECT_TRUE(edge.killed()) << event << " for " << target;
  }
}

TEST_F(MeshdViolations, ACallToServicesThatThisGatewayDoesNotOffer) {
  start();
  FakeEdge& edge = attach();
  const Client client = open(edge, 0);
  write_of_session(edge, Type::snorky_call, client.serial, deadline_ms());
  expect_killed(edge, "there is no /ws (snorky.path)");
  FakeEdge& other = attach();
  other.write(Type::backend_call, records::BackendCall{"key", "pubsub_backend", "publish", "1", "{}"}, 1);
  expect_killed(other, "there is no backend (backend.key_file)");
}

TEST_F(MeshdViolations, ACountOfAPushThatWasNeverSent) {
  start();
  FakeEdge& edge = attach();
  edge.write(Type::pushed, records::Pushed{12, 1});
  expect_killed(edge, "a count that nobody asked for");
}

TEST_F(MeshdViolations, WhatFollowsAViolationIsNotRead) {
  start();
  FakeEdge& edge = attach();
  Client client = open(edge, 0);
  client.request(1);
  edge.write_raw(999, std::string(64, '\0'));
  client.request(2);
  EXPECT_TRUE(edge.killed());
  ASSERT_EQ(mesh().published.size(), 1U) << "what came before it was read, and what came behind it was not";
}

TEST_F(MeshdViolations, SessionsOfAnEdgeThatIsKilledAreGone) {
  write_policy("default = [\"subscribe\", \"request\"]\n");
  start();
  FakeEdge& edge = attach();
  Client client = open(edge, 0);
  client.subscribe(1, "a.b");
  EXPECT_EQ(client.answer(1).error, "null");
  EXPECT_TRUE(mesh().bound.contains("a.b"));
  edge.write_raw(999, std::string(64, '\0'));
  EXPECT_TRUE(edge.killed());
  EXPECT_FALSE(mesh().bound.contains("a.b"));
  EXPECT_EQ(operate("sessions")["count"]["sessions"], 0);
}

TEST_F(MeshdViolations, AnEdgeThatDoesNotReadIsKilledAndOthersGetTheirAnswers) {
  write_policy("default = [\"request\"]\n");
  start();
  FakeEdge& deaf = attach();
  Client client = open(deaf, 0);
  Client other = open(attach(), 0, "bob");
  const std::string params = params_of(15'000);
  // 64 KiB of ring, and four times as much that waits for room: less than 40 answers.
  for (std::uint64_t i = 1; i <= 40 && !deaf.detached(); ++i) client.request(i, params);
  EXPECT_TRUE(deaf.killed());
  EXPECT_TRUE(logged("does not read its answers"));
  other.request(1);
  EXPECT_EQ(other.answer(1).error, "null");
}

TEST_F(MeshdViolations, AnEdgeThatRingsWithoutEndIsKilled) {
  start();
  FakeEdge& edge = attach();
  for (int i = 0; i < 500 && !edge.detached(); ++i) {
    for (int bells = 0; bells < 8; ++bells) edge.ring();
    pass(milliseconds(10));
  }
  EXPECT_TRUE(edge.killed());
  EXPECT_TRUE(logged("rings without end"));
}

TEST_F(MeshdViolations, AnEdgeThatGivesNoSignOfLifeIsKilled) {
  config_.gateway.hung_after_s = 3;
  start();
  FakeEdge& silent = attach();
  FakeEdge& alive = attach();
  silent.beats = false;
  pass(std::chrono::seconds(2));
  EXPECT_FALSE(silent.detached());
  pass(std::chrono::seconds(2));
  EXPECT_TRUE(silent.killed());
  EXPECT_FALSE(alive.detached());
  EXPECT_TRUE(logged("no heartbeat"));
}

TEST_F(MeshdViolations, RubbishOnTheControlSocketOfAnEdgeKillsIt) {
  start();
  FakeEdge& edge = attach();
  ASSERT_TRUE(edge.channel().send_hello({shm::abi, {}}));
  EXPECT_TRUE(edge.killed());
}

}  // namespace nuropb::meshd
