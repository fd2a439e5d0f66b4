#include "meshd/tap_recorder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <vector>

namespace nuropb::meshd {
namespace {

using records::Type;
using ::testing::HasSubstr;

struct TapLines final : Taps::Reader {
  void write(std::string_view line) override { lines.push_back(nlohmann::json::parse(line)); }
  [[nodiscard]] bool gone() const override { return left; }
  std::vector<nlohmann::json> lines;
  bool left = false;
};

class TapRecorderTest : public ::testing::Test {
 protected:
  TapRecorderTest() { lines_ = watch(R"({"user_id":"ann"})"); }
  std::shared_ptr<TapLines> watch(const std::string& body) {
    auto lines = std::make_shared<TapLines>();
    EXPECT_FALSE(recorder_.start(body, lines));
    return lines;
  }
  Session& open(WorkerId worker, std::uint32_t slot, const std::string& user) {
    Session& session = *tables_.try_emplace(worker, 16).first->second.find(slot);
    session.state = SessionState::open;
    session.serial = slot + 100;
    session.id = SessionId::random();
    Identity identity;
    identity.user_id = user;
    session.identity = StoredIdentity(identity);
    return session;
  }
  static ReturnAddress from(WorkerId worker, std::uint32_t slot, std::uint64_t sequence) {
    return {1, worker.slot, worker.generation, slot, sequence};
  }
  static records::Request request(std::string_view params) { return {0, 100, 0, "demo", "echo", "\"t\"", params, {}}; }
  static std::string push(std::vector<records::SessionRef> sessions, bool all = false,
                          HandlerKind kind = HandlerKind::web_socket) {
    std::string refs, out;
    for (const records::SessionRef& ref : sessions) records::SessionRefs::append(refs, ref);
    records::encode(records::Push{7, all, false, records::SessionRefs(refs), R"({"n":1})", kind}, out);
    return out;
  }
  static std::string event(std::string_view target) {
    std::string out;
    records::encode(records::MeshEvent{"a.b", R"({"n":1})", {}, target, HandlerKind::web_socket, {}}, out);
    return out;
  }

