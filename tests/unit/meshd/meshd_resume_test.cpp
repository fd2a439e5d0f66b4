// Resumable sessions: how they lose their socket, wait, and are resumed.

#include "tests/unit/meshd/meshd_fixture.hpp"

namespace nuropb::meshd {

using records::Resume;
using records::Resumed;
using records::Type;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class MeshdResume : public MeshdTest {
 protected:
  MeshdResume() { write_policy("default = [\"request\", \"command\", \"event\", \"subscribe\"]\n"); }

  /// A resumable session. Its first message, number 1, is the answer to `keep`.
  Client keep(FakeEdge& edge, std::uint32_t slot, std::string_view user = "ann") {
    Client client = open(edge, slot, user);
    auto record = client.resume_record(Resume::What::keep);
    record.trace_id = "\"k\"";
    record.deadline_ms = deadline_ms();
    client.resume(record, 1);
    const auto kept = edge.next<Resumed>(Type::resumed);
    EXPECT_EQ(kept->what, Resumed::What::kept);
    client.token = kept->token;
    EXPECT_EQ(numbered(client), 1U);
    return client;
  }
  /// The next record, which must be a numbered message to this client; returns its number.
  static std::uint64_t numbered(Client& client, std::string* text = nullptr, bool* answers = nullptr) {
    const auto got = client.edge.next<records::Numbered>(Type::numbered);
    EXPECT_EQ(got->session, client.slot);
    EXPECT_EQ(got->serial, client.serial);
    if (text) *text = got->text;
    if (answers) *answers = got->answers;
    return got->number;
  }
  static void seen(Client& client, std::uint64_t number) {
    auto record = client.resume_record(Resume::What::seen);
    record.number = number;
    client.resume(record);
  }
  void take_up(Client& fresh, const std::string& token, std::uint64_t number, std::uint64_t sequence = 50) {
    auto record = fresh.resume_record(Resume::What::resume);
    record.token = token;
    record.number = number;
    record.trace_id = "\"r\"";
    record.deadline_ms = deadline_ms();
    fresh.resume(record, sequence);
  }
  /// The reason of the failure.
  static std::string failure_of(const Answered& answer) {
    EXPECT_EQ(answer.name(), error_name::resume_failed);
    return nlohmann::json::parse(answer.error).value("reason", "");
  }
  /// The records that hand a session over to a new socket: its topics and pending requests.
  struct Taken {
    std::string token, text;
    std::uint64_t number = 0;
    std::vector<std::string> topics, pending;
    std::vector<std::uint64_t> pending_sequences;
  };
  Taken taken(Client& fresh, std::size_t topics = 0, std::size_t pending = 0) {
    Taken out;
    for (std::size_t i = 0; i < 1 + topics + pending; ++i) {
      const auto got = fresh.edge.next<Resumed>(Type::resumed);
      EXPECT_EQ(got->session, fresh.slot);
      EXPECT_EQ(got->serial, fresh.serial);
      if (got->what == Resumed::What::resumed) {
        out.token = got->token;
        out.text = got->text;
        out.number = got->number;
        fresh.id = got->session_id;
      } else if (got->what == Resumed::What::topic) {
        out.topics.emplace_back(got->text);
      } else {
        out.pending.emplace_back(got->text);
        out.pending_sequences.push_back(got.header.sequence);
      }
    }
    fresh.token = out.token;
    accepted(fresh);
    return out;
  }
};

TEST_F(MeshdResume, MessagesAreNumberedOnceTheClientAsksForIt) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  std::string text;
  bool answers = false;
  ann.request(2, R"({"n":1})");
  EXPECT_EQ(numbered(ann, &text, &answers), 2U);
  EXPECT_TRUE(answers);
  EXPECT_THAT(text, HasSubstr(R"("result":{"n":1})"));
  EXPECT_THAT(text, HasSubstr(R"("t2")"));
  ann.subscribe(3, "a.b");
  EXPECT_EQ(numbered(ann), 3U);
  mesh().publish_event("a.b", "7");
  EXPECT_EQ(numbered(ann, &text, &answers), 4U);
  EXPECT_FALSE(answers);
  EXPECT_THAT(text, HasSubstr(R"("topic":"a.b")"));
  ann.request(4, "{}", "_private");
  EXPECT_EQ(numbered(ann, &text), 5U);
  EXPECT_THAT(text, HasSubstr("Unknown method"));
}

