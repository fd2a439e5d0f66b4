#include "edge/http_calls/call_answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/close_codes.hpp"
#include "common/error_names.hpp"
#include "common/messages.hpp"
#include "edge/protocol/call_protocol.hpp"

namespace nuropb::edge {
namespace {

using ::testing::HasSubstr;

class CallAnswerTest : public ::testing::Test {
 protected:
  static std::string response(std::string_view result, std::string_view error = "null",
                              std::string_view trace_id = "\"t\"") {
    std::string out;
    encode_response(out, trace_id, result, error);
    return out;
  }
  static std::optional<HttpAnswer> answer(const std::string& text, bool returns_result = true) {
    return answer_of(text, "t", returns_result);
  }
  /// The answer to a call that has failed with this error, as JSON.
  static HttpAnswer failed(std::string_view error) {
    return answer(response("null", error)).value_or(HttpAnswer{0, {}, {}});
  }
  static std::string header(const HttpAnswer& answer, std::string_view name) {
    std::string out = "none";
    for (const auto& [one, value] : answer.headers) {
      if (one != name) continue;
      EXPECT_EQ(out, "none") << "twice: " << name;
      out = value;
    }
    return out;
  }
  static nlohmann::json body(const HttpAnswer& answer) { return nlohmann::json::parse(answer.body); }
};

// Results

TEST_F(CallAnswerTest, AResultIsTheBody) {
  const auto out = answer(response(R"({"y": [1, 2.50]})"));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->status, 200);
  EXPECT_EQ(out->body, R"({"y": [1, 2.50]})") << "byte for byte";
  EXPECT_EQ(header(*out, "Content-Type"), "application/json");
  EXPECT_EQ(answer(response("null"))->body, "null");
}

TEST_F(CallAnswerTest, WhatHasNoResultIsAccepted) {
  const auto out = answer(response("null"), false);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->status, 202);
  EXPECT_EQ(out->body, "");
  EXPECT_EQ(header(*out, "Content-Type"), "none");
}

TEST_F(CallAnswerTest, AFailureIsOneAlsoWhereNoResultIsExpected) {
  const auto out = answer(response("null", error_json(error_name::authorization, "no")), false);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->status, 403);
}

TEST_F(CallAnswerTest, AResultMayBeDeeperAndItsNumbersLongerThanAClientsMay) {
  const std::string deep = std::string(250, '[') + std::string(2000, '7') + std::string(250, ']');
  const auto out = answer_of(response(deep), "t", true);
  ASSERT_TRUE(out) << "or the client would wait for ever";
  EXPECT_EQ(out->body, deep);
}

TEST_F(CallAnswerTest, TheAnswerToAnotherCallIsNone) {
  EXPECT_FALSE(answer(response("1", "null", "\"other\"")));
  EXPECT_FALSE(answer(response("1", "null", "\"tt\"")));
  EXPECT_FALSE(answer(response("1", "null", "null")));
  EXPECT_FALSE(answer(response("1", "null", "{\"t\":\"t\"}")));
  EXPECT_FALSE(answer_of(response("1", "null", "7"), "7", true)) << "an id is a string";
  EXPECT_TRUE(answer(response("1", "null", "\"\\u0074\""))) << "however it is written";
}

TEST_F(CallAnswerTest, AnotherMessageIsNone) {
  for (const char* const text :
       {"", "{", "rubbish", "1", "[]", "{}", R"({"type":"event","payload":{"topic":"t","event":1,"trace_id":"t"}})",
        R"({"type":"response"})", R"({"type":"response","payload":"t","trace_id":"t"})",
        R"({"payload":{"trace_id":"t","result":1,"error":null}})"})
    EXPECT_FALSE(answer(text)) << text;
}

// Errors

TEST_F(CallAnswerTest, EachErrorHasItsStatus) {
  struct Row {
    std::string_view error;
    int status;
  };
  const Row rows[] = {
      {error_name::validation, 400},
      {"JSONDecodeError", 400},
      {"KeyError", 400},
      {error_name::authentication, 403},
      {error_name::authorization, 403},
      {error_name::not_delivered, 404},
      {error_name::exception, 502},
      {error_name::handling, 502},
      {error_name::message, 502},
      {error_name::deprecated, 502},
      {error_name::call_again, 502},
      {error_name::call_again_reject, 502},
      {error_name::resume_failed, 502},
      {error_name::success, 502},
      {"ValueError", 502},
      {"", 502},
      {error_name::transport, 503},
      {error_name::timeout, 504},
  };
  for (const auto& [error, status] : rows) {
    const HttpAnswer out = failed(error_json(error, "the \"reason\""));
    EXPECT_EQ(out.status, status) << error;
    EXPECT_EQ(header(out, "Content-Type"), "application/problem+json") << error;
    EXPECT_EQ(header(out, "Retry-After"), status == 503 ? "1" : "none") << error;
    EXPECT_EQ(body(out), (nlohmann::json{{"type", "about:blank"},
                                         {"title", reason_phrase(status)},
                                         {"status", status},
                                         {"detail", "the \"reason\""},
                                         {"error", error}}));
  }
}

