// mesh::Api against services that describe themselves or don't, and behave as described or don't; each is implemented
// on a bare transport. tests/interop has the tests with correct services. scripts/test names the broker:
// NUROPB_TEST_AMQP_URL.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "common/error_names.hpp"
#include "common/ids.hpp"
#include "meshd/mesh/api.hpp"
#include "tests/integration/mesh/settings.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::ElementsAre;

TransportSettings many_at_once(const std::string& service) {
  auto out = participant_settings(service, Kind::service);
  out.prefetch = 1000;
  return out;
}

/// A service whose answers the test decides. `describe` and `answer` run on its transport's thread.
class HandMadeService {
 public:
  struct Asked {
    std::string method;
    json params;
    bool encrypted = false;
    std::optional<fernet::Key> key;  ///< of the request, if it was encrypted and could be opened
    Incoming message;
  };

  explicit HandMadeService(const std::string& name)
      : transport_(many_at_once(name), {.on_response = nullptr,
                                        .on_service_message = [this](Incoming&& m) { take(std::move(m)); },
                                        .on_report = nullptr,
                                        .on_state = nullptr,
                                        .on_batch_end = nullptr}) {
    transport_.start();
    const auto up = transport_.wait_ready(seconds(60));
    if (!up) throw std::runtime_error(up.error().text());
  }

  void send(const Asked& asked, const std::string& body, bool encrypted) {
    Outgoing out;
    out.type = MessageType::response;
    out.routing_key = asked.message.reply_to;
    out.correlation_id = asked.message.correlation_id;
    out.trace_id = asked.message.trace_id;
    out.body = body;
    out.encrypted = encrypted;
    transport_.submit(std::move(out));
  }
  void result(const Asked& asked, const json& value) {
    send(asked, encode_response({value.dump(), "null", "", "null", "{}", "null", ""}), false);
  }
  void error(const Asked& asked, const std::string& name, const std::string& text) {
    send(asked, encode_response({"null", error_json(name, text), "", "null", "{}", "null", ""}), false);
  }
  void encrypted(const Asked& asked, const json& value, const fernet::Key& with) {
    send(asked,
         *encrypt_response(encode_response({value.dump(), "null", "", "null", "{}", "null", ""}), with,
                           key.public_key()),
         true);
  }

  json description() const {
    return {{"service_name", "by hand"},
            {"public_key", key.public_key().pem()},
            {"methods", {{"secret", {{"requires_encryption", true}}}, {"open", {{"requires_encryption", false}}}}}};
  }
  /// The requests so far: "describe", "secret 1", …
  std::vector<std::string> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::size_t wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(60), [&] { return seen_.size() >= count; });
    return seen_.size();
  }

  static inline const PrivateKey key = *PrivateKey::generate();
  std::function<void(const Asked&)> describe = [this](const Asked& asked) { result(asked, description()); };
  std::function<void(const Asked&)> answer = [this](const Asked& asked) {
    if (asked.key) encrypted(asked, asked.params, *asked.key);
    else result(asked, asked.params);
  };

 private:
  void take(Incoming&& message) {
    transport_.ack(message.delivery);
    Asked asked;
    asked.encrypted = message.encrypted;
    std::string body = message.body;
    if (message.encrypted) {
      auto opened = decrypt_request(message.body, key);
      if (!opened) throw std::logic_error("the client encrypts for another key");
      body = opened->json;
      asked.key = opened->key;
    }
    const json call = json::parse(body);
    asked.method = call["method"];
    asked.params = call["params"];
    asked.message = std::move(message);
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(asked.method == name_of_describe ? "describe"
                                                       : (asked.encrypted ? "encrypted " : "plain ") + asked.method +
                                                             " " + asked.params.value("n", json()).dump());
    }
    changed_.notify_all();
    asked.method == name_of_describe ? describe(asked) : answer(asked);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> seen_;  // under mutex_
  Transport transport_;            // last
};

class EncryptedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto up = client_.start();
    ASSERT_TRUE(up) << up.error().text();
  }
  Answer ask(const std::string& method, const json& params = json::object(), CallOptions options = {}) {
    auto future = client_.request(name_, method, params, std::move(options));
    EXPECT_EQ(future.wait_for(seconds(60)), std::future_status::ready) << method;
    return future.get();
  }
  static std::string text(const Answer& answer) {
    return answer ? answer->dump() : answer.error().name + ": " + answer.error().description;
  }

  std::string name_ = "by-hand-" + random_hex32().substr(0, 8);
  HandMadeService service_{name_};
  Api client_{participant_settings("client", Kind::client)};
};

TEST_F(EncryptedTest, ManyAtOnceShareOneDescriptionAndKeepTheirOrder) {
  std::vector<std::future<Answer>> asked;
  std::vector<std::string> expected{"describe"};
  for (int n = 0; n < 200; ++n) {
    const std::string method = n % 3 ? "secret" : "open";
    asked.push_back(client_.request(name_, method, {{"n", n}}));
    expected.push_back((n % 3 ? "encrypted " : "plain ") + method + " " + std::to_string(n));
  }
  for (int n = 0; n < 200; ++n) EXPECT_EQ(asked[static_cast<std::size_t>(n)].get(), (json{{"n", n}}));
  EXPECT_EQ(service_.seen(), expected);
}

TEST_F(EncryptedTest, ACommandWaitsForTheDescriptionToo) {
  ASSERT_TRUE(client_.command(name_, "secret", {{"n", 1}}));
  ASSERT_TRUE(client_.command(name_, "open", {{"n", 2}}));
  EXPECT_EQ(service_.wait_for(3), 3U);
  EXPECT_THAT(service_.seen(), ElementsAre("describe", "encrypted secret 1", "plain open 2"));
}

TEST_F(EncryptedTest, APlainResultToAnEncryptedRequestIsRefused) {
  service_.answer = [&](const auto& asked) { service_.result(asked, 42); };
  EXPECT_EQ(text(ask("secret")), "NuropbMessageError: the response is not encrypted, but the request was");
  EXPECT_EQ(text(ask("open")), "42");
}

TEST_F(EncryptedTest, APlainErrorToAnEncryptedRequestIsHeard) {
  service_.answer = [&](const auto& asked) { service_.error(asked, "NuropbAuthorizationError", "not you"); };
  EXPECT_EQ(text(ask("secret")), "NuropbAuthorizationError: not you");
}

TEST_F(EncryptedTest, AnEncryptedAnswerToAPlainRequestIsRefused) {
  service_.answer = [&](const auto& asked) { service_.encrypted(asked, 42, fernet::Key::random()); };
  EXPECT_EQ(text(ask("open")), "NuropbMessageError: the response is encrypted, but the request was not");
}

TEST_F(EncryptedTest, AfterAnAnswerThatCannotBeOpenedTheKeyIsAskedForAgain) {
  service_.answer = [&](const auto& asked) {
    service_.encrypted(asked, 42, asked.params.contains("wrong") ? fernet::Key::random() : *asked.key);
  };
  EXPECT_EQ(text(ask("secret")), "42");
  EXPECT_EQ(text(ask("secret", {{"wrong", true}})),
            "NuropbMessageError: the response could not be decrypted: Fernet token: was created with another key, or "
            "modified");
  EXPECT_EQ(text(ask("secret")), "42");
  EXPECT_THAT(service_.seen(), ElementsAre("describe", "encrypted secret null", "encrypted secret null", "describe",
                                           "encrypted secret null"));
}