TEST_F(MeshdResume, ItCanBeAskedForTwice) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  auto record = ann.resume_record(Resume::What::keep);
  record.trace_id = "\"again\"";
  record.deadline_ms = deadline_ms();
  ann.resume(record, 2);
  std::string text;
  EXPECT_EQ(numbered(ann, &text), 2U);
  EXPECT_THAT(text, HasSubstr(ann.id.hex()));
  EXPECT_TRUE(edge.quiet());
}

TEST_F(MeshdResume, ASessionThatLostItsSocketIsResumedAtAnotherEdge) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  ann.subscribe(2, "a.b");
  EXPECT_EQ(numbered(ann), 2U);
  mesh().holding = true;
  ann.request(3, R"({"n":3})");
  settle();
  ann.close(true);
  settle();
  EXPECT_EQ(operate("status")["sessions_waiting"], 1);
  EXPECT_TRUE(mesh().bound.contains("a.b")) << "it stays subscribed";
  mesh().publish_event("a.b", "1");
  settle();
  EXPECT_TRUE(edge.quiet());

  FakeEdge& other = attach();
  Client fresh = open(other, 5);
  take_up(fresh, ann.token, 2);
  const Taken handed = taken(fresh, 1, 1);
  EXPECT_EQ(fresh.id, ann.id);
  EXPECT_EQ(handed.number, 2U);
  EXPECT_THAT(handed.topics, ElementsAre("a.b"));
  EXPECT_THAT(handed.pending, ElementsAre("\"t3\""));
  EXPECT_THAT(handed.text, HasSubstr(R"("topic":"resumed")"));
  EXPECT_NE(handed.token, ann.token);
  std::string text;
  EXPECT_EQ(numbered(fresh, &text), 3U) << "what it missed";
  EXPECT_THAT(text, HasSubstr(R"("topic":"a.b")"));
  mesh().release();
  const auto answer = other.next<records::Numbered>(Type::numbered);
  EXPECT_EQ(answer->number, 4U);
  EXPECT_TRUE(answer->inherited);
  EXPECT_EQ(answer.header.sequence, handed.pending_sequences.front());
  EXPECT_THAT(std::string(answer->text), HasSubstr(R"("result":{"n":3})"));
  mesh().holding = false;
  fresh.request(51);
  EXPECT_EQ(numbered(fresh), 5U);
  EXPECT_EQ(operate("status")["sessions_waiting"], 0);
}

TEST_F(MeshdResume, SessionsOfAnEdgeThatDiesWaitForTheirClients) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  Client plain = open(edge, 1, "bob");
  ann.request(2, R"({"n":2})");
  edge.die();
  settle();
  EXPECT_EQ(operate("status")["sessions_waiting"], 1) << "the one that asked for it";
  Client fresh = open(attach(), 0);
  take_up(fresh, ann.token, 1);
  (void)taken(fresh);
  std::string text;
  EXPECT_EQ(numbered(fresh, &text), 2U);
  EXPECT_THAT(text, HasSubstr(R"("result":{"n":2})")) << "what lay in the ring of the dead edge was read";
}

TEST_F(MeshdResume, ASessionIsTakenOverFromASocketThatIsStillOpen) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  Client fresh = open(edge, 1);
  take_up(fresh, ann.token, 1);
  EXPECT_EQ(ann.ended(), close_code::resumed_elsewhere);
  (void)taken(fresh);
  EXPECT_EQ(fresh.id, ann.id);
  ann.request(9);  // on its way when it was told
  EXPECT_TRUE(edge.quiet());
  EXPECT_FALSE(edge.detached());
  EXPECT_EQ(operate("status")["sessions"], 2) << "the slot of the first is still in use";
}

TEST_F(MeshdResume, AClientThatLeavesOnPurposeCannotComeBack) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  ann.close();
  Client fresh = open(edge, 1);
  take_up(fresh, ann.token, 1);
  EXPECT_EQ(failure_of(fresh.answer(50)), "ended");
  fresh.request(51);
  EXPECT_EQ(fresh.answer(51).error, "null") << "the fresh session goes on as it is";
}

