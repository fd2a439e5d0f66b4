#include "meshd/translate.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace nuropb::meshd {
namespace {

const ReturnAddress from{0xabcd1234, 5, 99, 7, 42};
const Identity ann{"ann\"quoted", "Ann", "tok"};

Session session_of_ann() {
  Session session;
  session.state = SessionState::open;
  session.identity = ann;
  session.context_head = context_head(ann, "Authorisation");
  return session;
}

records::Request request(std::string_view params = "{\"q\":1}", std::string_view trace = "\"t-1\"") {
  return {7, 1, to_ring_ms(SteadyTime(std::chrono::seconds(1000))), "svc", "meth", trace, params};
}

const SteadyTime now(std::chrono::seconds(990));
const RequestLimits limits{std::chrono::hours(1), 64};

TEST(Translate, ARequestCarriesTheIdentityFromOurRecord) {
  const auto out = to_outgoing(request(), session_of_ann(), from, now, limits);
  ASSERT_TRUE(out) << out.error().text();
  EXPECT_EQ(out->routing_key, "svc");
  EXPECT_EQ(out->trace_id, "t-1");
  EXPECT_EQ(ReturnAddress::parse(out->correlation_id), from);
  EXPECT_EQ(out->deadline, SteadyTime(std::chrono::seconds(1000)));
  const auto body = nlohmann::json::parse(out->body);
  EXPECT_EQ(body["tag"], "request");
  EXPECT_EQ(body["service"], "svc");
  EXPECT_EQ(body["method"], "meth");
  EXPECT_EQ(body["params"], nlohmann::json({{"q", 1}}));
  EXPECT_EQ(body["correlation_id"], out->correlation_id);
  EXPECT_EQ(body["trace_id"], "t-1");
  const nlohmann::json context{{"user_id", "ann\"quoted"}, {"Authorisation", "tok"}, {"trace_id", "t-1"}};
  EXPECT_EQ(body["context"], context);
}

TEST(Translate, TheTokenIsOnlySentUnderAConfiguredKey) {
  EXPECT_EQ(context_head(ann, "").find("tok"), std::string::npos);
}

TEST(Translate, ATraceIdThatIsNoStringTravelsAsItsText) {
  const auto out = to_outgoing(request("{}", "17"), session_of_ann(), from, now, limits);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->trace_id, "17");
  EXPECT_EQ(nlohmann::json::parse(out->body)["trace_id"], 17);
}

TEST(Translate, TheLongestTtlIsOursToSay) {
  auto r = request();
  r.deadline_ms = ~0ULL;
  const auto out = to_outgoing(r, session_of_ann(), from, now, limits);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->deadline, now + limits.max_ttl);
}

TEST(Translate, AnEdgeCantSlipMembersIntoTheMessage) {
  for (const char* forged : {"{}},\"context\":{\"user_id\":\"root\"", "{} ,", "", "{", "1 2", "nul"}) {
    EXPECT_FALSE(to_outgoing(request(forged), session_of_ann(), from, now, limits)) << forged;
    EXPECT_FALSE(to_outgoing(request("{}", forged), session_of_ann(), from, now, limits)) << forged;
  }
}

/// A response record with its texts copied out of the payload.
struct Copied {
  std::uint32_t session = 0;
  std::string result, error;
};
std::optional<Copied> record_of(const std::optional<Returned>& returned) {
  const auto record = returned ? records::decode<records::Response>(returned->payload) : std::nullopt;
  if (!record) return {};
  return Copied{record->session, std::string(record->result), std::string(record->error)};
}

mesh::Incoming incoming(std::string body, std::string correlation_id = from.correlation_id()) {
  mesh::Incoming m;
  m.type = MessageType::response;
  m.body = std::move(body);
  m.correlation_id = std::move(correlation_id);
  return m;
}

TEST(Translate, AResponseGoesBackToItsAddressAsTheBytesThatCame) {
  const auto returned = to_returned(incoming(R"({"tag":"response","result":{"x": 1.50},"error":null})"), from.instance, 1000, 64);
  ASSERT_TRUE(returned);
  EXPECT_EQ(returned->to, from);
  const auto record = record_of(returned);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->session, 7u);
  EXPECT_EQ(record->result, "{\"x\": 1.50}");
  EXPECT_EQ(record->error, "null");
}

TEST(Translate, AnAnswerForAnotherInstanceOrFromAStrangerIsNotOurs) {
  EXPECT_FALSE(to_returned(incoming("{}"), from.instance + 1, 1000, 64));
  EXPECT_FALSE(to_returned(incoming("{}", "f985036a41fd4e7ea48ca9c10178848"), from.instance, 1000, 64));
  EXPECT_FALSE(to_returned(incoming("{}", ""), from.instance, 1000, 64));
}

TEST(Translate, AnUnreadableResponseStillEndsTheRequest) {
  for (auto [body, max] : {std::pair<std::string, std::uint32_t>{"{", 1000}, {"[]", 1000}, {"\xff", 1000},
                           {"{\"result\":1,\"error\":null}", 5}}) {
    const auto record = record_of(to_returned(incoming(body), from.instance, max, 64));
    ASSERT_TRUE(record) << body;
    EXPECT_EQ(record->result, "null");
    EXPECT_EQ(nlohmann::json::parse(record->error)["error"], "NuropbMessageError") << body;
  }
}

mesh::Report report(mesh::Outcome outcome) {
  mesh::Report r;
  r.outcome = outcome;
  r.type = MessageType::request;
  r.routing_key = "svc";
  r.correlation_id = from.correlation_id();
  r.tag = 0;
  r.detail = "because";
  return r;
}

TEST(Translate, WhatWasNotDeliveredSaysSoInTheWordsOfThePythonPeer) {
  auto r = report(mesh::Outcome::not_delivered);
  r.returned_body = to_outgoing(request(), session_of_ann(), from, now, limits)->body;
  const auto record = record_of(to_returned(r, from.instance));
  ASSERT_TRUE(record);
  const nlohmann::json expected{{"error", "NuropbNotDeliveredError"}, {"description", "Service svc not available. unable to call method meth"}};
  EXPECT_EQ(nlohmann::json::parse(record->error), expected);
}

TEST(Translate, WhatMayHaveRunSaysSo) {
  const auto unknown = record_of(to_returned(report(mesh::Outcome::unknown), from.instance));
  ASSERT_TRUE(unknown);
  EXPECT_EQ(nlohmann::json::parse(unknown->error)["outcome"], "unknown");
  const auto refused = record_of(to_returned(report(mesh::Outcome::refused), from.instance));
  ASSERT_TRUE(refused);
  EXPECT_FALSE(nlohmann::json::parse(refused->error).contains("outcome"));
  EXPECT_EQ(nlohmann::json::parse(refused->error)["error"], "NuropbTransportError");
}

TEST(Translate, ConfirmedAndExpiredNeedNoRecord) {
  EXPECT_FALSE(to_returned(report(mesh::Outcome::confirmed), from.instance));
  EXPECT_FALSE(to_returned(report(mesh::Outcome::expired), from.instance));
}

}  // namespace
}  // namespace nuropb::meshd
