#include "meshd/auth/mesh_authorizer.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/messages.hpp"
#include "tests/unit/meshd/verdicts.hpp"

namespace nuropb::meshd {
namespace {

using What = Verdict::What;

TEST(MeshAuthorizer, WhatAnswersMean) {
  const Verdict good = judge_mesh_answer(
      R"({"user_id":"ann","username":"Ann","roles":["clerk"],"claims":{"tenant":"acme"},"expires":2000})", "null");
  ASSERT_TRUE(good.accepted()) << good.reason;
  EXPECT_EQ(good.identity.user_id, "ann");
  EXPECT_EQ(good.identity.roles, std::vector<std::string>{"clerk"});
  EXPECT_EQ(good.identity.claims, R"({"tenant":"acme"})");
  EXPECT_EQ(good.identity.expires, 2000);
  const struct {
    const char *result, *error;
    What what;
  } rows[] = {
      {R"({"user_id":"ann"})", "null", What::accepted},
      {"null", "null", What::not_mine},
      {"false", "null", What::not_mine},
      {"true", "null", What::refused},
      {R"({"user_id":""})", "null", What::refused},
      {R"({"user_id":"ann","expires":"x"})", "null", What::refused},
      {R"({"user_id":"ann","expires":0})", "null", What::refused},
      {R"({"user_id":"ann","expires":-5})", "null", What::refused},
      {R"({"user_id":"ann","expires":9223372036854775807})", "null", What::accepted},
      {R"({"user_id":"ann","expires":1e30})", "null", What::accepted},
      {R"({"user_id":"ann"})", R"({"error":"NuropbAuthenticationError","description":"no"})", What::refused},
      {"null", R"({"error":"NuropbAuthorizationError","description":"no"})", What::refused},
      {"null", R"({"error":"NuropbException","description":"broken"})", What::unavailable},
      {"null", "{}", What::unavailable},
      {"null", "7", What::unavailable},
      {"{", "null", What::unavailable},
      {"", "", What::unavailable},
  };
  for (const auto& row : rows)
    EXPECT_EQ(judge_mesh_answer(row.result, row.error).what, row.what) << row.result << " " << row.error;
}

struct MeshAuthorizerTest : testing::Test {
  MeshAuthorizerTest() {
    mesh.connect([this](mesh::Outgoing&& message, const std::string& method) {
      if (!reachable) return false;
      EXPECT_EQ(method, "check");
      sent.push_back(std::move(message));
      return true;
    });
  }
  void judge(const std::string& token = "t\"1") {
    mesh.judge(bearer(token), [this](Verdict v) { verdicts.push_back(std::move(v)); });
  }
  mesh::Incoming answer_to(const mesh::Outgoing& question, std::string_view result, std::string_view error = "null") {
    mesh::Incoming message;
    message.type = MessageType::response;
    message.correlation_id = question.correlation_id;
    ResponseBody body;
    body.result = result;
    body.error = error;
    body.correlation_id = question.correlation_id;
    message.body = encode_response(body);
    return message;
  }
  bool reachable = true;
  std::vector<mesh::Outgoing> sent;
  std::vector<Verdict> verdicts;
  MeshAuthorizer mesh{{"users", "check", milliseconds(1000), 2}};
};

TEST_F(MeshAuthorizerTest, AsksAndHears) {
  judge();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].routing_key, "users");
  EXPECT_EQ(sent[0].type, MessageType::request);
  const auto call = decode_call(sent[0].body, MessageType::request);
  ASSERT_TRUE(call) << call.error().text();
  EXPECT_EQ(call->method, "check");
  EXPECT_EQ(nlohmann::json::parse(call->params), (nlohmann::json{{"token", "t\"1"}}));
  EXPECT_FALSE(ReturnAddress::parse(sent[0].correlation_id))
      << "it can't be confused with the answer to a client's request";
  const auto message = answer_to(sent[0], R"({"user_id":"ann"})");
  EXPECT_TRUE(mesh.take(message));
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_TRUE(verdicts[0].accepted());
  EXPECT_EQ(verdicts[0].identity.token, "t\"1");
  EXPECT_TRUE(mesh.take(message)) << "a second answer is still ours";
  EXPECT_EQ(verdicts.size(), 1u);
}

TEST_F(MeshAuthorizerTest, OthersMessagesAreNotItsBusiness) {
  mesh::Incoming message;
  message.correlation_id = random_hex32();
  EXPECT_FALSE(mesh.take(message));
  mesh::Report report{};
  report.correlation_id = random_hex32();
  EXPECT_FALSE(mesh.take(report));
  EXPECT_FALSE(mesh.refused(random_hex32(), ""));
}

TEST_F(MeshAuthorizerTest, WhateverGoesWrongIsNoVerdict) {
  reachable = false;
  judge();
  reachable = true;
  judge();
  mesh::Report report{};
  report.correlation_id = sent[0].correlation_id;
  report.outcome = mesh::Outcome::confirmed;
  EXPECT_TRUE(mesh.take(report));
  EXPECT_EQ(verdicts.size(), 1u) << "the answer is still to come";
  report.outcome = mesh::Outcome::not_delivered;
  EXPECT_TRUE(mesh.take(report));
  judge();
  mesh.tick(SystemClock().now());
  EXPECT_EQ(verdicts.size(), 2u);
  mesh.tick(SystemClock().now() + milliseconds(1001));
  judge();
  EXPECT_TRUE(mesh.refused(sent.back().correlation_id, "no key"));
  judge();
  mesh::Incoming rubbish;
  rubbish.correlation_id = sent.back().correlation_id;
  rubbish.body = "{";
  EXPECT_TRUE(mesh.take(rubbish));
  ASSERT_EQ(verdicts.size(), 5u);
  for (const Verdict& verdict : verdicts) EXPECT_EQ(verdict.what, What::unavailable) << verdict.reason;
}

TEST_F(MeshAuthorizerTest, HasABound) {
  for (int i = 0; i < 3; ++i) judge();
  EXPECT_EQ(sent.size(), 2u);
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].what, What::unavailable);
}

}  // namespace
}  // namespace nuropb::meshd