  ManualClock clock_;
  Mailboxes mailboxes_{{}};
  UserPatterns patterns_{10};  // outlives the sessions
  std::map<WorkerId, SessionTable> tables_;
  TapRecorder recorder_{true, clock_, mailboxes_, [this](const auto& work) {
                          for (auto& [id, table] : tables_) work(id, table);
                        }};
  std::shared_ptr<TapLines> lines_;
  const WorkerId one_{1, 10}, two_{2, 20};
};

TEST_F(TapRecorderTest, WatchesOnlyWhereItIsAllowedAndAskedForOneUserOrSession) {
  TapRecorder off(false, clock_, mailboxes_, [](const auto&) {});
  const auto lines = std::make_shared<TapLines>();
  ASSERT_TRUE(off.start(R"({"user_id":"ann"})", lines));
  EXPECT_FALSE(off.watching());
  TapRecorder on(true, clock_, mailboxes_, [](const auto&) {});
  for (const std::string body : {"", "[]", "{}", R"({"user_id":7})", R"({"session_id":"zz"})",
                                 R"({"user_id":"ann","session_id":"00000000000000000000000000000000"})"}) {
    const auto answer = on.start(body, lines);
    ASSERT_TRUE(answer) << body;
    EXPECT_FALSE(answer->good);
    EXPECT_THAT(answer->json, HasSubstr("'user_id', 'session_id'"));
  }
  EXPECT_FALSE(on.watching());
  EXPECT_FALSE(on.start(R"({"session_id":"00000000000000000000000000000000"})", lines));
  EXPECT_TRUE(on.watching());
}

TEST_F(TapRecorderTest, EndsWithItsReader) {
  EXPECT_TRUE(recorder_.watching());
  lines_->left = true;
  recorder_.forget_gone();
  EXPECT_FALSE(recorder_.watching());
}

TEST_F(TapRecorderTest, ShowsARequestAndItsAnswerOfWhoIsWatched) {
  const Session& ann = open(one_, 0, "ann");
  const Session& bob = open(one_, 1, "bob");
  recorder_.asked(Type::request, request(R"({"x":1})"), ann, from(one_, 0, 5));
  recorder_.asked(Type::request, request(R"({"x":1})"), bob, from(one_, 1, 6));
  clock_.advance(milliseconds(20));
  recorder_.answered(refusal(from(one_, 1, 6), "NuropbException", "no"));
  recorder_.answered(done(from(one_, 0, 5), R"({"y":"text"})"));
  ASSERT_EQ(lines_->lines.size(), 2U);
  EXPECT_EQ(lines_->lines[0]["what"], "request");
  EXPECT_EQ(lines_->lines[0]["method"], "echo");
  EXPECT_EQ(lines_->lines[0]["params"], nlohmann::json({{"x", "number"}}));
  EXPECT_EQ(lines_->lines[1]["what"], "answer");
  EXPECT_EQ(lines_->lines[1]["result"], nlohmann::json({{"y", "text of 4 bytes"}}));
  EXPECT_EQ(lines_->lines[1]["took_ms"], 20.0);
}

TEST_F(TapRecorderTest, AnAnswerToAMailboxIsThatOfTheRequestThatItWaitsFor) {
  Session& ann = open(one_, 0, "ann");
  ann.mailbox = std::make_unique<Mailbox>(mailboxes_, ann, 0);
  const auto number = mailboxes_.wait(*ann.mailbox, {from(one_, 0, 5), ann.serial, Type::request, "\"t\"", {}, {}});
  recorder_.asked(Type::request, request("{}"), ann, from(one_, 0, 5));
  if (!number) GTEST_FAIL() << "the mailbox takes no request";
  recorder_.answered(done({1, numbered_worker.slot, numbered_worker.generation, ann.mailbox->id(), *number}));
  recorder_.answered(done({1, numbered_worker.slot, numbered_worker.generation, ann.mailbox->id(), *number + 1}));
  recorder_.answered(done({1, numbered_worker.slot, numbered_worker.generation, ann.mailbox->id() + 1, *number}));
  EXPECT_EQ(lines_->lines.size(), 2U);
}

TEST_F(TapRecorderTest, ShowsAPushToTheSessionsThatItNames) {
  const Session& ann = open(one_, 0, "ann");
  (void)open(one_, 1, "ann");
  (void)open(two_, 0, "ann");
  Session& numbered = open(one_, 2, "ann");
  numbered.mailbox = std::make_unique<Mailbox>(mailboxes_, numbered, 0);
  recorder_.pushed(one_, push({{0, ann.serial}}));
  EXPECT_EQ(lines_->lines.size(), 1U);
  EXPECT_EQ(lines_->lines[0]["session_id"], ann.id.hex());
  recorder_.pushed(one_, push({{0, ann.serial + 1}}));
  recorder_.pushed({9, 9}, push({}, true));
  recorder_.pushed(one_, push({}, true, HandlerKind::lines));
  recorder_.pushed(one_, "no push");
  EXPECT_EQ(lines_->lines.size(), 1U) << "of another session, another worker, another kind, or unreadable";
  recorder_.pushed(one_, push({}, true));
  EXPECT_EQ(lines_->lines.size(), 3U) << "the resumable session is reported separately";
  recorder_.pushed(numbered, R"({"n":1})");
  EXPECT_EQ(lines_->lines.size(), 4U);
}

TEST_F(TapRecorderTest, ShowsAnEventToWhomItIsFor) {
  Session& ann = open(one_, 0, "ann");
  recorder_.event(HandlerKind::web_socket, "a.b", event("null"));
  EXPECT_TRUE(lines_->lines.empty()) << "not subscribed";
  ann.topics.add("a.*", patterns_, "ann");
  recorder_.event(HandlerKind::web_socket, "a.b", event("null"));
  recorder_.event(HandlerKind::web_socket, "a.b", event(R"(["ann"])"));
  EXPECT_EQ(lines_->lines.size(), 2U);
  recorder_.event(HandlerKind::web_socket, "a.b", event(R"(["bob"])"));
  recorder_.event(HandlerKind::lines, "a.b", event("null"));
  recorder_.event(HandlerKind::web_socket, "a.b", "no event");
  EXPECT_EQ(lines_->lines.size(), 2U);
}

TEST_F(TapRecorderTest, ShowsEachVerbByItsName) {
  const Session& ann = open(one_, 0, "ann");
  std::uint64_t sequence = 0;
  const auto next = [&] { return from(one_, 0, ++sequence); };
  recorder_.asked(Type::command, request("{}"), ann, next());
  recorder_.asked(Type::describe, request(""), ann, next());
  recorder_.asked(Type::event, records::Event{0, 100, 0, "a.b", "\"t\"", "1", "null", {}}, ann, next());
  recorder_.asked(Type::subscribe, records::Subscription{0, 100, "a.b", 0, "\"t\"", {}}, ann, next());
  recorder_.asked(Type::unsubscribe, records::Subscription{0, 100, "a.b", 0, "\"t\"", {}}, ann, next());
  recorder_.asked(Type::authorize, records::Authorize{0, 100, "token", 0, "\"t\""}, ann, next());
  std::vector<std::string> verbs;
  for (const nlohmann::json& line : lines_->lines) {
    verbs.push_back(line["what"]);
    EXPECT_THAT(line.dump(), ::testing::Not(HasSubstr("token")));
  }
  EXPECT_THAT(verbs, ::testing::ElementsAre("command", "describe", "event", "subscribe", "unsubscribe", "authorize"));
}

}  // namespace
}  // namespace nuropb::meshd