TEST_F(MeshdResume, ASessionWaitsNoLongerThanTheWindow) {
  config_.resume.window_ms = 5000;
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  ann.subscribe(2, "a.b");
  (void)numbered(ann);
  ann.close(true);
  pass(milliseconds(4900));
  EXPECT_EQ(operate("status")["sessions_waiting"], 1);
  pass(milliseconds(200));
  EXPECT_EQ(operate("status")["sessions_waiting"], 0);
  EXPECT_FALSE(mesh().bound.contains("a.b"));
  Client fresh = open(edge, 1);
  take_up(fresh, ann.token, 2);
  EXPECT_EQ(failure_of(fresh.answer(50)), "expired");
}

TEST_F(MeshdResume, NoMoreSessionsWaitThanTheLimit) {
  config_.resume.sessions = 2;
  start();
  FakeEdge& edge = attach();
  std::vector<Client> all;
  for (std::uint32_t i = 0; i < 3; ++i) {
    all.push_back(keep(edge, i, "user " + std::to_string(i)));
    all.back().close(true);
    settle();
  }
  EXPECT_EQ(operate("status")["sessions_waiting"], 2);
  Client fresh = open(edge, 5, "user 0");
  take_up(fresh, all[0].token, 1);
  EXPECT_EQ(failure_of(fresh.answer(50)), "too_many");
}

TEST_F(MeshdResume, OnlyItsOwnUserCanResumeASession) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  ann.close(true);
  Client bob = open(edge, 1, "bob");
  take_up(bob, ann.token, 1);
  EXPECT_EQ(failure_of(bob.answer(50)), "other_user");
  take_up(bob, "no token", 1, 51);
  EXPECT_EQ(failure_of(bob.answer(51)), "unknown");
  take_up(bob, bob.token, 1, 52);
  EXPECT_EQ(failure_of(bob.answer(52)), "unknown") << "nothing is kept of a session that did not ask for it";
}

TEST_F(MeshdResume, ATokenIsUsedOnce) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  ann.close(true);
  Client second = open(edge, 1);
  take_up(second, ann.token, 1);
  (void)taken(second);
  Client thief = open(edge, 2);
  take_up(thief, ann.token, 1);
  EXPECT_EQ(failure_of(thief.answer(50)), "in_use");
  second.request(60);
  EXPECT_EQ(numbered(second), 2U);
  second.close(true);
  settle();
  // The client may have lost its socket before it received the new token, so the old token stays valid until the client
  // acknowledges a message.
  take_up(thief, ann.token, 2, 51);
  EXPECT_EQ(failure_of(thief.answer(51)), "used");
  take_up(thief, ann.token, 1, 52);
  (void)taken(thief);
  EXPECT_EQ(numbered(thief), 2U);
}

TEST_F(MeshdResume, ANumberThatTheSessionNeverHadIsRefused) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  ann.close(true);
  Client fresh = open(edge, 1);
  take_up(fresh, ann.token, 7);
  EXPECT_EQ(failure_of(fresh.answer(50)), "bad_seq");
}

TEST_F(MeshdResume, ASocketWhoseMessagesAreNumberedCannotResumeAnother) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  Client other = keep(edge, 1);
  take_up(other, ann.token, 1);
  const auto got = edge.next<records::Response>(Type::response);
  EXPECT_THAT(std::string(got->error), HasSubstr("not_new"));
}

