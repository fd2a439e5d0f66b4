#include "meshd/policy.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

const Identity ann{"ann", "Ann", "t", {"clerk"}, R"({"tenant":"acme","groups":["blue","red"],"level":3})"};
const Identity bob{"bob", "", "t", {}, ""};

Policy::Session may(const std::string& toml, const Identity& identity) {
  const auto policy = Policy::parse(toml, "p.toml");
  EXPECT_TRUE(policy) << policy.error().text();
  return policy ? policy->for_identity(identity) : Policy::Session();
}
std::string mistake(const std::string& toml) {
  const auto policy = Policy::parse(toml, "p.toml");
  return policy ? "none" : policy.error().text();
}

TEST(Policy, WithoutRulesRequestsAreAllowedAndNothingElse) {
  for (const auto& session : {Policy().for_identity(ann), may("", ann)}) {
    EXPECT_TRUE(session.allows(Use::request, "any", "thing"));
    EXPECT_FALSE(session.allows(Use::command, "any", "thing"));
    EXPECT_FALSE(session.allows(Use::describe, "any", ""));
    EXPECT_FALSE(session.allows_topic(Use::event, "a"));
    EXPECT_FALSE(session.allows_topic(Use::subscribe, "a"));
  }
  EXPECT_FALSE(may("default = []", ann).allows(Use::request, "any", "thing"));
  EXPECT_FALSE(Policy::Session().allows(Use::request, "any", "thing"))
      << "a session without a policy has no permissions";
}

TEST(Policy, WhoIsMeant) {
  const auto rule = [](const std::string& who) { return "[[allow]]\nverbs = [\"command\"]\n" + who; };
  const auto both = [&](const std::string& who) {
    return std::pair(may(rule(who), ann).allows(Use::command, "s", "m"),
                     may(rule(who), bob).allows(Use::command, "s", "m"));
  };
  EXPECT_EQ(both(""), std::pair(true, true));
  EXPECT_EQ(both("users = [\"ann\"]"), std::pair(true, false));
  EXPECT_EQ(both("users = [\"b*\"]"), std::pair(false, true));
  EXPECT_EQ(both("roles = [\"clerk\"]"), std::pair(true, false));
  EXPECT_EQ(both("users = [\"bob\"]\nroles = [\"clerk\"]"), std::pair(true, true)) << "users or roles";
  EXPECT_EQ(both("claims = { tenant = \"acme\" }"), std::pair(true, false));
  EXPECT_EQ(both("claims = { tenant = \"acme\", level = 4 }"), std::pair(false, false)) << "all claims";
  EXPECT_EQ(both("claims = { level = [3, 4] }"), std::pair(true, false)) << "one of those listed";
  EXPECT_EQ(both("claims = { groups = \"red\" }"), std::pair(true, false)) << "one of those it has";
  EXPECT_EQ(both("roles = [\"clerk\"]\nclaims = { tenant = \"other\" }"), std::pair(false, false))
      << "and its claims too";
}

TEST(Policy, WhatIsMeant) {
  const auto session =
      may("default = []\n[[allow]]\nverbs = [\"request\", \"describe\"]\nservices = [\"orders*\"]\nmethods = "
          "[\"get_*\", \"list\"]\n",
          ann);
  EXPECT_TRUE(session.allows(Use::request, "orders-eu", "get_one"));
  EXPECT_TRUE(session.allows(Use::request, "orders", "list"));
  EXPECT_FALSE(session.allows(Use::request, "orders", "listen"));
  EXPECT_FALSE(session.allows(Use::request, "stock", "list"));
  EXPECT_FALSE(session.allows(Use::command, "orders", "list"));
  EXPECT_TRUE(session.allows(Use::describe, "orders", ""));
}

TEST(Policy, DenyingWins) {
  const auto session =
      may("[[deny]]\nverbs = [\"request\"]\nservices = [\"vault\"]\n[[allow]]\nverbs = [\"request\"]\nservices = "
          "[\"vault\"]\n",
          ann);
  EXPECT_FALSE(session.allows(Use::request, "vault", "open"));
  EXPECT_TRUE(session.allows(Use::request, "else", "open"));
}

TEST(Policy, Topics) {
  const auto session =
      may("[[allow]]\nverbs = [\"subscribe\", \"event\"]\ntopics = [\"news.#\", \"chat.*\"]\n[[deny]]\nverbs = "
          "[\"subscribe\"]\ntopics = [\"news.secret.#\"]\n",
          ann);
  EXPECT_TRUE(session.allows_topic(Use::event, "news.secret.plan")) << "only subscriptions are denied";
  EXPECT_TRUE(session.allows_topic(Use::subscribe, "news.sport.#"));
  EXPECT_TRUE(session.allows_topic(Use::subscribe, "chat.*"));
  EXPECT_FALSE(session.allows_topic(Use::subscribe, "chat.#")) << "more than what is allowed";
  EXPECT_FALSE(session.allows_topic(Use::subscribe, "#"));
  EXPECT_FALSE(session.allows_topic(Use::subscribe, "news.#")) << "it would take in what is denied";
  EXPECT_FALSE(session.allows_topic(Use::subscribe, "news.*.plan"));
  EXPECT_TRUE(may("default = [\"subscribe\"]", ann).allows_topic(Use::subscribe, "#"));
}

TEST(Policy, ASessionKeepsItsRulesWhenThePolicyIsReplaced) {
  auto policy = *Policy::parse("default = [\"command\"]", "p.toml");
  const auto session = policy.for_identity(ann);
  policy = Policy();
  EXPECT_TRUE(session.allows(Use::command, "s", "m"));
}

TEST(Policy, WhatCannotBeReadIsNoEmptyPolicy) {
  EXPECT_FALSE(Policy::load("/")) << "a folder opens like a file, and its rules would be none";
  EXPECT_FALSE(Policy::load("/no/such/file"));
}

TEST(Policy, MistakesAreNamedWithTheirLine) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"[[allow]]\nverbs = [\"fly\"]\n", "p.toml:2: verbs: 'fly' is not a verb"},
      {"[[allow]]\nusers = [\"x\"]\n", "p.toml:1: a rule without verbs"},
      {"[[allow]]\nverbs = [\"event\"]\nservices = [\"x\"]\n", "services or methods in a rule for event or subscribe"},
      {"[[allow]]\nverbs = [\"request\"]\ntopics = [\"x\"]\n", "topics in a rule for request"},
      {"[[allow]]\nverbs = \"request\"\n", "p.toml:2: verbs is not a list"},
      {"[[allow]]\nverbs = [\"request\"]\nusers = []\n", "p.toml:3: users is empty"},
      {"[[allow]]\nverbs = [\"request\"]\nuser = [\"x\"]\n", "p.toml:3: unknown key 'user'"},
      {"[[allow]]\nverbs = [\"request\"]\nclaims = { a = { b = 1 } }\n", "claims.a is neither"},
      {"[allow]\nverbs = [\"request\"]\n", "allow is not a list of tables"},
      {"allows = 1\n", "unknown key 'allows'"},
      {"default = [\"all\"]\n", "default: 'all' is not a verb"},
      {"[[allow]\n", "not TOML"},
  };
  for (const auto& [toml, part] : mistakes)
    EXPECT_NE(mistake(toml).find(part), std::string::npos) << toml << mistake(toml);
}

}  // namespace
}  // namespace nuropb::meshd