TEST_F(CallAnswerTest, AnUnknownOutcomeIsRepeatedByNobody) {
  for (const std::string_view error : {error_name::transport, error_name::timeout, std::string_view("ValueError")}) {
    const HttpAnswer out = failed(unknown_outcome_json("it may have run", error));
    EXPECT_EQ(out.status, 424) << error;
    EXPECT_EQ(body(out)["outcome"], "unknown") << error;
    EXPECT_EQ(body(out)["error"], error);
    EXPECT_EQ(header(out, "Retry-After"), "none") << error;
  }
}

TEST_F(CallAnswerTest, ALimitSaysWhenToComeAgain) {
  const HttpAnswer out = failed(over_limit_json("too many (limits.pending_per_session)"));
  EXPECT_EQ(out.status, 429);
  EXPECT_EQ(header(out, "Retry-After"), "1");
  EXPECT_EQ(body(out)["detail"], "too many (limits.pending_per_session)");
}

TEST_F(CallAnswerTest, AServicesOwnErrorHasRunWhateverItsNameIs) {
  const CallProtocol protocol{json::Limits{}};
  const auto status = [&](std::string_view error, RequestOutcome outcome) {
    std::string text;
    protocol.encode_answer(text, "\"t\"", "null", error, outcome);
    return answer(text).value_or(HttpAnswer{0, {}, {}}).status;
  };
  for (const std::string_view name : {error_name::timeout, error_name::transport, error_name::not_delivered}) {
    const std::string error = error_json(name, "of a call that the service made itself");
    EXPECT_EQ(status(error, RequestOutcome::error), 502) << name;
    EXPECT_NE(status(error, RequestOutcome::refused), 502) << name << " of the gateway";
  }
  EXPECT_EQ(status(over_limit_json("a limit of the service's"), RequestOutcome::error), 502);
  EXPECT_EQ(status(unknown_outcome_json("lost"), RequestOutcome::error), 424);
  EXPECT_EQ(status(error_json(error_name::validation, "no"), RequestOutcome::error), 400);
}

TEST_F(CallAnswerTest, TheWaitOfACallThatWasSentEndsAsUnknown) {
  const CallProtocol protocol{json::Limits{}};
  std::string text;
  protocol.encode_timeout(text, "\"t\"", false);
  ASSERT_TRUE(answer(text));
  EXPECT_EQ(answer(text)->status, 424);
  EXPECT_EQ(body(*answer(text))["error"], "NuropbTimeoutError");
  protocol.encode_interruption(text, "\"t\"", ConsumerProtocol::Interruption::mesh_lost);
  EXPECT_EQ(answer(text)->status, 424);
  EXPECT_EQ(protocol.hello("a", "b", "\"c\"", {}), "");
  EXPECT_FALSE(protocol.receives_messages());
}

TEST_F(CallAnswerTest, AServiceMayInventItsErrors) {
  struct Row {
    const char *error, *name, *detail;
  };
  const Row rows[] = {
      {"\"out of \\\"stock\\\"\"", "NuropbException", "\"out of \\\"stock\\\"\""},
      {"42", "NuropbException", "42"},
      {"false", "NuropbException", "false"},
      {"[1,{\"error\":\"x\"}]", "NuropbException", "[1,{\"error\":\"x\"}]"},
      {"{}", "NuropbException", "{}"},
      {R"({"code":7})", "NuropbException", R"({"code":7})"},
      {R"({"error":7,"description":["a"]})", "7", R"(["a"])"},
      {R"({"error":{"error":"x"},"description":null})", R"({"error":"x"})", "null"},
      {R"({"error":"A","outcome":["unknown"],"reason":{"reason":"limit"}})", "A",
       R"({"error":"A","outcome":["unknown"],"reason":{"reason":"limit"}})"},
      {R"({"error":"\u0000\n\ud800","description":"\u2028\"}"})", "\xef\xbf\xbd", "\xe2\x80\xa8\"}"},
  };
  for (const auto& [error, name, detail] : rows) {
    const HttpAnswer out = failed(error);
    EXPECT_EQ(out.status, 502) << error;
    EXPECT_EQ(body(out)["detail"], detail) << error;
    EXPECT_THAT(body(out)["error"].get<std::string>(), HasSubstr(name)) << error;
    EXPECT_FALSE(body(out).contains("outcome")) << error;
  }
}