TEST_F(MeshdResume, MissedMessagesAreBoundedAndTheClientIsToldWhenSomeAreLost) {
  config_.resume.mailbox_bytes = 20'000;
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  ann.subscribe(2, "a.b");
  (void)numbered(ann);
  ann.close(true);
  settle();
  for (int i = 0; i < 3; ++i) mesh().publish_event("a.b", "\"" + std::string(10'000, 'x') + "\"");
  settle();
  EXPECT_EQ(operate("status")["sessions_waiting"], 1) << "it still has its subscriptions and its pending requests";
  Client fresh = open(edge, 1);
  take_up(fresh, ann.token, 2);
  EXPECT_EQ(failure_of(fresh.answer(50)), "missed_too_much");
}

TEST_F(MeshdResume, MessagesThatTheClientHasSeenAreDropped) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  ann.request(2);
  EXPECT_EQ(numbered(ann), 2U);
  EXPECT_GT(metric("nuropb_gateway_mailbox_bytes"), 0);
  seen(ann, 2);
  settle();
  EXPECT_EQ(metric("nuropb_gateway_mailbox_bytes"), 0);
  seen(ann, 1ULL << 60U);  // more than it has been given counts for what it was given
  ann.request(3);
  EXPECT_EQ(numbered(ann), 3U);
  ann.close(true);
  Client fresh = open(edge, 1);
  take_up(fresh, ann.token, 1);
  EXPECT_EQ(failure_of(fresh.answer(50)), "missed_too_much");
}

TEST_F(MeshdResume, ASocketThatDoesNotReadIsClosedOnceItsMailboxOverruns) {
  config_.resume.mailbox_bytes = 20'000;
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  Client bob = open(edge, 1, "bob");
  ann.subscribe(2, "a.b");
  (void)numbered(ann);
  // The ring is full of messages for bob, so messages for ann wait in her mailbox.
  const std::string large = params_of(15'000);
  for (std::uint64_t i = 1; i <= 6; ++i) {
    bob.request(i, large);
    settle();
  }
  for (int i = 0; i < 3; ++i) mesh().publish_event("a.b", "\"" + std::string(9'000, 'x') + "\"");
  settle();
  EXPECT_EQ(operate("status")["sessions_waiting"], 1);
  EXPECT_TRUE(logged("slow consumer"));
  EXPECT_FALSE(edge.detached());
}

TEST_F(MeshdResume, MessagesForWhichTheRingHasNoRoomComeInOrderOnceItHas) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  const std::string large = params_of(15'000);
  for (std::uint64_t i = 2; i <= 9; ++i) {
    ann.request(i, large);
    settle();
  }
  for (std::uint64_t i = 2; i <= 9; ++i) EXPECT_EQ(numbered(ann), i);
  EXPECT_TRUE(edge.quiet());
}

TEST_F(MeshdResume, MeshdItselfEndsARequestThatHasNoAnswerInTime) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  mesh().holding = true;
  ann.request(2);
  mesh().holding_patterns = true;
  ann.subscribe(3, "a.b");
  pass(std::chrono::seconds(29));
  EXPECT_TRUE(edge.quiet());
  pass(std::chrono::seconds(2));
  std::string text;
  EXPECT_EQ(numbered(ann, &text), 2U);
  EXPECT_THAT(text, HasSubstr(std::string(error_name::timeout)));
  EXPECT_EQ(numbered(ann, &text), 3U);
  EXPECT_THAT(text, HasSubstr("not subscribed"));
  EXPECT_FALSE(mesh().bound.contains("a.b"));
  mesh().release();
  settle();
  const auto late = edge.next<records::Response>(Type::response);
  EXPECT_EQ(late.header.sequence, 2U) << "a late answer has no number, and its edge ignores it";
  EXPECT_TRUE(edge.quiet());
  EXPECT_EQ(mesh().acknowledged.size(), 1U);
}

TEST_F(MeshdResume, ARequestUnderASequenceThatStillWaitsKillsTheEdge) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  mesh().holding = true;
  ann.request(2);
  ann.request(2);
  EXPECT_TRUE(edge.killed());
  EXPECT_TRUE(logged("its sequence is in use"));
}

TEST_F(MeshdResume, NoMoreIsOutstandingThanItsTraceIdsHaveRoomFor) {
  config_.limits.message_bytes = 16 * 1024;
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  mesh().holding = true;
  std::uint64_t sequence = 1;
  const auto ask = [&] {
    const std::string trace_id = "\"" + std::to_string(++sequence) + std::string(1000, 'x') + "\"";
    edge.write(Type::request, records::Request{0, ann.serial, deadline_ms(), "demo", "echo", trace_id, "{}", {}},
               sequence);
  };
  for (int i = 0; i < 48; ++i) ask();
  EXPECT_TRUE(edge.quiet());
  ask();
  const Answered answer = ann.answer(sequence);
  EXPECT_THAT(answer.error, HasSubstr("too many requests are outstanding"));
  EXPECT_EQ(answer.outcome, RequestOutcome::refused);
  EXPECT_EQ(mesh().published.size(), 48U);
}

TEST_F(MeshdResume, ASessionThatIsRevokedWhileItWaitsIsEnded) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  ann.close(true);
  authorizer_.revoked.insert("ann");
  (void)operate("reload");
  EXPECT_EQ(operate("status")["sessions_waiting"], 0);
  authorizer_.revoked.clear();
  Client fresh = open(edge, 1);
  take_up(fresh, ann.token, 1);
  EXPECT_EQ(failure_of(fresh.answer(50)), "ended");
}

TEST_F(MeshdResume, ResumptionThatIsOffIsSaid) {
  config_.resume.enabled = false;
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  EXPECT_EQ(ann.token, "");
  auto record = ann.resume_record(Resume::What::keep);
  record.trace_id = "\"k\"";
  ann.resume(record, 1);
  EXPECT_EQ(failure_of(ann.answer(1)), "off");
  take_up(ann, "x", 1);
  EXPECT_EQ(failure_of(ann.answer(50)), "off");
}

TEST_F(MeshdResume, ASessionGoesOnWithItsNumbersAtTheNextMeshd) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  mesh().holding = true;
  ann.request(2, R"({"n":2})");
  settle();
  const std::string asked = mesh().published.back().correlation_id;
  restart();
  FakeEdge& again = attach(edge.welcome->ticket);
  Client back = present(again, 0, ann.ticket, records::CredentialKind::ticket, HandlerKind::web_socket, ann.id);
  accepted(back);
  auto record = back.resume_record(Resume::What::again);
  record.token = ann.token;
  record.number = 1;
  back.resume(record);
  auto pending = back.resume_record(Resume::What::pending);
  pending.trace_id = "\"t2\"";
  pending.deadline_ms = deadline_ms();
  back.resume(pending, 2);
  settle();
  mesh().respond(asked, R"({"n":2})");
  std::string text;
  bool answers = false;
  EXPECT_EQ(numbered(back, &text, &answers), 2U);
  EXPECT_TRUE(answers);
  EXPECT_THAT(text, HasSubstr(R"("result":{"n":2})"));
  // So is a message that came before meshd numbered the session and that ends the request that it answers.
  mesh().holding = true;
  back.request(3);
  settle();
  auto early = back.resume_record(Resume::What::say);
  early.text = R"({"early":true})";
  early.number = 4;
  back.resume(early);
  EXPECT_EQ(numbered(back, &text, &answers), 3U);
  EXPECT_TRUE(answers);
  EXPECT_EQ(text, R"({"early":true})");
  mesh().holding = false;
  // The edge reports a subscription again, and only the edge has an answer for it.
  again.write(Type::subscribe, records::Subscription{0, back.serial, "a.b", deadline_ms(), {}, {}}, 4);
  EXPECT_EQ(back.answer(4).error, "null");
  mesh().publish_event("a.b", "1");
  EXPECT_EQ(numbered(back), 4U);
  // An answer that the edge itself has produced is numbered, too.
  auto say = back.resume_record(Resume::What::say);
  say.text = R"({"type":"response"})";
  back.resume(say);
  EXPECT_EQ(numbered(back, &text), 5U);
  EXPECT_EQ(text, R"({"type":"response"})");
  back.close(true);
  Client fresh = open(again, 1);
  take_up(fresh, ann.token, 4);
  (void)taken(fresh, 1);
  EXPECT_EQ(numbered(fresh), 5U);
}

