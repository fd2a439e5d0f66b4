#include "meshd/snorky/gateway_service.hpp"

#include <map>
#include <nlohmann/json.hpp>

#include "tests/unit/meshd/snorky/recorder.hpp"

namespace nuropb::meshd::snorky {
namespace {

/// One edge with two sockets of ann, which accepts all that it is sent.
class SnorkyGateway : public ::testing::Test, private Pushes::Edges {
 protected:
  SnorkyGateway() {
    for (std::uint32_t slot = 0; slot < 2; ++slot) {
      Session& session = *table_.find(slot);
      session.state = SessionState::open;
      session.serial = 100 + slot;
      session.id = SessionId::random();
      session.identity = StoredIdentity({"ann", {}, {}});
      table_.opened();
      index_.add(worker_, slot, session);
    }
  }
  /// The outcome of a call, once the edge has answered.
  Outcome run(std::string_view command, std::string_view params) {
    std::vector<Outcome> answers;
    service_.call({{{}, {}, nullptr, "key"}, command, params, false},
                  [&](Outcome outcome) { answers.push_back(std::move(outcome)); });
    for (const records::Pushed& taken : std::exchange(asked_, {})) EXPECT_TRUE(pushes_.on_pushed(worker_, taken));
    EXPECT_EQ(answers.size(), 1u) << command << params;
    return answers.empty() ? Outcome{} : answers[0];
  }
  std::string first_session() { return table_.find(0)->id.hex(); }

  std::vector<std::string> texts_;
  std::vector<int> codes_;

 private:
  void each(const std::function<void(WorkerId, SessionTable&)>& work) override { work(worker_, table_); }
  void send(WorkerId, records::Type type, std::string payload) override {
    if (type == records::Type::push) {
      const auto push = records::decode<records::Push>(payload);
      ASSERT_TRUE(push);
      EXPECT_FALSE(push->whole_frame);
      texts_.emplace_back(push->text);
      asked_.push_back({push->op, push->all ? 2 : static_cast<std::uint32_t>(push->sessions.size())});
    } else {
      const auto closing = records::decode<records::CloseSessions>(payload);
      ASSERT_TRUE(closing);
      codes_.push_back(closing->code);
      asked_.push_back({closing->op, closing->all ? 2 : static_cast<std::uint32_t>(closing->sessions.size())});
    }
  }
  void tick_soon() override {}

  WorkerId worker_{0, 7};
  SessionTable table_{10};
  SessionIndex index_;
  SystemClock clock_;
  Peers peers_{{.service = "gateway", .instance = "a"}, clock_, [](const std::string&, const std::string&, SteadyTime) {
                 return true;
               }};
  Pushes pushes_{{"a", 1000, 10, 32, milliseconds(2000)}, clock_, *this, index_, peers_};
  GatewayService service_{pushes_};
  std::vector<records::Pushed> asked_;
};

TEST_F(SnorkyGateway, SendsAsItIsWritten) {
  const char* const message = R"({"n":123456789012345678901234567890, "x":1.0})";
  for (const std::string& call :
       {std::string(R"({"message":)"), R"({"session_id":")" + first_session() + R"(","message":)",
        std::string(R"({"user_ids":["ann"],"message":)")}) {
    const std::string command = call.find("session_id") != std::string::npos ? "send_to_session"
                                : call.find("user_ids") != std::string::npos ? "send_to_users"
                                                                             : "send_to_all";
    const Outcome outcome = run(command, call + message + "}");
    EXPECT_EQ(outcome.error, "");
    EXPECT_EQ(nlohmann::json::parse(outcome.data)["connections"], command == "send_to_session" ? 1 : 2);
    ASSERT_FALSE(texts_.empty());
    EXPECT_EQ(texts_.back(), message);
  }
  EXPECT_EQ(texts_.size(), 3u);
}

TEST_F(SnorkyGateway, ClosesWithCodeAndReason) {
  EXPECT_EQ(run("close_all", "{}").error, "");
  EXPECT_EQ(run("close_users", R"({"user_ids":["ann"],"code":4700,"reason":"r"})").error, "");
  EXPECT_EQ(run("close_session", "{\"session_id\":\"" + first_session() + "\",\"code\":4001}").error, "");
  EXPECT_THAT(codes_, ::testing::ElementsAre(1000, 4700, 4001));
  EXPECT_NE(run("close_all", R"({"code":1002})").error, "");
}

TEST_F(SnorkyGateway, Sessions) {
  const auto page = nlohmann::json::parse(run("sessions", R"({"user_id":"ann"})").data);
  EXPECT_EQ(page["sessions"].size(), 2u);
  EXPECT_EQ(page["count"]["sessions"], 2);
  EXPECT_TRUE(nlohmann::json::parse(run("sessions", R"({"user_id":"bob"})").data)["sessions"].empty());
}

TEST_F(SnorkyGateway, MistakesAreNamed) {
  const std::tuple<const char*, const char*, const char*> wrong[] = {
      {"send_to_all", "{}", "Invalid params"},
      {"send_to_all", R"({"message":1,"to":2})", "Invalid params"},
      {"send_to_all", "7", "Invalid params"},
      {"send_to_session", R"({"session_id":"x","message":1})", "'session_id' is not 32 hexadecimal digits"},
      {"send_to_session", R"({"session_id":7,"message":1})", "'session_id' is not 32 hexadecimal digits"},
      {"send_to_users", R"({"user_ids":"ann","message":1})", "'user_ids' is not a list"},
      {"send_to_users", R"({"user_ids":[1],"message":1})", "'user_ids' has an entry that is not a string"},
      {"send_to_users", R"({"user_ids":["\ud800"],"message":1})", "'user_ids' is not a list"},
      {"send_to_nobody", R"({"message":1})", "Unknown command"},
      {"close_nobody", "{}", "Unknown command"},
      {"__init__", "{}", "Unknown command"},
      {"close_session", R"({"code":1000})", "Invalid params"},
      {"sessions", R"({"user":1})", "Invalid params"},
      {"sessions", R"({"user_id":"\ud800"})", "Invalid params"},
  };
  for (const auto& [command, params, error] : wrong) EXPECT_EQ(run(command, params).error, error) << command << params;
  EXPECT_TRUE(texts_.empty());
  EXPECT_TRUE(codes_.empty());
}

}  // namespace
}  // namespace nuropb::meshd::snorky
