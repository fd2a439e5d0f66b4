#include "meshd/auth/introspection.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/meshd/small_server.hpp"
#include "tests/unit/meshd/temp_file.hpp"
#include "tests/unit/meshd/verdicts.hpp"

namespace nuropb::meshd {
namespace {

using What = Verdict::What;
const ClaimNames names{"sub", "username", "scope", {"tenant"}};

TEST(Introspection, WhatAnswersMean) {
  const Verdict good = judge_introspection(
      200, R"({"active":true,"sub":"ann","username":"Ann","scope":"read write","exp":2000,"tenant":"acme"})", names,
      1999);
  ASSERT_TRUE(good.accepted()) << good.reason;
  EXPECT_EQ(good.identity.user_id, "ann");
  EXPECT_EQ(good.identity.roles, (std::vector<std::string>{"read", "write"}));
  EXPECT_EQ(good.identity.claims, R"({"tenant":"acme"})");
  EXPECT_EQ(good.identity.expires, 2000);
  const struct {
    unsigned status;
    const char* body;
    What what;
  } rows[] = {
      {200, R"({"active":false})", What::not_mine},
      {200, R"({"active":true,"sub":"ann","exp":1999})", What::refused},
      {200, R"({"active":true,"sub":"ann","exp":"soon"})", What::refused},
      {200, R"({"active":true,"sub":"ann","nbf":2001})", What::refused},
      {200, R"({"active":true,"sub":"ann","nbf":"x"})", What::refused},
      {200, R"({"active":true,"sub":"ann","exp":-1})", What::refused},
      {200, R"({"active":true,"sub":"ann","exp":0})", What::refused},
      {200, R"({"active":true,"sub":"ann","exp":-1e30})", What::refused},
      {200, R"({"active":true,"sub":"ann","nbf":1e30})", What::refused},
      {200, R"({"active":true,"sub":"ann","exp":9223372036854775807})", What::accepted},
      {200, R"({"active":true,"sub":"ann","exp":1e30,"nbf":-1e30})", What::accepted},
      {200, R"({"active":true,"sub":"ann","nbf":null})", What::accepted},
      {200, R"({"active":true})", What::refused},
      {200, R"({"active":"true","sub":"ann"})", What::unavailable},
      {200, R"({"sub":"ann"})", What::unavailable},
      {200, "[]", What::unavailable},
      {200, "{", What::unavailable},
      {200, "", What::unavailable},
      {401, R"({"active":true,"sub":"ann"})", What::unavailable},
      {500, R"({"active":true,"sub":"ann"})", What::unavailable},
      {302, "", What::unavailable},
  };
  for (const auto& row : rows)
    EXPECT_EQ(judge_introspection(row.status, row.body, names, 1999).what, row.what) << row.status << " " << row.body;
}

struct IntrospectionTest : testing::Test {
  void make(const http::Url& url) {
    const std::string file = temp_file("client-secret.txt");
    std::ofstream(file) << "s3:cret\nnot this\n";
    auto made = Introspection::make(
        {{url, {}, 0}, milliseconds(10'000), 2, 10, "gate way", file, names, [] { return std::int64_t{1999}; }});
    std::filesystem::remove(file);
    ASSERT_TRUE(made) << made.error().text();
    introspection = std::move(*made);
    introspection->start(loop.post());
  }
  TestLoop loop;
  std::unique_ptr<Introspection> introspection;
};

TEST_F(IntrospectionTest, AsksAsTheRfcSays) {
  SmallServer server([](const SmallServer::Request& request) -> SmallServer::Answer {
    const bool asked_right = request.method_string() == "POST" && request.target() == "/introspect" &&
                             request["Content-Type"] == "application/x-www-form-urlencoded" &&
                             request["Authorization"] == "Basic Z2F0ZSUyMHdheTpzMyUzQWNyZXQ=" &&
                             request.body() == "token=a%2Bb%26c&token_type_hint=access_token";
    return {asked_right ? 200U : 400U, R"({"active":true,"sub":"ann"})"};
  });
  make(server.url("/introspect"));
  const Verdict verdict = loop.judge(*introspection, bearer("a+b&c"));
  ASSERT_TRUE(verdict.accepted()) << verdict.reason;
  EXPECT_EQ(verdict.identity.token, "a+b&c");
  EXPECT_EQ(verdict.identity.expires, 0);
}

TEST_F(IntrospectionTest, AServerThatIsAwayRefusesNobody) {
  SmallServer server([](const SmallServer::Request&) { return SmallServer::Answer{}; });
  const auto url = server.url();
  server.stop();
  make(url);
  const Verdict verdict = loop.judge(*introspection, bearer("t0ken"));
  EXPECT_EQ(verdict.what, What::unavailable);
  EXPECT_EQ(verdict.reason.find("t0ken"), std::string::npos);
}

TEST(Introspection, NamesWhatIsMissing) {
  Introspection::Settings settings;
  settings.client_id = "me";
  EXPECT_NE(Introspection::make(settings).error().text().find("client_secret_file"), std::string::npos);
  settings.client_secret_file = "/nonexistent/secret";
  EXPECT_NE(Introspection::make(settings).error().text().find("/nonexistent/secret"), std::string::npos);
}

}  // namespace
}  // namespace nuropb::meshd