TEST_F(MeshdResume, SubscriptionsFromBeforeTheNumbersAreKeptWithThem) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  ann.subscribe(1, "a.b");
  EXPECT_EQ(ann.answer(1).error, "null");
  auto record = ann.resume_record(Resume::What::keep);
  record.trace_id = "\"k\"";
  record.deadline_ms = deadline_ms();
  ann.resume(record, 2);
  (void)edge.next<Resumed>(Type::resumed);
  EXPECT_EQ(numbered(ann), 1U);
  mesh().publish_event("a.b", "1");
  EXPECT_EQ(numbered(ann), 2U);
  EXPECT_TRUE(edge.quiet());
  EXPECT_THAT(mesh().bind_order, ElementsAre("a.b"));
}

TEST_F(MeshdResume, AskingForNumbersCountsForTheUsersRate) {
  config_.limits.user.messages_per_s = 1;
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  ann.request(1);
  EXPECT_EQ(ann.answer(1).error, "null");
  auto record = ann.resume_record(Resume::What::keep);
  record.trace_id = "\"k\"";
  ann.resume(record, 2);
  EXPECT_EQ(ann.answer(2).outcome, RequestOutcome::refused);
}

TEST_F(MeshdResume, RefusalsAndUnsubscriptionsAreNumberedAnswers) {
  write_policy("default = [\"subscribe\"]\n");
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  std::string text;
  ann.request(2);
  EXPECT_EQ(numbered(ann, &text), 2U);
  EXPECT_THAT(text, HasSubstr(std::string(error_name::authorization)));
  ann.subscribe(3, "a.b");
  EXPECT_EQ(numbered(ann), 3U);
  ann.unsubscribe(4, "a.b");
  EXPECT_EQ(numbered(ann), 4U);
  EXPECT_FALSE(mesh().bound.contains("a.b"));
  mesh().pattern_refusal = "access refused";
  ann.subscribe(5, "c.d");
  EXPECT_EQ(numbered(ann, &text), 5U);
  EXPECT_THAT(text, HasSubstr("access refused"));
  EXPECT_EQ(edge.settled(), edge.written());
}

