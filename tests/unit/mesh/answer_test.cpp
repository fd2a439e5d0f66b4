#include "meshd/mesh/answer.hpp"

#include <gtest/gtest.h>

#include "common/error_names.hpp"
#include "common/messages.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;

const std::string id = "f985036a41fd4e7ea48ca9c101788487";

class AnswerTest : public ::testing::Test {
 protected:
  static std::string body(const std::string& result, const std::string& error) {
    return encode_response({result, error, id, "null", "{}", "null", "q"});
  }
  static Incoming plain(const std::string& body) {
    Incoming out;
    out.type = MessageType::response;
    out.correlation_id = id;
    out.body = body;
    return out;
  }
  Incoming encrypted(const std::string& body, const fernet::Key& key) const {
    Incoming out = plain(*encrypt_response(body, key, service_.public_key()));
    out.encrypted = true;
    return out;
  }
  Answer read(const Incoming& message, bool request_encrypted) const {
    return read_answer(message, request_encrypted, keys_);
  }
  static ServiceError error(const Answer& answer) {
    return answer ? ServiceError{"a result", answer->dump()} : answer.error();
  }

  RequestKeys keys_ = RequestKeys::random();
  fernet::Key key_ = *keys_.of(id);
  static inline const PrivateKey service_ = *PrivateKey::generate();
};

TEST_F(AnswerTest, PlainToPlain) {
  EXPECT_EQ(read(plain(body("{\"a\":[1]}", "null")), false), (json{{"a", {1}}}));
  EXPECT_EQ(error(read(plain(body("null", error_json("NuropbValidationError", "a is no number"))), false)),
            (ServiceError{"NuropbValidationError", "a is no number"}));
  EXPECT_EQ(error(read(plain(body("null", unknown_outcome_json("gone"))), false)),
            (ServiceError{"NuropbTransportError", "gone", true}));
}

TEST_F(AnswerTest, EncryptedToEncrypted) {
  EXPECT_EQ(read(encrypted(body("42", "null"), key_), true), json(42));
  EXPECT_EQ(error(read(encrypted(body("null", error_json("NuropbException", "boom")), key_), true)),
            (ServiceError{"NuropbException", "boom"}));
}

TEST_F(AnswerTest, EncryptedToPlain) {
  EXPECT_EQ(error(read(encrypted(body("42", "null"), key_), false)),
            (ServiceError{"NuropbMessageError", "the response is encrypted, but the request was not"}));
}

TEST_F(AnswerTest, PlainToEncrypted) {
  EXPECT_EQ(error(read(plain(body("42", "null")), true)),
            (ServiceError{"NuropbMessageError", "the response is not encrypted, but the request was"}));
  const Answer refused = read(
      plain(body("null", error_json("NuropbMessageError", "sealed key: was not sealed for this service's key"))), true);
  EXPECT_EQ(error(refused), (ServiceError{"NuropbMessageError", "sealed key: was not sealed for this service's key"}));
  EXPECT_TRUE(description_may_be_old(refused));
}

TEST_F(AnswerTest, EncryptedWithAnotherKey) {
  const Answer answer = read(encrypted(body("42", "null"), fernet::Key::random()), true);
  EXPECT_EQ(
      error(answer),
      (ServiceError{"NuropbMessageError",
                    "the response could not be decrypted: Fernet token: was created with another key, or modified"}));
  EXPECT_TRUE(description_may_be_old(answer));
  EXPECT_FALSE(description_may_be_old(read(encrypted(body("42", "null"), key_), true)));
  EXPECT_FALSE(
      description_may_be_old(read(encrypted(body("null", error_json("NuropbException", "boom")), key_), true)));
}

TEST_F(AnswerTest, NoResponseAtAll) {
  for (const std::string text : {"", "{", "[]", "null", "{\"error\":\"text\"}", "{\"tag\":\"request\"}"}) {
    EXPECT_EQ(error(read(plain(text), false)).name, "NuropbMessageError") << text;
    EXPECT_EQ(error(read(encrypted(text, key_), true)).name, "NuropbMessageError") << text;
  }
}

TEST_F(AnswerTest, ErrorNames) {
  for (const auto name : error_name::all) {
    EXPECT_EQ(error(read(plain(body("null", error_json(name, "why"))), false)),
              (ServiceError{std::string(name), "why"}));
  }
  // What nuropb 0.1.8 sends when it could not decode a request, and what an incorrect service may send.
  EXPECT_EQ(error(read(plain(body("null", error_json("InvalidToken", "bad"))), false)),
            (ServiceError{"NuropbException", "InvalidToken: bad"}));
  EXPECT_EQ(error(read(plain(body("null", "{}")), false)), (ServiceError{"NuropbException", ""}));
  EXPECT_EQ(error(read(plain(body("null", "{\"error\":1,\"description\":[]}")), false)),
            (ServiceError{"NuropbException", ""}));
}

}  // namespace
}  // namespace nuropb::mesh
