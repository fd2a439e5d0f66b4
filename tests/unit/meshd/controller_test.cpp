#include "meshd/controller.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace nuropb::meshd {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ControllerCaller caller(const json& context, const std::string& reply_to = "") {
  mesh::Call call;
  call.context = context;
  call.reply_to = reply_to;
  Config::Auth keys;
  keys.context_claims_key = "claims";
  return controller_caller(call, keys);
}

TEST(Controller, WhoCallsByItsContext) {
  const auto ops =
      caller({{"user_id", "ops"}, {"claims", {{"tenant", "acme"}, {"roles", {"admin", 7}}}}, {"roles", {"clerk"}}});
  EXPECT_EQ(ops.identity.user_id, "ops");
  EXPECT_EQ(json::parse(ops.identity.claims)["tenant"], "acme");
  EXPECT_THAT(ops.identity.roles, ElementsAre("admin", "clerk"));
  EXPECT_EQ(ops.service, "");
  for (const json& context :
       {json(nullptr), json(1), json::object(), json{{"user_id", 1}, {"claims", "x"}, {"roles", "admin"}}}) {
    const auto nobody = caller(context);
    EXPECT_TRUE(nobody.identity.user_id.empty() && nobody.identity.claims.empty() && nobody.identity.roles.empty())
        << context;
  }
}

TEST(Controller, WhichServiceByItsResponseQueue) {
  EXPECT_EQ(caller({}, "nuropb-orders-0a1b2c-rq").service, "orders");
  EXPECT_EQ(caller({}, "nuropb-big-orders-0a1b2c-rq").service, "big-orders");
  for (const char* queue : {"", "nuropb-orders-rq", "orders-1-rq", "nuropb-orders-1-sq", "nuropb--rq", "nuropb-rq",
                            "nuropb-shop-client-0a1b-rq"})
    EXPECT_EQ(caller({}, queue).service, "") << queue;
}

TEST(Controller, AGatewayOfOursIsNoService) {
  Config config;
  config.gateway.service = "gateway";
  config.lines.enabled = true;
  config.lines.service_name = "lines";
  mesh::Call call;
  for (const char* queue : {"nuropb-gateway-0a1b2c-rq", "nuropb-gateway-host-1-rq", "nuropb-lines-host-1-rq"}) {
    call.reply_to = queue;
    EXPECT_TRUE(is_a_gateway_of(config, call)) << queue;
  }
  for (const char* queue :
       {"", "nuropb-gateway", "nuropb-gateways-1-rq", "nuropb-orders-1-rq", "x-nuropb-gateway-1-rq"}) {
    call.reply_to = queue;
    EXPECT_FALSE(is_a_gateway_of(config, call)) << queue;
  }
}

bool allows(const std::string& rule, const ControllerCaller& who, std::string_view method = "send_to_all") {
  const auto policy = Policy::parse("[[controller]]\n" + rule, "policy");
  EXPECT_TRUE(policy) << policy.error().text();
  return policy && policy->allows_controller(who, method);
}

TEST(Controller, RulesAllowWhomTheyNameAndNobodyElse) {
  EXPECT_FALSE(Policy().allows_controller(caller({{"user_id", "ops"}}), "sessions"));
  const auto ops =
      caller({{"user_id", "ops"}, {"claims", {{"tenant", "acme"}}}, {"roles", {"admin"}}}, "nuropb-orders-1-rq");
  EXPECT_TRUE(allows("methods = ['*']\nusers = ['ops']", ops));
  EXPECT_TRUE(allows("methods = ['send_*']\nroles = ['admin']", ops));
  EXPECT_TRUE(allows("methods = ['send_to_all']\nclaims = { tenant = 'acme' }\nservices = ['ord*']", ops));
  EXPECT_FALSE(allows("methods = ['close_*']\nusers = ['ops']", ops)) << "another method";
  EXPECT_FALSE(allows("methods = ['*']\nusers = ['op']", ops));
  EXPECT_FALSE(allows("methods = ['*']\nroles = ['clerk']", ops));
  EXPECT_FALSE(allows("methods = ['*']\nusers = ['ops']\nservices = ['shop']", ops)) << "both have to be so";
  EXPECT_FALSE(allows("methods = ['*']\nusers = ['ops']\nclaims = { tenant = 'other' }", ops));
  const auto orders = caller(json::object(), "nuropb-orders-1-rq");
  EXPECT_TRUE(allows("methods = ['*']\nservices = ['*']", orders));
  for (const char* services : {"['*']", "['orders']"})
    EXPECT_FALSE(allows(std::string("methods = ['*']\nservices = ") + services, ops))
        << "the call names a user, who may be anybody with a token at a gateway of another name";
  EXPECT_FALSE(allows("methods = ['*']\nservices = ['*']", caller({{"user_id", "ops"}})))
      << "a service that is not known";
  const auto policy = Policy::parse(
      "default = ['request', 'command', 'describe', 'event', 'subscribe']\n[[allow]]\nverbs = ['request']\n", "policy");
  EXPECT_FALSE(policy->allows_controller(ops, "sessions")) << "what consumers may is another matter";
}

TEST(Controller, RulesThatSayLessThanTheyMean) {
  const auto mistake = [](const std::string& rule) {
    return Policy::parse("[[controller]]\n" + rule, "p.toml").error().text();
  };
  EXPECT_THAT(mistake("methods = ['*']"), HasSubstr("without a condition on the caller"));
  EXPECT_THAT(mistake("users = ['ops']"), HasSubstr("without methods"));
  EXPECT_THAT(mistake("methods = ['*']\nusers = []"), HasSubstr("empty"));
  EXPECT_THAT(mistake("methods = ['*']\nverbs = ['request']"), HasSubstr("unknown key 'verbs'"));
  EXPECT_THAT(Policy::parse("controller = 1", "p.toml").error().text(), HasSubstr("[[controller]]"));
}

}  // namespace
}  // namespace nuropb::meshd