TEST_F(MeshdResume, AWarningBeforeTheTokenExpiresIsNumbered) {
  authorizer_.verdicts.emplace("soon", user("ann", unix_now() + 30));
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0, "soon");
  pass(std::chrono::seconds(1));
  std::string text;
  EXPECT_EQ(numbered(ann, &text), 2U);
  EXPECT_THAT(text, HasSubstr("session_expiring"));
}

TEST_F(MeshdResume, ASessionWhoseTokenExpiresWaitsForAFreshOne) {
  authorizer_.verdicts.emplace("late", user("ann", unix_now() - 1));
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0, "late");
  pass(std::chrono::seconds(1));
  EXPECT_EQ(ann.ended(), close_code::token_expired);
  EXPECT_EQ(operate("status")["sessions_waiting"], 1);
}

TEST_F(MeshdResume, ASessionWhoseTokenIsNotItsOwnCannotGoOnWithItsNumbers) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  Client bob = open(edge, 1, "bob");
  auto record = ann.resume_record(Resume::What::again);
  record.token = bob.token;
  record.number = 1;
  ann.resume(record);
  EXPECT_EQ(ann.ended(), close_code::mesh_unavailable);
}

TEST_F(MeshdResume, RecordsThatNoHonestEdgeWrites) {
  const auto killed_by = [this](const auto& change) {
    if (loop_) kill();
    start();
    FakeEdge& edge = attach();
    Client ann = keep(edge, 0);
    Resume record = ann.resume_record(Resume::What::seen);
    change(record);
    ann.resume(record, 7);
    return edge.killed();
  };
  EXPECT_TRUE(killed_by([](Resume& record) { record.trace_id = "{"; }));
  EXPECT_TRUE(killed_by([](Resume& record) {
    record.what = Resume::What::say;
    record.text = "\"no object\"";
  }));
  EXPECT_TRUE(killed_by([](Resume& record) {
    record.what = Resume::What::say;
    record.text = "{";
  }));
  EXPECT_TRUE(killed_by([](Resume& record) {
    record.what = Resume::What::say;
    record.text = "{}";
    record.number = 1ULL << 50U;
  }));
  start();
  FakeEdge& edge = attach();
  Client plain = open(edge, 0);
  auto say = plain.resume_record(Resume::What::say);
  say.text = "{}";
  plain.resume(say);
  EXPECT_TRUE(edge.killed()) << "it has no numbers";
}

TEST_F(MeshdResume, APolicyThatEndsASubscriptionTellsTheClientAndItsEdge) {
  start();
  FakeEdge& edge = attach();
  Client ann = keep(edge, 0);
  ann.subscribe(2, "a.b");
  (void)numbered(ann);
  write_policy("default = [\"request\"]\n");
  (void)operate("reload");
  std::string text;
  EXPECT_EQ(numbered(ann, &text), 3U);
  EXPECT_THAT(text, HasSubstr("a.b"));
  const auto gone = edge.next<records::SubscriptionEnded>(Type::subscription_ended);
  EXPECT_EQ(gone->topic, "a.b");
  EXPECT_EQ(gone->error, "") << "meshd has notified the client";
}

}  // namespace nuropb::meshd
