#include "meshd/translate.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/consumer_messages.hpp"

namespace nuropb::meshd {
namespace {

const ReturnAddress from{0xabcd1234, 5, 99, 7, 42};
const AddressSeal addresses({1, 2, 3}, from.instance);
const std::string id = addresses.seal(from);
const Identity ann{"ann\"quoted", "Ann", "tok"};

Session session_of_ann() {
  Session session;
  session.state = SessionState::open;
  session.identity = StoredIdentity(ann);
  return session;
}

records::Request request(std::string_view params = "{\"q\":1}", std::string_view trace = "\"t-1\"") {
  return {7, 1, to_ring_ms(SteadyTime(std::chrono::seconds(1000))), "svc", "meth", trace, params};
}

const SteadyTime now(std::chrono::seconds(990));
const RequestSettings limits{std::chrono::hours(1), json::Limits{64, 100}, {"user_id", "Authorisation", ""}};
const RequestSettings claims_too{std::chrono::hours(1), json::Limits{64, 100}, {"user_id", "Authorisation", "claims"}};

TEST(Translate, ATraceIsPassedOnInContextAndHeader) {
  const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  auto traced = request();
  EXPECT_FALSE(
      nlohmann::json::parse(
          to_outgoing(records::Type::request, traced, session_of_ann(), from, addresses, now, limits)->body)["context"]
          .contains("traceparent"));
  traced.origin.traceparent = parent;
  const auto out = to_outgoing(records::Type::request, traced, session_of_ann(), from, addresses, now, limits);
  ASSERT_TRUE(out) << out.error().text();
  EXPECT_EQ(out->traceparent, parent);
  EXPECT_EQ(nlohmann::json::parse(out->body)["context"]["traceparent"], parent);
  // An honest edge writes no other value.
  for (const std::string& bad : {std::string("x"), parent + "\"", parent.substr(1), std::string(55, '0')}) {
    traced.origin.traceparent = bad;
    EXPECT_FALSE(to_outgoing(records::Type::request, traced, session_of_ann(), from, addresses, now, limits)) << bad;
  }
}

TEST(Translate, ARefusalSaysHowItCounts) {
  const auto outcome = [](std::string_view error) {
    return records::decode<records::Response>(refusal(from, error, "why").payload)->outcome;
  };
  EXPECT_EQ(outcome("NuropbTransportError"), RequestOutcome::refused);
  EXPECT_EQ(outcome("NuropbAuthorizationError"), RequestOutcome::denied);
  EXPECT_EQ(outcome("NuropbNotDeliveredError"), RequestOutcome::not_delivered);
  EXPECT_EQ(outcome("NuropbTimeoutError"), RequestOutcome::timeout);
  EXPECT_EQ(outcome("NuropbHandlingError"), RequestOutcome::error);
}

TEST(Translate, ARequestCarriesTheIdentityFromOurRecord) {
  const auto out = to_outgoing(records::Type::request, request(), session_of_ann(), from, addresses, now, limits);
  ASSERT_TRUE(out) << out.error().text();
  EXPECT_EQ(out->routing_key, "svc");
  EXPECT_EQ(out->trace_id, "t-1");
  EXPECT_EQ(addresses.open(out->correlation_id), from);
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
  RequestSettings without = limits;
  without.context.token = {};
  const auto out = to_outgoing(records::Type::request, request(), session_of_ann(), from, addresses, now, without);
  ASSERT_TRUE(out);
  EXPECT_EQ(nlohmann::json::parse(out->body)["context"],
            nlohmann::json({{"user_id", "ann\"quoted"}, {"trace_id", "t-1"}}));
}

TEST(Translate, ATraceIdThatIsNoStringTravelsAsItsText) {
  const auto out =
      to_outgoing(records::Type::request, request("{}", "17"), session_of_ann(), from, addresses, now, limits);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->trace_id, "17");
  EXPECT_EQ(nlohmann::json::parse(out->body)["trace_id"], 17);
}

TEST(Translate, TheLongestTtlIsOursToSay) {
  auto r = request();
  r.deadline_ms = ~0ULL;
  const auto out = to_outgoing(records::Type::request, r, session_of_ann(), from, addresses, now, limits);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->deadline, now + limits.max_ttl);
}

