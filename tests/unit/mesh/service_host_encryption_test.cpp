// How the host handles encrypted messages, and unencrypted ones that should have been encrypted.

#include "common/error_names.hpp"
#include "tests/unit/mesh/service_host_fixture.hpp"

namespace nuropb::mesh {
namespace {

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
  /// Handles a message whose response has to be encrypted; returns the response's plain body, or null.
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
  EXPECT_EQ(ask_secretly(std::move(in))["error"]["error"], "NuropbMessageError")
      << "correctly encrypted malformed content";
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

}  // namespace
}  // namespace nuropb::mesh
