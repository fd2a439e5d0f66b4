// Which message is answered, acknowledged, put back or refused: without a broker, by what the host asks of the transport.

#include "meshd/mesh/service_host.hpp"

#include <gtest/gtest.h>

#include "common/error_names.hpp"
#include "meshd/mesh/transport_inbox.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;
using Verdict = TransportInbox::Verdict;

class ServiceHostTest : public ::testing::Test {
 protected:
  /// What came of one message.
  struct Outcome {
    std::vector<json> responses, events;
    std::vector<Verdict> verdicts;
    [[nodiscard]] json error() const {
      return responses.size() == 1 ? responses[0]["error"] : json("not one response");
    }
    [[nodiscard]] json result() const {
      return responses.size() == 1 ? responses[0]["result"] : json("not one response");
    }
  };
  Outcome outcome() {
    Outcome out;
    TransportInbox::Work work;
    inbox_->take(work);
    for (const Outgoing& message : work.messages) {
      const json body = json::parse(message.body);
      if (message.type == MessageType::response) {
        EXPECT_EQ(message.routing_key, "asker");
        EXPECT_EQ(message.correlation_id, "c-1");
        EXPECT_EQ(body["correlation_id"], "c-1");
        EXPECT_EQ(body["reply_to"], "asker");
        out.responses.push_back(body);
      } else {
        EXPECT_EQ(message.type, MessageType::event);
        EXPECT_EQ(message.routing_key, body["topic"]);
        EXPECT_EQ(message.correlation_id, "c-1") << "that of the call";
        EXPECT_EQ(message.trace_id, "t-1");
        out.events.push_back(body);
      }
    }
    for (const auto& settlement : work.settlements) {
      EXPECT_EQ(settlement.delivery.tag, 7u);
      EXPECT_EQ(settlement.after, work.messages.size()) << "the answer before the acknowledgement";
      out.verdicts.push_back(settlement.verdict);
    }
    return out;
  }
  static Incoming message(MessageType type, std::string body) {
    Incoming in;
    in.type = type;
    in.correlation_id = "c-1";
    in.trace_id = "t-1";
    in.reply_to = type == MessageType::event ? "" : "asker";
    in.body = std::move(body);
    in.delivery = {1, 3, 7};
    return in;
  }
  static std::string call(const std::string& method, const json& params, const json& context = {{"who", "ann"}}) {
    return json({{"tag", "request"},
                 {"service", "s"},
                 {"method", method},
                 {"params", params},
                 {"correlation_id", "c-1"},
                 {"context", context},
                 {"trace_id", "t-1"}})
        .dump();
  }
  Outcome handle(Incoming in) {
    // The transport counts messages over all time; a new inbox for each message keeps the numbers small.
    inbox_ = std::make_shared<TransportInbox>(1U << 20);
    host_.handle(Transport::Sender(inbox_), std::move(in));
    return outcome();
  }
  Outcome ask(const std::string& method, const json& params = json::object(), const json& context = {{"who", "ann"}}) {
    return handle(message(MessageType::request, call(method, params, context)));
  }
  Outcome again(const std::string& method, MessageType type = MessageType::request) {
    auto in = message(type, call(method, json::object()));
    in.redelivered = true;
    if (type == MessageType::command) in.body.replace(in.body.find("request"), 7, "command");
    return handle(std::move(in));
  }
  Outcome command(const std::string& method, const json& params = json::object()) {
    auto in = message(MessageType::command, call(method, params));
    in.body.replace(in.body.find("request"), 7, "command");
    return handle(std::move(in));
  }
  Outcome tell(const json& payload, bool redelivered = false) {
    auto in = message(MessageType::event, json({{"tag", "event"},
                                                {"topic", "t.x"},
                                                {"event", payload},
                                                {"context", {{"who", "ann"}}},
                                                {"trace_id", "t-1"},
                                                {"correlation_id", "c-1"},
                                                {"target", {"u-1"}}})
                                              .dump());
    in.redelivered = redelivered;
    return handle(std::move(in));
  }
  static void expect_error(const Outcome& got, std::string_view name, const std::string& description) {
    EXPECT_EQ(got.error(), json({{"error", name}, {"description", description}}));
    EXPECT_EQ(got.verdicts, std::vector{Verdict::reject});
    EXPECT_TRUE(got.events.empty());
  }

  ServiceHost host_{"s", "1.2", "A demo"};
  std::shared_ptr<TransportInbox> inbox_;
};

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
  EXPECT_EQ(tell(1).verdicts, std::vector{Verdict::reject}) << "nobody handles events";
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