TEST_F(EncryptedTest, AMethodThatIsKeptSecretFromNowOn) {
  json open_to_all = service_.description();
  open_to_all["methods"]["secret"]["requires_encryption"] = false;
  service_.describe = [&](const auto& asked) { service_.result(asked, open_to_all); };
  service_.answer = [&](const auto& asked) {
    if (asked.key) service_.encrypted(asked, "told", *asked.key);
    else service_.error(asked, "NuropbMessageError", "secret() requires encryption and came unencrypted");
  };
  EXPECT_EQ(text(ask("secret")), "NuropbMessageError: secret() requires encryption and came unencrypted");
  service_.describe = [&](const auto& asked) { service_.result(asked, service_.description()); };
  EXPECT_EQ(text(ask("secret")), "\"told\"");
}

TEST_F(EncryptedTest, NothingIsSentToAServiceThatDoesNotAnswerTheQuestion) {
  service_.describe = [](const auto&) {};
  EXPECT_EQ(text(ask("secret", json::object(), {.ttl = milliseconds(1500)})),
            "NuropbTimeoutError: no answer from " + name_ + ".secret in time");
  EXPECT_EQ(text(ask("open", json::object(), {.encryption = Encryption::never})), "{}");
  EXPECT_THAT(service_.seen(), ElementsAre("describe", "plain open null"));
}

TEST_F(EncryptedTest, NothingIsSentToAServiceThatCannotBeDescribed) {
  service_.describe = [&](const auto& asked) { service_.error(asked, "NuropbException", "no key is set"); };
  EXPECT_EQ(text(ask("open")), "NuropbException: not sent, because the service could not be described: no key is set");
  service_.describe = [&](const auto& asked) { service_.result(asked, "text"); };
  EXPECT_EQ(text(ask("open")),
            "NuropbMessageError: not sent, because the service could not be described: Invalid service_info returned "
            "for service " +
                name_);
  EXPECT_THAT(service_.seen(), ElementsAre("describe", "describe"));
}

TEST_F(EncryptedTest, AServiceThatHasNoDescriptionIsOneWithoutEncryption) {
  service_.describe = [&](const auto& asked) {
    service_.error(asked, "NuropbHandlingError", "Unknown method nuropb_describe");
  };
  EXPECT_EQ(text(ask("open", {{"n", 1}})), "{\"n\":1}");
  EXPECT_EQ(text(ask("open", {{"n", 2}})), "{\"n\":2}");
  EXPECT_EQ(text(client_.describe(name_).get()), "NuropbHandlingError: Unknown method nuropb_describe");
  EXPECT_THAT(service_.seen(), ElementsAre("describe", "plain open 1", "plain open 2"));
}

TEST_F(EncryptedTest, DescribeIsRememberedAndRefreshed) {
  EXPECT_EQ(*client_.describe(name_).get(), service_.description());
  EXPECT_EQ(*client_.describe(name_).get(), service_.description());
  EXPECT_EQ(service_.seen().size(), 1U);
  EXPECT_EQ(*client_.describe(name_, true).get(), service_.description());
  EXPECT_EQ(service_.seen().size(), 2U);
  EXPECT_TRUE(*client_.requires_encryption(name_, "secret").get());
  EXPECT_FALSE(*client_.requires_encryption(name_, "open").get());
  EXPECT_EQ(client_.requires_encryption(name_, "nope").get().error().name, error_name::handling);
  EXPECT_TRUE(*client_.has_public_key(name_).get());
  EXPECT_EQ(service_.seen().size(), 2U);
}

TEST_F(EncryptedTest, StoppingEndsWhatWaitsForADescription) {
  service_.describe = [](const auto&) {};
  auto waiting = client_.request(name_, "secret", json::object());
  auto described = client_.describe(name_);
  ASSERT_TRUE(client_.command(name_, "secret", json::object()));
  service_.wait_for(1);
  client_.stop();
  ASSERT_EQ(waiting.wait_for(seconds(60)), std::future_status::ready);
  EXPECT_EQ(waiting.get().error().name, error_name::transport);
  ASSERT_EQ(described.wait_for(seconds(60)), std::future_status::ready);
  EXPECT_EQ(described.get().error().name, error_name::transport);
}

}  // namespace
}  // namespace nuropb::mesh
