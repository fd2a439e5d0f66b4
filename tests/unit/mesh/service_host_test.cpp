// Which messages are answered, acknowledged, requeued or refused: without a broker, by the host's requests to the
// transport.

#include "common/error_names.hpp"
#include "tests/unit/mesh/service_host_fixture.hpp"

namespace nuropb::mesh {
namespace {

TEST_F(ServiceHostTest, DescribesItselfAsThePythonPeerExpects) {
  host_.method("add", {.description = "Adds"}, [](const Call&) { return 1; });
  host_.method("hidden", {.hidden = true}, [](const Call&) { return 1; });
  const json d = ask("nuropb_describe").result();
  EXPECT_EQ(d, host_.describe());
  EXPECT_EQ(d["service_name"], "s");
  EXPECT_EQ(d["service_version"], "1.2");
  EXPECT_EQ(d["description"], "A demo");
  EXPECT_EQ(d["encrypted_methods"], false);
  EXPECT_EQ(d["public_key"], nullptr);
  EXPECT_EQ(d["warnings"], json::array());
  EXPECT_EQ(d["methods"].size(), 1u);
  EXPECT_EQ(d["methods"]["add"]["description"], "Adds");
  EXPECT_EQ(ask("hidden").result(), 1);
}

TEST_F(ServiceHostTest, ARequestThatReturns) {
  host_.method("m", {.parameters = {{"a", "integer"}, {"b", "integer", false, "", 40}}},
               [](const Call& c) { return c.params["a"].get<int>() + c.params["b"].get<int>(); });
  const auto got = ask("m", {{"a", 2}});
  EXPECT_EQ(got.result(), 42);
  EXPECT_EQ(got.error(), nullptr);
  EXPECT_EQ(got.verdicts, std::vector{Verdict::ack});
  EXPECT_EQ(got.responses[0]["context"], json({{"who", "ann"}}));
  EXPECT_EQ(got.responses[0]["trace_id"], "t-1");
  EXPECT_EQ(got.responses[0]["warning"], nullptr);
}

TEST_F(ServiceHostTest, ARequestThatRaises) {
  host_.method("boom", {}, [](const Call&) -> json { throw std::runtime_error("it broke"); });
  host_.method("odd", {}, [](const Call&) -> json { throw 5; });
  host_.async_method("forgets", {}, [](Call, Reply) {});
  host_.async_method("throws", {}, [](Call, Reply) { throw std::runtime_error("must not"); });
  expect_error(ask("boom"), error_name::exception, "Runtime exception calling s.boom:std::runtime_error: it broke");
  expect_error(ask("odd"), error_name::exception, "Runtime exception calling s.odd: not a std::exception");
  expect_error(ask("forgets"), error_name::handling, "method forgets ended without an answer");
  expect_error(ask("throws"), error_name::handling, "method throws ended without an answer");
  for (const auto name : {error_name::exception, error_name::timeout, error_name::transport, error_name::message,
                          error_name::handling, error_name::deprecated, error_name::validation,
                          error_name::authentication, error_name::authorization, error_name::not_delivered}) {
    host_.method(std::string(name), {}, [name](const Call&) -> json { throw CallError(name, "as asked"); });
    expect_error(ask(std::string(name)), name, "as asked");
  }
}

TEST_F(ServiceHostTest, UnknownMethods) {
  expect_error(ask("nope"), error_name::handling, "Unknown method nope");
  expect_error(ask("_private"), error_name::handling, "Unknown method _private");
  EXPECT_EQ(host_.refusals().count(Refusal::method), 2u);
  EXPECT_THROW(host_.method("_private", {}, [](const Call&) { return 1; }), std::invalid_argument);
  EXPECT_THROW(host_.method("nuropb_describe", {}, [](const Call&) { return 1; }), std::invalid_argument);
}

TEST_F(ServiceHostTest, WrongArgumentsNeverReachTheHandler) {
  host_.method("m", {.parameters = {{"a", "integer"}}}, [](const Call&) -> json {
    ADD_FAILURE();
    return 1;
  });
  expect_error(ask("m"), error_name::validation, "m() is missing its argument 'a'");
  expect_error(ask("m", {{"a", "x"}}), error_name::validation, "m() takes 'a' as integer, not as string");
  expect_error(ask("m", {{"a", 1}, {"b", 1}}), error_name::validation, "m() has no argument 'b'");
  expect_error(handle(message(MessageType::request, R"({"method":"m","service":"s","params":{"a":1e999}})")),
               error_name::message, "member 'params' can't be represented here");
  EXPECT_EQ(host_.refusals().count(Refusal::parameters), 3u);
  EXPECT_EQ(host_.refusals().count(Refusal::body), 1u);
}

TEST_F(ServiceHostTest, CallAgainOnceAndOnlyOnce) {
  host_.method("later", {}, [](const Call& c) -> json {
    c.publish_event("t", 1);
    throw CallAgain("busy");
  });
  host_.async_method("later_async", {}, [](Call, Reply reply) { reply.call_again("busy"); });
  for (const char* const method : {"later", "later_async"}) {
    const auto first = ask(method);
    EXPECT_TRUE(first.responses.empty() && first.events.empty());
    EXPECT_EQ(first.verdicts, std::vector{Verdict::requeue});
    expect_error(again(method), error_name::call_again_reject,
                 "Rejecting second call again request for trace_id: t-1, correlation_id: c-1: busy");
    const auto once = command(method);
    EXPECT_TRUE(once.responses.empty());
    EXPECT_EQ(once.verdicts, std::vector{Verdict::requeue});
    const auto twice = again(method, MessageType::command);
    EXPECT_TRUE(twice.responses.empty());
    EXPECT_EQ(twice.verdicts, std::vector{Verdict::reject});
  }
}

TEST_F(ServiceHostTest, SuccessWithEvents) {
  host_.method("m", {}, [](const Call& c) {
    EXPECT_TRUE(c.publish_event("t.1", {{"n", 1}}));
    return Success("done", {{"t.2", {{"n", 2}}, {"u-1"}}});
  });
  const auto got = ask("m");
  EXPECT_EQ(got.result(), "done");
  EXPECT_EQ(got.verdicts, std::vector{Verdict::ack});
  ASSERT_EQ(got.events.size(), 2u);
  EXPECT_EQ(got.events[0], json({{"tag", "event"},
                                 {"topic", "t.1"},
                                 {"event", {{"n", 1}}},
                                 {"context", {{"who", "ann"}}},
                                 {"trace_id", "t-1"},
                                 {"correlation_id", "c-1"},
                                 {"target", nullptr}}));
  EXPECT_EQ(got.events[1]["event"], json({{"n", 2}}));
  EXPECT_EQ(got.events[1]["target"], json({"u-1"}));
  EXPECT_EQ(command("m").events.size(), 2u) << "a command has no answer, but what happened is told";
}

TEST_F(ServiceHostTest, EventsOfAMethodThatFailedAreDropped) {
  host_.method("m", {}, [](const Call& c) -> json {
    c.publish_event("t.1", 1);
    throw CallError(error_name::validation, "no");
  });
  expect_error(ask("m"), error_name::validation, "no");
}

TEST_F(ServiceHostTest, AnAnswerGivenLateTakesItsEventsAlong) {
  std::optional<Call> kept;
  std::optional<Reply> owed;
  host_.async_method("m", {}, [&](Call c, Reply reply) {
    kept = std::move(c);
    owed.emplace(std::move(reply));
  });
  auto got = ask("m");
  EXPECT_TRUE(got.responses.empty() && got.verdicts.empty());
  EXPECT_TRUE(kept->publish_event("t.1", 1));
  owed->result("late");
  owed->result("twice");
  got = outcome();
  EXPECT_EQ(got.result(), "late");
  EXPECT_EQ(got.events.size(), 1u);
  EXPECT_FALSE(kept->publish_event("t.1", 2)) << "the call has ended";
}

TEST_F(ServiceHostTest, CommandsAreNeverAnswered) {
  host_.method("m", {}, [](const Call& c) { return c.is_command; });
  host_.method("boom", {}, [](const Call&) -> json { throw std::runtime_error("x"); });
  auto got = command("m");
  EXPECT_TRUE(got.responses.empty());
  EXPECT_EQ(got.verdicts, std::vector{Verdict::ack});
  for (const char* const method : {"boom", "nope", "_x"}) {
    got = command(method);
    EXPECT_TRUE(got.responses.empty()) << method;
    EXPECT_EQ(got.verdicts, std::vector{Verdict::reject}) << method;
  }
}

TEST_F(ServiceHostTest, Events) {
  EXPECT_EQ(tell(1).verdicts, std::vector{Verdict::reject}) << "there is no event handler";
  std::optional<Event> seen;
  host_.on_event([&](const Event& event) {
    seen = event;
    if (event.payload == "fail") throw std::runtime_error("x");
    event.publish_event("t.more", event.payload);
    if (event.payload == "again") throw CallAgain("x");
  });
  auto got = tell("good");
  EXPECT_EQ(got.verdicts, std::vector{Verdict::ack});
  EXPECT_TRUE(got.responses.empty());
  EXPECT_EQ(got.events.size(), 1u);
  EXPECT_EQ(seen->topic, "t.x");
  EXPECT_EQ(seen->target, json({"u-1"}));
  EXPECT_EQ(seen->context, json({{"who", "ann"}}));
  EXPECT_EQ(seen->trace_id, "t-1");
  EXPECT_EQ(tell("fail").verdicts, std::vector{Verdict::reject});
  EXPECT_EQ(tell("again").verdicts, std::vector{Verdict::requeue});
  got = tell("again", true);
  EXPECT_EQ(got.verdicts, std::vector{Verdict::reject});
  EXPECT_TRUE(got.events.empty() && got.responses.empty());
  EXPECT_EQ(handle(message(MessageType::event, "{")).verdicts, std::vector{Verdict::reject});
}

TEST_F(ServiceHostTest, NeedsAContext) {
  host_.method("m", {.needs_context = true}, [](const Call& c) { return c.context; });
  EXPECT_EQ(ask("m").result(), json({{"who", "ann"}}));
  EXPECT_EQ(ask("m", json::object(), json::object()).result(), json::object()) << "an empty one is one";
  expect_error(ask("m", json::object(), nullptr), error_name::validation, "m() needs a context");
  expect_error(handle(message(MessageType::request, R"({"service":"s","method":"m"})")), error_name::validation,
               "m() needs a context");
  expect_error(ask("m", json::object(), json::array()), error_name::message,
               "message body: member 'context' is not an object");
}

TEST_F(ServiceHostTest, Authorize) {  // provokes: NuropbException
  const Authorize claims = [](const std::string& token) -> json {
    if (token == "expired") throw CallError(error_name::authentication, "expired");
    if (token == "weak") throw CallError(error_name::authorization, "may not");
    if (token == "broken") throw std::runtime_error("no connection to the token server");
    return token == "secret" ? json({{"sub", "ann"}}) : json();
  };
  host_.method("m", {.authorize = claims}, [](const Call& c) { return c.claims; });
  host_.method("other", {.authorize = claims, .context_token_key = "Authorisation"},
               [](const Call& c) { return c.claims; });
  host_.raw_method("raw", {.authorize = claims}, [](std::string_view) { return "1"; });
  EXPECT_EQ(ask("m", json::object(), {{"Authorization", "secret"}}).result(), json({{"sub", "ann"}}));
  EXPECT_EQ(ask("other", json::object(), {{"Authorisation", "secret"}}).result(), json({{"sub", "ann"}}));
  EXPECT_EQ(ask("raw", json::object(), {{"Authorization", "secret"}}).result(), 1);
  for (const char* const method : {"m", "raw"}) {
    const auto with = [&](const json& token) { return ask(method, json::object(), {{"Authorization", token}}); };
    const std::string no_token = "the context has no token 'Authorization', which " + std::string(method) + "() needs";
    expect_error(ask(method), error_name::authentication, no_token);
    expect_error(ask(method, json::object(), nullptr), error_name::authentication, no_token);
    expect_error(with(5), error_name::authentication, no_token);
    expect_error(with("expired"), error_name::authentication, "expired");
    expect_error(with("weak"), error_name::authorization, "may not");
    expect_error(with("stranger"), error_name::authorization,
                 "the token is not one that " + std::string(method) + "() accepts");
    EXPECT_EQ(with("broken").error()["error"], "NuropbException");
  }
  EXPECT_EQ(host_.refusals().count(Refusal::identity), 12u);
}

/// A host with a key, and a requester that has read its description.
TEST_F(ServiceHostTest, WhatCannotBeReadIsRefusedAndCounted) {
  for (const char* const body : {"", "{", "[]", "null", R"({"method":1,"service":"s"})",
                                 R"({"service":"s","method":"m","params":[]})", "\xff"}) {
    const auto got = handle(message(MessageType::request, body));
    EXPECT_EQ(got.error()["error"], "NuropbMessageError") << body;
    EXPECT_EQ(got.verdicts, std::vector{Verdict::reject});
  }
  EXPECT_EQ(host_.refusals().count(Refusal::body), 7u);
  EXPECT_EQ(host_.refusals().total(), 7u);
}

TEST_F(ServiceHostTest, AnAnswerWaitsForRoomInTheQueueWithItsEventsAndItsAcknowledgement) {
  host_.method("m", {}, [](const Call& c) {
    c.publish_event("t.1", std::string(600, 'x'));
    return std::string(600, 'y');
  });
  inbox_ = std::make_shared<TransportInbox>(1500);  // room for one of the two
  host_.handle(Transport::Sender(inbox_), message(MessageType::request, call("m", json::object())));
  TransportInbox::Work work;
  inbox_->take(work);
  ASSERT_EQ(work.messages.size(), 1u);
  EXPECT_EQ(work.messages[0].type, MessageType::response);
  EXPECT_TRUE(work.settlements.empty()) << "not before all has gone";
  ASSERT_EQ(work.posts.size(), 1u);
  inbox_->left(TransportInbox::cost(work.messages[0]));
  work.posts[0].second();
  TransportInbox::Work rest;
  inbox_->take(rest);
  ASSERT_EQ(rest.messages.size(), 1u);
  EXPECT_EQ(rest.messages[0].type, MessageType::event);
  EXPECT_EQ(rest.settlements.size(), 1u);
}

}  // namespace
}  // namespace nuropb::mesh
