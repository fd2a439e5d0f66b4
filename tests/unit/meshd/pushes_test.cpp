#include "meshd/pushes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "common/log.hpp"

namespace nuropb::meshd {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A gateway: its edges, controlled by the test, its sessions, and a broker between it and the others.
class Gateway final : public Pushes::Edges {
 public:
  struct Sent {
    WorkerId worker;
    records::Type type;
    std::string payload;
    [[nodiscard]] records::Push push() const { return *records::decode<records::Push>(payload); }
    [[nodiscard]] records::CloseSessions closing() const { return *records::decode<records::CloseSessions>(payload); }
  };
  using Broker = std::deque<std::string>;

  Gateway(const std::string& instance, const Clock& clock, Broker& broker)
      : peers({.service = "gateway", .instance = instance, .largest = Pushes::largest_of(1000)}, clock,
              [&broker, this](const std::string&, const std::string& body, SteadyTime) {
                if (has_room) broker.push_back(body);
                return has_room;
              }),
        pushes({instance, 1000, 10, 32, milliseconds(2000)}, clock, *this, index, peers) {
    peers.on_gone = [this](const std::string& gone) { pushes.on_peer_gone(gone); };
    peers.connected();
  }

  void each(const std::function<void(WorkerId, SessionTable&)>& work) override {
    for (auto& [id, table] : workers) work(id, table);
  }
  void send(WorkerId worker, records::Type type, std::string payload) override {
    sent.push_back({worker, type, std::move(payload)});
  }
  void tick_soon() override { ++ticks_asked; }