TEST_F(CallAnswerTest, AMessageThatWasRejectedIsAnsweredWithoutAnEnvelope) {
  const auto out = answer(R"({"error":"NuropbValidationError","description":"no","trace_id":"t"})");
  ASSERT_TRUE(out);
  EXPECT_EQ(out->status, 400);
  EXPECT_EQ(body(*out)["detail"], "no");
  EXPECT_FALSE(answer(R"({"error":"NuropbValidationError","description":"no","trace_id":"other"})"));
  EXPECT_FALSE(answer(R"({"error":"NuropbValidationError","description":"no"})"));
  EXPECT_FALSE(answer(R"({"description":"no","trace_id":"t"})"));
}

// The end of a session

TEST_F(CallAnswerTest, EachCloseCodeHasItsStatusForACallThatWasNotSent) {
  struct Row {
    std::uint16_t code;
    int status;
  };
  const Row rows[] = {
      {close_code::going_away, 503},           {close_code::protocol_error, 503}, {close_code::invalid_text, 503},
      {close_code::message_too_big, 503},      {close_code::slow_consumer, 503},  {close_code::mesh_unavailable, 503},
      {close_code::unresponsive, 503},         {close_code::idle, 408},           {close_code::rate_exceeded, 429},
      {close_code::too_many_connections, 429}, {close_code::token_expired, 401},  {close_code::authorize_timeout, 503},
      {close_code::token_refused, 401},        {close_code::revoked, 401},        {close_code::resumed_elsewhere, 503},
  };
  ASSERT_EQ(std::size(rows), close_code::all.size());
  for (const auto& [code, status] : rows) {
    const HttpAnswer out = answer_of_close(code, "a reason", false);
    EXPECT_EQ(out.status, status) << code;
    EXPECT_EQ(body(out)["detail"], "a reason") << code;
    EXPECT_FALSE(body(out).contains("outcome")) << code;
    EXPECT_EQ(header(out, "Retry-After"), status == 429 || status == 503 ? "1" : "none") << code;
    EXPECT_EQ(header(out, "WWW-Authenticate"), status == 401 ? "Bearer" : "none") << code;
  }
  EXPECT_EQ(answer_of_close(4321, "a code of meshd's", false).status, 503);
}

TEST_F(CallAnswerTest, ACallThatWasSentHasAnUnknownOutcomeForEachCloseCode) {
  for (const std::uint16_t code : close_code::all) {
    const HttpAnswer out = answer_of_close(code, "a reason", true);
    EXPECT_EQ(out.status, 424) << code;
    EXPECT_EQ(body(out)["outcome"], "unknown") << code;
    EXPECT_THAT(body(out)["detail"].get<std::string>(), HasSubstr("a reason")) << code;
    EXPECT_EQ(header(out, "Retry-After"), "none") << code;
  }
}

// Refusals

TEST_F(CallAnswerTest, AProblemDescribesItself) {
  const HttpAnswer out = problem(401, error_name::authentication, "no \"token\"\n");
  EXPECT_EQ(out.status, 401);
  EXPECT_EQ(body(out)["title"], "Unauthorized");
  EXPECT_EQ(body(out)["status"], 401);
  EXPECT_EQ(body(out)["detail"], "no \"token\"\n");
  EXPECT_EQ(body(out)["error"], "NuropbAuthenticationError");
  EXPECT_EQ(header(out, "WWW-Authenticate"), "Bearer");
}

TEST_F(CallAnswerTest, ARefusalOfTheGatewayBecomesAProblemWithItsHeaders) {
  HttpAnswer busy = refusal(429, error_name::authentication, "too many");
  busy.headers.emplace_back("Retry-After", "10");
  busy.headers.emplace_back("X-More", "a");
  const HttpAnswer out = problem_of(busy);
  EXPECT_EQ(out.status, 429);
  EXPECT_EQ(header(out, "Content-Type"), "application/problem+json");
  EXPECT_EQ(header(out, "Retry-After"), "10") << "not the usual second";
  EXPECT_EQ(header(out, "X-More"), "a");
  EXPECT_EQ(body(out)["detail"], "too many");
  EXPECT_EQ(body(out)["error"], "NuropbAuthenticationError");
  EXPECT_EQ(header(problem_of(come_again("stopping")), "Retry-After"), "1");
}

}  // namespace
}  // namespace nuropb::edge
