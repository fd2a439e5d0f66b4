#include "meshd/tracing/spans.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/trace.hpp"
#include "meshd/tracing/otlp.hpp"

namespace nuropb::meshd {
namespace {

const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736", parent = "00f067aa0ba902b7";
const std::string sampled = "00-" + trace + "-" + parent + "-01", unsampled = "00-" + trace + "-" + parent + "-00";

class SpansTest : public testing::Test {
 protected:
  Spans make(double ratio) {
    return Spans(ratio, [this](std::vector<Span>&& spans) {
      for (Span& span : spans) exported_.push_back(std::move(span));
    });
  }
  static Spans::Began request(std::string_view traceparent) {
    return {records::Type::request, "demo", "echo", "ann", "t-1", {1000, 400, traceparent}, 1100, 5'000'000};
  }
  static ReturnAddress who(std::uint64_t sequence) { return {1, 2, 3, 4, sequence}; }
  std::vector<Span> exported_;
};

TEST_F(SpansTest, TheServiceIsTheChildOfOursAndOursOfTheConsumers) {
  Spans spans = make(0);
  const std::string passed_on = spans.begin(who(1), request(sampled));
  const auto child = parse_traceparent(passed_on);
  ASSERT_TRUE(child);
  EXPECT_TRUE(child->sampled);
  spans.end(who(2), RequestOutcome::ok, {}, 2000);
  EXPECT_TRUE(exported_.empty());
  spans.end(who(1), RequestOutcome::ok, {2000, 100, 50, 700}, 2000);
  spans.end(who(1), RequestOutcome::ok, {}, 3000);
  ASSERT_EQ(exported_.size(), 2u);
  const Span &server = exported_[0], &client = exported_[1];
  EXPECT_EQ(server.trace_id, trace);
  EXPECT_EQ(server.parent_id, parent);
  EXPECT_EQ(client.trace_id, trace);
  EXPECT_EQ(client.parent_id, server.span_id);
  EXPECT_EQ(child->span_id, client.span_id);
  EXPECT_NE(server.span_id, client.span_id);
  EXPECT_EQ(server.name, "request demo.echo");
  EXPECT_EQ(server.start_us, 600u);
  EXPECT_EQ(server.end_us, 2000u);
  EXPECT_EQ(client.start_us, 1100u);
  EXPECT_TRUE(server.error.empty());
}

TEST_F(SpansTest, WhatEndsInMeshdIsOneSpan) {
  Spans spans = make(0);
  Spans::Began what = request(sampled);
  for (const auto verb : {records::Type::subscribe, records::Type::unsubscribe, records::Type::snorky_call}) {
    what.verb = verb;
    what.method = verb == records::Type::snorky_call ? "publish" : "";
    spans.begin(who(1), what);
    spans.end(who(1), RequestOutcome::ok, {}, 2000);
  }
  ASSERT_EQ(exported_.size(), 3u);
  EXPECT_EQ(exported_[0].name, "subscribe demo");
  EXPECT_EQ(exported_[1].name, "unsubscribe demo");
  EXPECT_EQ(exported_[2].name, "snorky demo.publish");
  for (const Span& span : exported_) EXPECT_EQ(span.parent_id, parent);
}

TEST_F(SpansTest, WhatIsNotSampledIsPassedOnAsItCame) {
  Spans none = make(0);
  EXPECT_EQ(none.begin(who(1), request(unsampled)), unsampled);
  EXPECT_EQ(none.begin(who(2), request("")), "");
  EXPECT_EQ(none.open(), 0u);
  Spans all = make(1);
  EXPECT_EQ(all.begin(who(1), request(unsampled)), unsampled);
  const std::string begun = all.begin(who(2), request(""));
  ASSERT_TRUE(parse_traceparent(begun));
  all.end(who(2), RequestOutcome::error, {}, 2000);
  ASSERT_EQ(exported_.size(), 2u);
  EXPECT_TRUE(exported_[0].parent_id.empty());
  EXPECT_EQ(exported_[0].error, "error");
}

TEST_F(SpansTest, ThoseThatNobodyAnswersEnd) {
  Spans spans = make(1);
  spans.begin(who(1), request(""));
  spans.expire(4'999'999);
  EXPECT_EQ(spans.open(), 1u);
  spans.expire(5'000'000);
  EXPECT_EQ(spans.open(), 0u);
  EXPECT_EQ(exported_.at(0).error, "timeout");
}

TEST_F(SpansTest, NoMoreAreOpenThanTheBound) {
  Spans spans = make(1);
  for (std::uint64_t i = 0; i < Spans::most_open + 10; ++i) spans.begin(who(i), request(""));
  EXPECT_EQ(spans.open(), Spans::most_open);
  EXPECT_EQ(spans.begin(who(1), request(sampled)), sampled);  // a number in use
}

TEST_F(SpansTest, AForgedTimeMakesNoSpanThatEndsBeforeItBegins) {
  Spans spans = make(1);
  Spans::Began forged = request("");
  forged.origin.sent_us = UINT64_MAX;
  forged.origin.waited_us = UINT32_MAX;
  spans.begin(who(1), forged);
  spans.end(who(1), RequestOutcome::ok, {}, 10);
  for (const Span& span : exported_) EXPECT_LE(span.start_us, span.end_us);
}

TEST_F(SpansTest, AreEncodedAsOtlpHasThem) {
  Spans spans = make(1);
  Spans::Began what = request(sampled);
  what.method = "\xff\"";
  spans.begin(who(1), what);
  spans.end(who(1), RequestOutcome::not_delivered, {}, 2000);
  const auto json = nlohmann::json::parse(encode_otlp(exported_, {"gateway", "i", "1"}, 1'700'000'000'000'000));
  const auto& list = json.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans");
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].at("kind"), 2);
  EXPECT_EQ(list[1].at("kind"), 3);
  EXPECT_EQ(list[0].at("startTimeUnixNano"), "1700000000000600000");
  EXPECT_EQ(list[0].at("parentSpanId"), parent);
  EXPECT_EQ(list[1].at("parentSpanId"), list[0].at("spanId"));
  EXPECT_EQ(list[0].at("status").at("code"), 2);
  EXPECT_EQ(json.at("resourceSpans").at(0).at("resource").at("attributes").at(0).at("value").at("stringValue"),
            "gateway");
}

/// The OTLP specification, "OTLP/HTTP Request": /v1/traces is the default path for traces.
TEST(OtlpUrl, ABaseGetsThePathForTraces) {
  const std::pair<const char*, const char*> rows[] = {
      {"http://127.0.0.1:4318", "/v1/traces"},
      {"http://127.0.0.1:4318/", "/v1/traces"},
      {"http://127.0.0.1:4318/v1/traces", "/v1/traces"},
      {"https://h/otlp/v1/traces/", "/otlp/v1/traces/"},
      {"https://h/v1/traces?key=a%2Bb", "/v1/traces?key=a%2Bb"},
      {"https://h/custom", "/custom"},
      {"https://h?key=x", "/?key=x"},
  };
  for (const auto& [text, target] : rows) {
    const auto url = parse_otlp_url(text);
    ASSERT_TRUE(url) << text;
    EXPECT_EQ(url->request_target(""), target) << text;
  }
  EXPECT_FALSE(parse_otlp_url("127.0.0.1:4318"));
}

TEST(HeadersForTheCollectorTest, ALineEach) {
  const auto headers = parse_headers("Authorization: Bearer a.b:c\r\n\n  x-team :ignored\n");
  EXPECT_FALSE(headers);  // a blank before the colon is no name's
  const auto good = parse_headers("Authorization: Bearer a.b:c\r\n\nx-team:  us \nempty:\n");
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, (Headers{{"Authorization", "Bearer a.b:c"}, {"x-team", "us"}, {"empty", ""}}));
  EXPECT_TRUE(parse_headers("")->empty());
}

TEST(HeadersForTheCollectorTest, WhatIsNoneIsSaidWithItsLineAndNotItsText) {
  for (const auto& [text, why] : {std::pair("a: b\nsecret", "line 2: no ':'"),
                                  {": secret", "line 1: that is not a header's name"},
                                  {"a b: secret", "line 1: that is not a header's name"},
                                  {"Host: secret", "line 1: that header is reserved for HTTP itself"},
                                  {"CONTENT-LENGTH: secret", "line 1: that header is reserved for HTTP itself"},
                                  {"a: secret\x01", "line 1: a character that is not allowed in a header"},
                                  {"a: secret\xc3\xa4", "line 1: a character that is not allowed in a header"}}) {
    const auto headers = parse_headers(text);
    ASSERT_FALSE(headers) << text;
    EXPECT_EQ(headers.error().what, why);
    EXPECT_EQ(headers.error().text().find("secret"), std::string::npos);
  }
  std::string many;
  for (int i = 0; i < 33; ++i) many += "a: b\n";
  EXPECT_FALSE(parse_headers(many));
}

}  // namespace
}  // namespace nuropb::meshd