  /// A session with this user at an edge.
  SessionId open(std::uint32_t edge, const std::string& user) {
    const WorkerId worker{edge, 7};
    SessionTable& table = workers.try_emplace(worker, 100'000).first->second;
    const std::uint32_t slot = next_slot++;
    Session& session = *table.find(slot);
    session.state = SessionState::open;
    session.serial = slot + 1000;
    session.id = SessionId::random();
    session.identity = StoredIdentity({user, "name of " + user, {}});
    table.opened();
    index.add(worker, slot, session);
    return session.id;
  }
  /// Each edge answers what it was sent with the number of the sessions that were named (or `of_all`).
  void answer(std::uint32_t of_all = 0) {
    auto now = std::exchange(sent, {});
    for (const Sent& one : now) {
      const bool push = one.type == records::Type::push;
      const std::uint64_t op = push ? one.push().op : one.closing().op;
      const bool all = push ? one.push().all : one.closing().all;
      const std::size_t named = push ? one.push().sessions.size() : one.closing().sessions.size();
      if (op != 0) {
        EXPECT_TRUE(pushes.on_pushed(one.worker, {op, all ? of_all : static_cast<std::uint32_t>(named)}));
      }
    }
  }

  std::map<WorkerId, SessionTable> workers;
  std::vector<Sent> sent;
  SessionIndex index;
  Peers peers;
  Pushes pushes;
  std::uint32_t next_slot = 0;
  int ticks_asked = 0;
  bool has_room = true;
};

class PushesTest : public ::testing::Test {
 protected:
  PushesTest() { (void)log::configure({"meshd", log::Level::error, log::Format::text, ""}); }
  Gateway& start(const std::string& instance) {
    gateways_.push_back(std::make_unique<Gateway>(instance, clock_, broker_));
    deliver();
    return *gateways_.back();
  }
  void deliver() {
    while (!broker_.empty()) {
      const std::string body = broker_.front();
      broker_.pop_front();
      for (auto& gateway : gateways_) gateway->peers.receive(body);
    }
  }
  Pushes::Done note() {
    return [this](const Outcome& outcome) { outcomes_.push_back(outcome); };
  }
  ManualClock clock_;
  Gateway::Broker broker_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::vector<Outcome> outcomes_;
};

TEST_F(PushesTest, OneRecordForEachEdgeAndEverySessionOnce) {
  Gateway& a = start("a");
  for (const std::uint32_t edge : {1U, 2U, 2U}) a.open(edge, "ann");
  a.open(2, "bob");
  a.open(3, "cid");
  ASSERT_TRUE(a.pushes.send(Target::users({"ann", "bob", "ann", "nobody"}), "[1]", note()));
  ASSERT_EQ(a.sent.size(), 2u) << "one to each edge that has any of them";
  EXPECT_EQ(a.sent[0].worker.slot, 1u);
  EXPECT_EQ(a.sent[0].push().sessions.size(), 1u);
  EXPECT_EQ(a.sent[1].push().sessions.size(), 3u);
  EXPECT_EQ(a.sent[1].push().text, "[1]");
  EXPECT_FALSE(a.sent[1].push().all);
  EXPECT_TRUE(outcomes_.empty());
  a.answer();
  ASSERT_EQ(outcomes_.size(), 1u) << "at once, because no other gateway has to answer";
  EXPECT_EQ(outcomes_[0].connections, 4u);
  EXPECT_FALSE(a.pushes.waiting());
}

TEST_F(PushesTest, OneSessionAndAll) {
  Gateway& a = start("a");
  const SessionId id = a.open(1, "ann");
  a.open(2, "ann");
  ASSERT_TRUE(a.pushes.send(Target::one(id), "1", note()));
  ASSERT_EQ(a.sent.size(), 1u);
  EXPECT_EQ(a.sent[0].push().sessions[0], (records::SessionRef{0, 1000}));
  a.answer();
  ASSERT_TRUE(a.pushes.send(Target::everyone(), "2", note(), true));
  ASSERT_EQ(a.sent.size(), 2u);
  EXPECT_TRUE(a.sent[0].push().all && a.sent[0].push().whole_frame);
  a.answer(1);
  ASSERT_TRUE(a.pushes.send(Target::one(SessionId::random()), "3", note()));
  EXPECT_TRUE(a.sent.empty());
  ASSERT_EQ(outcomes_.size(), 3u);
  EXPECT_EQ(outcomes_[0].connections, 1u);
  EXPECT_EQ(outcomes_[1].connections, 2u);
  EXPECT_EQ(outcomes_[2].connections, 0u);
  ASSERT_TRUE(a.pushes.send(Target::everyone(), "4", nullptr));
  EXPECT_EQ(a.sent[0].push().op, 0u) << "no operation counts the answers";
  EXPECT_FALSE(a.pushes.waiting());
}

TEST_F(PushesTest, NumberedSessionsAreCountedOverAllEdges) {
  Gateway& a = start("a");
  a.open(1, "ann");
  a.workers.try_emplace(numbered_worker, 100'000U);
  ASSERT_TRUE(a.pushes.send(Target::everyone(), "1", note()));
  ASSERT_EQ(a.sent.size(), 2u);
  EXPECT_FALSE(a.pushes.on_pushed({1, 7}, {a.sent[0].push().op, 11})) << "more than an edge can have";
  ASSERT_TRUE(a.pushes.send(Target::everyone(), "1", note()));
  EXPECT_TRUE(a.pushes.on_pushed({1, 7}, {a.sent[2].push().op, 1}));
  EXPECT_TRUE(a.pushes.on_pushed(numbered_worker, {a.sent[3].push().op, 35}));
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_EQ(outcomes_[0].connections, 36u);
}

TEST_F(PushesTest, MoreNamedThanARecordHolds) {
  Gateway& a = start("a");
  for (std::size_t i = 0; i < records::max_named_sessions + 5; ++i) a.open(1, "ann");
  ASSERT_TRUE(a.pushes.send(Target::users({"ann"}), "1", note()));
  ASSERT_EQ(a.sent.size(), 2u);
  EXPECT_EQ(a.sent[1].push().sessions.size(), 5u);
  a.answer();
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_EQ(outcomes_[0].connections, records::max_named_sessions + 5);
}

TEST_F(PushesTest, Closing) {
  Gateway& a = start("a");
  a.open(1, "ann");
  for (const std::uint16_t code : {1000, 1001, 4000, 4999}) {
    ASSERT_TRUE(a.pushes.close(Target::users({"ann"}), code, "why", note())) << code;
    EXPECT_EQ(a.sent[0].closing().code, code);
    EXPECT_EQ(a.sent[0].closing().reason, "why");
    a.answer();
  }
  for (const std::uint16_t code : {0, 999, 1002, 1005, 1006, 1011, 3000, 3999, 5000, 65535})
    EXPECT_FALSE(a.pushes.close(Target::everyone(), code, "", note())) << code;
  EXPECT_TRUE(a.pushes.close(Target::everyone(), 4000, std::string(123, 'r'), note()));
  EXPECT_FALSE(a.pushes.close(Target::everyone(), 4000, std::string(124, 'r'), note()));
  EXPECT_FALSE(a.pushes.close(Target::everyone(), 4000, "\xff", note())) << "not UTF-8";
  EXPECT_EQ(outcomes_.size(), 4u) << "what is refused is never done";
}

TEST_F(PushesTest, WhatCannotBeSentIsRefusedWithAReason) {
  Gateway& a = start("a");
  a.open(1, "ann");
  const auto why = [&](const Target& target, std::string_view message) {
    const auto sent = a.pushes.send(target, message, note());
    return sent ? "" : sent.error().text();
  };
  EXPECT_THAT(why(Target::everyone(), ""), HasSubstr("not JSON"));
  EXPECT_THAT(why(Target::everyone(), "{\"a\":}"), HasSubstr("not JSON"));
  EXPECT_THAT(why(Target::everyone(), "\"" + std::string(1000, 'x') + "\""), HasSubstr("limits.message_bytes"));
  EXPECT_THAT(why(Target::everyone(), std::string(40, '[') + std::string(40, ']')), HasSubstr("not JSON"));
  EXPECT_THAT(why(Target::users({}), "1"), HasSubstr("no user"));
  EXPECT_THAT(why(Target::users({"ann", ""}), "1"), HasSubstr("empty")) << "anonymous clients have no user id";
  EXPECT_THAT(why(Target::users(std::vector<std::string>(Pushes::max_users + 1, "u")), "1"), HasSubstr("more than"));
  EXPECT_THAT(why(Target::users({std::string(Pushes::max_user_bytes + 1, 'u')}), "1"), HasSubstr("bytes"));
  EXPECT_TRUE(a.sent.empty());
  EXPECT_EQ(a.pushes.counters().sends, 0u);
  for (std::size_t i = 0; i < Pushes::max_operations; ++i) ASSERT_EQ(why(Target::everyone(), "1"), "");
  EXPECT_THAT(why(Target::everyone(), "1"), HasSubstr("in progress"));
  clock_.advance(seconds(3));
  a.pushes.tick();
  EXPECT_EQ(outcomes_.size(), Pushes::max_operations);
  EXPECT_EQ(why(Target::everyone(), "1"), "");
}

TEST_F(PushesTest, AnEdgeThatDoesNotAnswerOrDiesOverIt) {
  Gateway& a = start("a");
  a.open(1, "ann");
  a.open(2, "ann");
  a.open(3, "ann");
  ASSERT_TRUE(a.pushes.send(Target::users({"ann"}), "1", note()));
  const std::uint64_t op = a.sent[0].push().op;
  EXPECT_TRUE(a.pushes.on_pushed({1, 7}, {op, 1}));
  a.pushes.on_worker_gone({2, 7});
  EXPECT_TRUE(outcomes_.empty());
  clock_.advance(milliseconds(1999));
  a.pushes.tick();
  EXPECT_TRUE(outcomes_.empty());
  clock_.advance(milliseconds(1));
  a.pushes.tick();
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_EQ(outcomes_[0].connections, 1u);
  EXPECT_EQ(outcomes_[0].silent_edges, 2u);
  EXPECT_TRUE(a.pushes.on_pushed({3, 7}, {op, 1})) << "late, and honest";
  EXPECT_EQ(outcomes_.size(), 1u);
  EXPECT_GT(a.ticks_asked, 0);
}

TEST_F(PushesTest, WhatNoHonestEdgeSays) {
  Gateway& a = start("a");
  a.open(1, "ann");
  a.open(2, "bob");
  ASSERT_TRUE(a.pushes.send(Target::users({"ann"}), "1", note()));
  const std::uint64_t op = a.sent[0].push().op;
  EXPECT_FALSE(a.pushes.on_pushed({2, 7}, {op, 0})) << "was not asked";
  EXPECT_FALSE(a.pushes.on_pushed({1, 7}, {op, 2})) << "more than it was named";
  EXPECT_FALSE(a.pushes.on_pushed({1, 7}, {0, 0})) << "no operation counts this answer";
  EXPECT_FALSE(a.pushes.on_pushed({1, 7}, {~0ULL, 0})) << "no number of ours";
  ASSERT_TRUE(a.pushes.send(Target::everyone(), "1", note()));
  EXPECT_FALSE(a.pushes.on_pushed({1, 7}, {a.sent[1].push().op, 11})) << "more than limits.connections";
}

TEST_F(PushesTest, AcrossGateways) {
  Gateway &a = start("a"), &b = start("b"), &c = start("c");
  a.open(1, "ann");
  b.open(1, "ann");
  b.open(2, "ann");
  const SessionId there = c.open(1, "cid");
  ASSERT_TRUE(a.pushes.send(Target::users({"ann"}), R"({"x":"\u00e9"})", note()));
  EXPECT_EQ(a.sent.size(), 1u) << "here it goes at once";
  a.answer();
  deliver();
  ASSERT_EQ(b.sent.size(), 2u);
  EXPECT_EQ(b.sent[0].push().text, R"({"x":"\u00e9"})") << "as it was, to the byte";
  b.answer();
  EXPECT_TRUE(outcomes_.empty()) << "their answers are on their way";
  deliver();
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_EQ(outcomes_[0].connections, 3u);
  EXPECT_THAT(outcomes_[0].unanswered, ElementsAre());

  ASSERT_TRUE(a.pushes.close(Target::one(there), 4000, "\"quoted\"", note()));
  deliver();
  ASSERT_EQ(c.sent.size(), 1u);
  EXPECT_EQ(c.sent[0].closing().reason, "\"quoted\"");
  c.answer();
  deliver();
  EXPECT_EQ(outcomes_.at(1).connections, 1u);
  const SessionId here = a.open(1, "dan");
  ASSERT_TRUE(a.pushes.send(Target::one(here), "1", note()));
  EXPECT_TRUE(broker_.empty()) << "who is here is not looked for elsewhere";
  EXPECT_EQ(b.pushes.counters().for_peers, 2u);
}

TEST_F(PushesTest, AGatewayThatDiesOrIsSilentIsNamed) {
  Gateway &a = start("a"), &b = start("b"), &c = start("c");
  b.open(1, "ann");
  (void)c;
  ASSERT_TRUE(a.pushes.send(Target::users({"ann"}), "1", note()));
  b.peers.leave();
  deliver();
  clock_.advance(seconds(2));
  a.pushes.tick();
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_THAT(outcomes_[0].unanswered, ElementsAre("b"));
  ASSERT_TRUE(a.pushes.send(Target::users({"ann"}), "1", note()));
  broker_.clear();  // it never gets there
  clock_.advance(seconds(2));
  a.pushes.tick();
  ASSERT_EQ(outcomes_.size(), 2u);
  EXPECT_THAT(outcomes_[1].unanswered, ElementsAre("c"));
  EXPECT_EQ(a.pushes.counters().timeouts, 1u);
  a.has_room = false;
  ASSERT_TRUE(a.pushes.send(Target::users({"ann"}), "1", note()));
  ASSERT_EQ(outcomes_.size(), 3u) << "who can't be asked is not waited for";
  EXPECT_THAT(outcomes_[2].unanswered, ElementsAre("c"));
  a.peers.disconnected();
  ASSERT_TRUE(a.pushes.send(Target::users({"ann"}), "1", note()));
  EXPECT_THAT(outcomes_.at(3).unanswered, ElementsAre()) << "without a broker there is this gateway only";
}

TEST_F(PushesTest, CountsEverywhere) {
  Gateway &a = start("a"), &b = start("b");
  a.open(1, "ann");
  a.open(1, "ann");
  b.open(1, "bob");
  std::vector<SessionCount> counts;
  ASSERT_TRUE(a.pushes.count([&](const SessionCount& count) { counts.push_back(count); }));
  deliver();
  ASSERT_EQ(counts.size(), 1u);
  EXPECT_EQ(counts[0].sessions, 3u);
  EXPECT_EQ(counts[0].users, 2u);
  EXPECT_EQ(counts[0].gateways, 2u);
}

TEST_F(PushesTest, ListsPageByPageOverAllGateways) {
  Gateway &b = start("b"), &a = start("a"), &c = start("c");
  std::set<std::string> expected;
  for (int i = 0; i < 7; ++i) {
    for (Gateway* gateway : {&a, &b, &c})
      expected.insert(gateway->open(static_cast<std::uint32_t>(i % 3), i % 2 ? "ann" : "bob").hex());
  }
  for (const std::size_t limit : {1, 2, 5, 7, 100}) {
    std::set<std::string> found;
    std::string cursor;
    int pages = 0;
    do {
      std::optional<SessionPage> page;
      ASSERT_TRUE(b.pushes.list(cursor, limit, {}, [&](Result<SessionPage> got) { page = got.value(); }));
      deliver();
      ASSERT_TRUE(page);
      EXPECT_LE(page->sessions.size(), limit);
      for (const auto& entry : page->sessions) EXPECT_TRUE(found.insert(entry.session_id).second) << "twice";
      cursor = page->cursor;
    } while (!cursor.empty() && ++pages < 100);
    EXPECT_EQ(found, expected) << limit;
  }
  std::optional<SessionPage> page;
  ASSERT_TRUE(a.pushes.list("", 100, "ann", [&](Result<SessionPage> got) { page = got.value(); }));
  deliver();
  ASSERT_EQ(page->sessions.size(), 9u);
  EXPECT_EQ(page->sessions[0].username, "name of ann");
  EXPECT_EQ(page->sessions[0].gateway, "a");
  EXPECT_EQ(page->sessions[8].gateway, "c");
}

TEST_F(PushesTest, CursorsThatAreNoneAndGatewaysThatAreGone) {
  Gateway &a = start("a"), &b = start("b");
  b.open(1, "ann");
  for (const char* cursor : {"x", "@", "1.2@a", "1.2.3.4@a", "1.2.-3@a", "1.2.99999999999@a", "a.b.c@a"})
    EXPECT_FALSE(a.pushes.list(cursor, 10, {}, [](const auto&) { FAIL(); })) << cursor;
  for (const std::size_t limit : {std::size_t{0}, Pushes::max_page + 1})
    EXPECT_FALSE(a.pushes.list("", limit, {}, [](const auto&) { FAIL(); }));
  std::vector<std::string> errors;
  const auto note = [&](const Result<SessionPage>& page) { errors.push_back(page ? "none" : page.error().text()); };
  ASSERT_TRUE(a.pushes.list("@nobody", 10, {}, note));
  EXPECT_THAT(errors.at(0), HasSubstr("gone"));
  ASSERT_TRUE(a.pushes.list("@b", 10, {}, note));
  broker_.clear();
  clock_.advance(seconds(2));
  a.pushes.tick();
  EXPECT_THAT(errors.at(1), HasSubstr("does not answer"));
  ASSERT_TRUE(a.pushes.list("@b", 10, {}, note));
  b.peers.leave();
  broker_.pop_front();  // the question; the goodbye stays
  deliver();
  EXPECT_THAT(errors.at(2), HasSubstr("gone"));
  EXPECT_FALSE(a.pushes.waiting());
}

/// A handler of done() may start the next operation, and the end of a worker may end many.
TEST_F(PushesTest, FromWithinDone) {
  Gateway& a = start("a");
  a.open(1, "ann");
  int rounds = 0;
  Pushes::Done again = [&](const Outcome&) {
    if (++rounds < 5) { ASSERT_TRUE(a.pushes.send(Target::users({"ann"}), "1", again)); }
  };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(a.pushes.send(Target::users({"ann"}), "1", again));
  a.pushes.on_worker_gone({1, 7});
  EXPECT_EQ(rounds, 3);
  for (int i = 0; i < 5 && a.pushes.waiting(); ++i) {
    clock_.advance(seconds(2));
    a.pushes.tick();
  }
  EXPECT_EQ(rounds, 7) << "each of the three went on until the fifth round";
}

TEST_F(PushesTest, FramesForPlaces) {
  Gateway& a = start("a");
  a.pushes.send_to({{{1, 7}, {3, 4}}, {{2, 7}, {5, 6}}, {{1, 7}, {8, 9}}}, "{}", true);
  ASSERT_EQ(a.sent.size(), 2u);
  EXPECT_EQ(a.sent[0].push().sessions.size(), 2u);
  EXPECT_TRUE(a.sent[0].push().whole_frame);
  EXPECT_EQ(a.sent[0].push().op, 0u);
}

}  // namespace
}  // namespace nuropb::meshd