TEST(Translate, AnEdgeCantSlipMembersIntoTheMessage) {
  for (const char* forged : {"{}},\"context\":{\"user_id\":\"root\"", "{} ,", "", "{", "1 2", "nul"}) {
    EXPECT_FALSE(to_outgoing(records::Type::request, request(forged), session_of_ann(), from, addresses, now, limits))
        << forged;
    EXPECT_FALSE(
        to_outgoing(records::Type::request, request("{}", forged), session_of_ann(), from, addresses, now, limits))
        << forged;
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

mesh::Incoming incoming(std::string body, std::string correlation_id = id) {
  mesh::Incoming m;
  m.type = MessageType::response;
  m.body = std::move(body);
  m.correlation_id = std::move(correlation_id);
  return m;
}

TEST(Translate, AResponseGoesBackToItsAddressAsTheBytesThatCame) {
  const auto returned =
      to_returned(incoming(R"({"tag":"response","result":{"x": 1.50},"error":null})"), addresses, 1000, 64);
  ASSERT_TRUE(returned);
  EXPECT_EQ(returned->to, from);
  const auto record = record_of(returned);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->session, 7u);
  EXPECT_EQ(record->result, "{\"x\": 1.50}");
  EXPECT_EQ(record->error, "null");
}

TEST(Translate, AnAnswerForAnotherInstanceOrFromAStrangerIsNotOurs) {
  EXPECT_FALSE(to_returned(incoming("{}"), AddressSeal({1, 2, 3}, from.instance + 1), 1000, 64));
  EXPECT_FALSE(to_returned(incoming("{}", from.correlation_id()), addresses, 1000, 64)) << "as others could count it";
  EXPECT_FALSE(to_returned(incoming("{}", "f985036a41fd4e7ea48ca9c10178848"), addresses, 1000, 64));
  EXPECT_FALSE(to_returned(incoming("{}", ""), addresses, 1000, 64));
}

TEST(Translate, AnUnreadableResponseStillEndsTheRequest) {  // provokes: NuropbMessageError
  for (auto [body, max] : {std::pair<std::string, std::uint32_t>{"{", 1000},
                           {"[]", 1000},
                           {"\xff", 1000},
                           {"{\"result\":1,\"error\":null}", 5}}) {
    const auto record = record_of(to_returned(incoming(body), addresses, max, 64));
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
  r.correlation_id = id;
  r.tag = 0;
  r.detail = "because";
  return r;
}

TEST(Translate, WhatWasNotDeliveredSaysSoInTheWordsOfThePythonPeer) {
  auto r = report(mesh::Outcome::not_delivered);
  r.returned_body =
      to_outgoing(records::Type::request, request(), session_of_ann(), from, addresses, now, limits)->body;
  const auto record = record_of(to_returned(r, addresses));
  ASSERT_TRUE(record);
  const nlohmann::json expected{{"error", "NuropbNotDeliveredError"},
                                {"description", "Service svc not available. unable to call method meth"}};
  EXPECT_EQ(nlohmann::json::parse(record->error), expected);
}

TEST(Translate, WhatMayHaveRunSaysSo) {
  const auto unknown = record_of(to_returned(report(mesh::Outcome::unknown), addresses));
  ASSERT_TRUE(unknown);
  EXPECT_EQ(nlohmann::json::parse(unknown->error)["outcome"], "unknown");
  const auto refused = record_of(to_returned(report(mesh::Outcome::refused), addresses));
  ASSERT_TRUE(refused);
  EXPECT_FALSE(nlohmann::json::parse(refused->error).contains("outcome"));
  EXPECT_EQ(nlohmann::json::parse(refused->error)["error"], "NuropbTransportError");
}

TEST(Translate, ConfirmedAndExpiredNeedNoRecord) {
  EXPECT_FALSE(to_returned(report(mesh::Outcome::confirmed), addresses));
  EXPECT_FALSE(to_returned(report(mesh::Outcome::expired), addresses));
}

Session with_claims() {
  Session session = session_of_ann();
  Identity identity = ann;
  identity.claims = R"({"tenant":"acme"})";
  session.identity = StoredIdentity(identity);
  return session;
}

TEST(Translate, CommandsAndDescribesAreCallsToo) {
  const auto command = to_outgoing(records::Type::command, request(), session_of_ann(), from, addresses, now, limits);
  ASSERT_TRUE(command);
  EXPECT_EQ(command->type, MessageType::command);
  EXPECT_EQ(nlohmann::json::parse(command->body)["tag"], "command");
  EXPECT_FALSE(command->abandoned) << "it is to be sent even if its consumer leaves at once";

  records::Request asked = request();
  asked.method = asked.params = "";
  const auto describe = to_outgoing(records::Type::describe, asked, session_of_ann(), from, addresses, now, limits);
  ASSERT_TRUE(describe);
  const auto body = nlohmann::json::parse(describe->body);
  EXPECT_EQ(body["tag"], "request");
  EXPECT_EQ(body["method"], "nuropb_describe");
  EXPECT_EQ(body["params"], nlohmann::json::object());
  EXPECT_FALSE(to_outgoing(records::Type::describe, request(), session_of_ann(), from, addresses, now, limits))
      << "no honest edge names a method";
}

TEST(Translate, ARequestIsAbandonedWithItsSession) {
  Session session = session_of_ann();
  const auto out = to_outgoing(records::Type::request, request(), session, from, addresses, now, limits);
  ASSERT_TRUE(out && out->abandoned);
  EXPECT_FALSE(out->abandoned->load());
  session.gone()->store(true);
  EXPECT_TRUE(out->abandoned->load());
}

TEST(Translate, AnEventCarriesWhoPublishedItAndNeverTheToken) {
  const records::Event event{
      7, 1, to_ring_ms(SteadyTime(std::chrono::seconds(1000))), "news.sport", "\"t\"", R"({"goal":1})", R"(["bob"])"};
  const auto out = to_outgoing(event, with_claims(), from, addresses, now, claims_too);
  ASSERT_TRUE(out) << out.error().text();
  EXPECT_EQ(out->type, MessageType::event);
  EXPECT_EQ(out->routing_key, "news.sport");
  const auto body = nlohmann::json::parse(out->body);
  EXPECT_EQ(body["topic"], "news.sport");
  EXPECT_EQ(body["event"], nlohmann::json({{"goal", 1}}));
  EXPECT_EQ(body["target"], nlohmann::json({"bob"}));
  const nlohmann::json context{{"user_id", "ann\"quoted"}, {"claims", {{"tenant", "acme"}}}, {"trace_id", "t"}};
  EXPECT_EQ(body["context"], context);
  EXPECT_EQ(out->body.find("tok"), std::string::npos);
  for (const char* bad : {R"("bob")", "{}", R"([],"tag":"x")", ""}) {
    auto forged = event;
    forged.target = bad;
    EXPECT_FALSE(to_outgoing(forged, with_claims(), from, addresses, now, claims_too)) << bad;
  }
  auto forged = event;
  forged.event = R"(1,"context":{})";
  EXPECT_FALSE(to_outgoing(forged, with_claims(), from, addresses, now, claims_too));
}

TEST(Translate, CommandsAndEventsAreAnsweredOnceTheBrokerHasThem) {
  mesh::Report report{mesh::Outcome::confirmed, MessageType::command, "svc", id, 1, "", ""};
  const auto error_of = [&] {
    const auto returned = to_returned(report, addresses);
    if (!returned) return std::string("nothing");
    return std::string(records::decode<records::Response>(returned->payload)->error);
  };
  EXPECT_EQ(error_of(), "null");
  report.type = MessageType::event;
  EXPECT_EQ(error_of(), "null");
  report.type = MessageType::request;
  EXPECT_EQ(error_of(), "nothing") << "its service answers";
  report.type = MessageType::command;
  report.outcome = mesh::Outcome::not_delivered;
  report.returned_body = encode_call(MessageType::command, {"svc", "meth", "{}", "c", "{}", "null"});
  EXPECT_NE(error_of().find("unable to call method meth"), std::string::npos) << error_of();
  report.type = MessageType::event;
  report.outcome = mesh::Outcome::unknown;
  EXPECT_NE(error_of().find("\"outcome\":\"unknown\""), std::string::npos) << error_of();
}

TEST(Translate, AnEventOfTheMeshForConsumers) {
  mesh::Incoming message;
  message.type = MessageType::event;
  message.routing_key = "news.sport";
  message.body =
      R"({"tag":"event","topic":"another","event":[1],"context":{"Authorisation":"secret"},"trace_id":"t","correlation_id":"c","target":["bob"]})";
  const auto payload = to_mesh_event(message, HandlerKind::web_socket, 1000, 64, false);
  ASSERT_TRUE(payload) << payload.error().text();
  const auto event = records::decode<records::MeshEvent>(*payload);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->topic, "news.sport") << "what the broker matched";
  EXPECT_EQ(event->event, "[1]");
  EXPECT_EQ(event->target, R"(["bob"])");
  EXPECT_EQ(event->context, "");
  EXPECT_EQ(
      records::decode<records::MeshEvent>(*to_mesh_event(message, HandlerKind::web_socket, 1000, 64, true))->context,
      R"({"Authorisation":"secret"})");

  const auto traceparent = [&] {
    const auto made = to_mesh_event(message, HandlerKind::web_socket, 1000, 64, false);
    return made ? std::string(records::decode<records::MeshEvent>(*made)->traceparent) : made.error().text();
  };
  EXPECT_EQ(traceparent(), "");
  const std::string one = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                    other = "00-" + one.substr(3, 32) + "-1111111111111111-00";
  const auto with_context = [&](const std::string& context) {
    message.body = R"({"tag":"event","topic":"t","event":1,"context":)" + context +
                   R"(,"trace_id":"t","correlation_id":"c","target":null})";
  };
  with_context(R"({"traceparent":")" + one + "\"}");
  EXPECT_EQ(traceparent(), one) << "a service passes its context on";
  message.traceparent = other;
  EXPECT_EQ(traceparent(), other) << "what stands beside the message counts first";
  message.traceparent = "none";
  EXPECT_EQ(traceparent(), one);
  for (const char* context :
       {"{}", "null", R"({"traceparent":7})", R"({"traceparent":"none"})", R"({"traceparent":""})"}) {
    with_context(context);
    EXPECT_EQ(traceparent(), "") << context;
  }

  EXPECT_FALSE(to_mesh_event(message, HandlerKind::web_socket, 10, 64, false)) << "too large";
  message.body = "{}";
  EXPECT_FALSE(to_mesh_event(message, HandlerKind::web_socket, 1000, 64, false));
}