/// A host with a key, and an asker who has read its description.
class EncryptedTest : public ServiceHostTest {
 protected:
  static void SetUpTestSuite() { own_ = new PrivateKey(*PrivateKey::generate()); }
  static void TearDownTestSuite() { delete own_; }
  void SetUp() override {
    host_.use_key(*own_);
    host_.method("secret", {.parameters = {{"a", "integer"}}, .requires_encryption = true}, [](const Call& c) {
      c.publish_event("t.1", {{"n", 1}});
      return json{{"a", c.params["a"]}, {"encrypted", c.encrypted}};
    });
    host_.method("open", {}, [](const Call& c) { return c.encrypted; });
    service_ = *PublicKey::from_pem(host_.describe()["public_key"].get<std::string>());
  }
  Incoming sealed(const std::string& method, const json& params) {
    auto in = message(MessageType::request, *encrypt_request(call(method, params), key_, *service_));
    in.encrypted = true;
    return in;
  }
  /// Handles a message whose answer has to be encrypted; the answer's plain body, or null.
  json ask_secretly(Incoming in) {
    inbox_ = std::make_shared<TransportInbox>(1U << 20);
    host_.handle(Transport::Sender(inbox_), std::move(in));
    work_ = {};
    inbox_->take(work_);
    if (work_.messages.empty()) return nullptr;
    EXPECT_TRUE(work_.messages[0].encrypted);
    const auto opened = decrypt_response(work_.messages[0].body, key_);
    EXPECT_TRUE(opened);
    return opened ? json::parse(*opened) : json();
  }
  static inline PrivateKey* own_ = nullptr;
  fernet::Key key_ = fernet::Key::random();
  std::optional<PublicKey> service_;
  TransportInbox::Work work_;
};

TEST_F(EncryptedTest, WhatCameEncryptedIsAnsweredEncrypted) {
  json answer = ask_secretly(sealed("secret", {{"a", 1}}));
  EXPECT_EQ(answer["result"], json({{"a", 1}, {"encrypted", true}}));
  EXPECT_EQ(answer["context"], json({{"who", "ann"}}));
  ASSERT_EQ(work_.messages.size(), 2u);
  EXPECT_FALSE(work_.messages[1].encrypted);
  EXPECT_EQ(json::parse(work_.messages[1].body)["context"], json::object()) << "what came in secret is not made public";
  answer = ask_secretly(sealed("secret", {{"a", "x"}}));
  EXPECT_EQ(answer["error"]["error"], "NuropbValidationError") << "errors too";
  EXPECT_EQ(ask_secretly(sealed("open", json::object()))["result"], true)
      << "a method that doesn't require it may be asked so";
  EXPECT_EQ(ask_secretly(sealed("nope", json::object()))["error"]["description"], "Unknown method nope");
}

TEST_F(EncryptedTest, RequiresEncryption) {
  expect_error(ask("secret", {{"a", 1}}), error_name::message, "secret() requires encryption and came unencrypted");
  EXPECT_EQ(command("secret", {{"a", 1}}).verdicts, std::vector{Verdict::reject});
  EXPECT_EQ(ask("open").result(), false);
  EXPECT_EQ(host_.refusals().count(Refusal::encryption), 2u);
}

TEST_F(EncryptedTest, WhatCannotBeDecryptedIsRefusedInTheClear) {
  const std::string good = sealed("secret", {{"a", 1}}).body;
  std::string bent = good;
  bent[bent.size() - 6] = bent[bent.size() - 6] == 'A' ? 'B' : 'A';
  const PrivateKey other = *PrivateKey::generate();
  for (const std::string& body :
       {std::string(), std::string("."), std::string("x.y"), call("secret", {{"a", 1}}),
        good.substr(0, good.size() / 2), bent, *encrypt_request("{}", key_, other.public_key())}) {
    auto in = message(MessageType::request, body);
    in.encrypted = true;
    const auto got = handle(std::move(in));
    EXPECT_EQ(got.error()["error"], "NuropbMessageError");
    EXPECT_EQ(got.verdicts, std::vector{Verdict::reject});
  }
  EXPECT_EQ(host_.refusals().count(Refusal::encryption), 7u);
  auto in = message(MessageType::request, *encrypt_request("[1]", key_, *service_));
  in.encrypted = true;
  EXPECT_EQ(ask_secretly(std::move(in))["error"]["error"], "NuropbMessageError") << "well encrypted rubbish";
}

TEST_F(EncryptedTest, TheDescriptionSaysSo) {
  const json d = host_.describe();
  EXPECT_EQ(d["encrypted_methods"], true);
  EXPECT_EQ(d["warnings"], json::array());
  EXPECT_EQ(d["methods"]["secret"]["requires_encryption"], true);
  EXPECT_EQ(d["methods"]["open"]["requires_encryption"], false);
  ServiceHost keyless("k", "1");
  keyless.method("m", {.requires_encryption = true}, [](const Call&) { return 1; });
  EXPECT_EQ(keyless.describe()["public_key"], nullptr);
  EXPECT_EQ(keyless.describe()["warnings"].size(), 1u);
}

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
