#include "meshd/snorky/backend_scope.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd::snorky {
namespace {

BackendScope scope(const std::vector<std::string>& may, BackendScope::Patterns channels = {},
                   BackendScope::Patterns users = {}) {
  return BackendScope::of(may, std::move(channels), std::move(users)).value();
}

TEST(BackendScope, WithoutOneEverythingIsAllowed) {
  for (const char* const command : {"send_to_all", "close_all", "sessions", "no_such"})
    EXPECT_FALSE(BackendScope().refuses("gateway", command, "{}")) << command;
}

TEST(BackendScope, OnlyTheOperationsThatItNames) {
  const std::pair<const char*, std::pair<const char*, const char*>> calls[] = {
      {"publish", {"pubsub_backend", "publish"}}, {"send", {"gateway", "send_to_all"}},
      {"send", {"gateway", "send_to_session"}},   {"send", {"gateway", "send_to_users"}},
      {"close", {"gateway", "close_all"}},        {"close", {"gateway", "close_session"}},
      {"close", {"gateway", "close_users"}},      {"list", {"gateway", "sessions"}}};
  for (const char* const may : {"publish", "send", "close", "list"}) {
    for (const auto& [operation, call] : calls) {
      EXPECT_EQ(scope({may}).refuses(call.first, call.second, "{}").has_value(), operation != std::string_view(may))
          << may << " " << call.second;
    }
    for (const char* const command : {"", "no_such", "publish", "sessions_all", "Send_to_all"})
      EXPECT_TRUE(scope({may}).refuses("gateway", command, "{}")) << command;
    EXPECT_TRUE(scope({may}).refuses("pubsub_backend", "subscribe", "{}"));
  }
  EXPECT_FALSE(scope({"publish", "close"}).refuses("gateway", "close_all", "{}"));
}

TEST(BackendScope, Channels) {
  const BackendScope one = scope({"publish", "send"}, {"reports.*", "7"});
  const auto refuses = [&](const char* params) { return one.refuses("pubsub_backend", "publish", params).has_value(); };
  EXPECT_FALSE(refuses(R"({"channel":"reports.eu","message":1})"));
  EXPECT_FALSE(refuses(R"({"channel":"rep\u006frts.eu","message":1})")) << "the text counts, and not its spelling";
  EXPECT_FALSE(refuses(R"({"channel":7.0,"message":1})"));
  EXPECT_TRUE(refuses(R"({"channel":"reports","message":1})"));
  EXPECT_TRUE(refuses(R"({"channel":["reports.eu"],"message":1})"));
  EXPECT_TRUE(refuses(R"({"channel":"reports.eu","channel":"orders","message":1})"))
      << "the last one counts, as it does for the service";
  EXPECT_FALSE(refuses(R"({"channel":"orders"})")) << "no call that does anything: the service says what is wrong";
  EXPECT_FALSE(one.refuses("gateway", "send_to_all", R"({"message":1})"));
}

TEST(BackendScope, Users) {
  const BackendScope one = scope({"send", "close", "list"}, {}, {"team-*"});
  const auto refuses = [&](const char* command, const char* params) {
    return one.refuses("gateway", command, params).has_value();
  };
  for (const char* const verb : {"send", "close"}) {
    const std::string all = std::string(verb) + (verb == std::string_view("send") ? "_to_" : "_");
    EXPECT_FALSE(refuses((all + "users").c_str(), R"({"user_ids":["team-a","team-b"],"message":1})")) << verb;
    EXPECT_TRUE(refuses((all + "users").c_str(), R"({"user_ids":["team-a","ann"],"message":1})")) << verb;
    EXPECT_TRUE(refuses((all + "users").c_str(), R"({"user_ids":["team-a"],"user_ids":["ann"],"message":1})")) << verb;
    EXPECT_TRUE(refuses((all + "users").c_str(), R"({"user_ids":["team-a",1],"message":1})")) << verb;
    EXPECT_TRUE(refuses((all + "users").c_str(), R"({"message":1})")) << verb;
    EXPECT_TRUE(refuses((all + "users").c_str(), R"(["team-a"])")) << verb;
    EXPECT_TRUE(refuses((all + "all").c_str(), R"({"message":1})")) << verb;
    EXPECT_TRUE(refuses((all + "session").c_str(), R"({"session_id":"0","message":1})")) << verb;
  }
  EXPECT_FALSE(refuses("sessions", R"({"user_id":"team-a"})"));
  EXPECT_TRUE(refuses("sessions", R"({"user_id":"ann"})"));
  EXPECT_TRUE(refuses("sessions", R"({"user_id":null})"));
  EXPECT_TRUE(refuses("sessions", "{}"));
}

TEST(BackendScope, AWordThatIsNoOperationIsNamed) {
  const auto wrong = BackendScope::of({"send", "everything"}, {}, {});
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().text().find("'everything'"), std::string::npos);
}

}  // namespace
}  // namespace nuropb::meshd::snorky