TEST(Translate, NumbersThatServicesCannotReadAreRefused) {
  const std::string digits(101, '9');
  EXPECT_TRUE(to_outgoing(records::Type::request, request("{\"a\":" + digits.substr(1) + "}"), session_of_ann(), from,
                          addresses, now, limits));
  for (const std::string& number : {digits, "-" + digits, "0." + digits, digits + "e5", "1e" + digits})
    EXPECT_FALSE(to_outgoing(records::Type::request, request("{\"a\":[" + number + "]}"), session_of_ann(), from,
                             addresses, now, limits))
        << number;
  EXPECT_FALSE(
      to_outgoing(records::Type::request, request("{}", digits), session_of_ann(), from, addresses, now, limits));
}

TEST(Translate, AnEventForTooManyIsDropped) {
  const auto body = [](std::size_t users) {
    std::string target = "[\"u\"";
    for (std::size_t i = 1; i < users; ++i) target += ",\"u\"";
    return R"({"tag":"event","topic":"t","event":1,"context":{},"target":)" + target + "]}";
  };
  mesh::Incoming message;
  message.type = MessageType::event;
  message.routing_key = "t";
  const auto taken = [&](std::size_t users) {
    message.body = body(users);
    return to_mesh_event(message, HandlerKind::web_socket, 1 << 20, 64, false);
  };
  EXPECT_TRUE(taken(EventTarget::max_users)) << taken(EventTarget::max_users).error().text();
  ASSERT_FALSE(taken(EventTarget::max_users + 1));
  EXPECT_NE(taken(EventTarget::max_users + 1).error().text().find("10000 users"), std::string::npos);
}

}  // namespace
}  // namespace nuropb::meshd
