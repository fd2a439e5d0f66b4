#include "meshd/request_encryption.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error_names.hpp"
#include "common/ids.hpp"
#include "common/messages.hpp"

namespace nuropb::meshd {
namespace {

using mesh::Outcome;
using nlohmann::json;
using std::chrono::seconds;
using ::testing::ElementsAre;

class RequestEncryptionTest : public ::testing::Test {
 protected:
  static const mesh::PrivateKey& service_key() {
    static const mesh::PrivateKey made = *mesh::PrivateKey::generate();
    return made;
  }
  static json description() {
    return {{"public_key", service_key().public_key().pem()},
            {"methods", {{"open", {{"requires_encryption", false}}}, {"secret", {{"requires_encryption", true}}}}}};
  }
  void add(const std::string& id, const std::string& method) {
    mesh::Outgoing message;
    message.routing_key = "s";
    message.correlation_id = id;
    message.body = encode_call(MessageType::request, {"s", method, "{}", id, "{}", "null"});
    message.tag = 7;
    message.deadline = clock_.now() + seconds(10);
    encryption_.add(std::move(message), method, clock_.now());
    collect();
  }
  /// Splits the output: queries are remembered; the rest is recorded as "id plain", "id encrypted" or "id error: text".
  void collect() {
    std::vector<mesh::Outgoing> send;
    const auto all_refused = encryption_.take_output(send);
    for (auto& message : send) {
      if (message.correlation_id.starts_with("describe-")) {
        questions_.push_back(message);
        continue;
      }
      told_.push_back(message.correlation_id + (message.encrypted ? " encrypted" : " plain"));
      sent_.push_back(std::move(message));
    }
    for (const auto& refused : all_refused) {
      EXPECT_EQ(refused.message.tag, 7U) << "the requester has to know what it was";
      told_.push_back(refused.message.correlation_id + " " + refused.error.name + ": " + refused.error.description);
    }
  }
  bool respond(const std::string& id, const std::string& result) {
    mesh::Incoming message;
    message.type = MessageType::response;
    message.correlation_id = id;
    message.body = encode_response({result, "null", id, "null", "{}", "null", ""});
    const bool ours = encryption_.open(message, clock_.now());
    collect();
    return ours;
  }
  bool report(const std::string& id, Outcome outcome) {
    mesh::Report report{outcome, MessageType::request, "s", id, 0, "why", {}};
    const bool ours = encryption_.open(report, clock_.now());
    collect();
    return ours;
  }
  std::string question(std::size_t n = 0) const { return questions_.at(n).correlation_id; }

  ManualClock clock_;
  mesh::RequestKeys keys_ = mesh::RequestKeys::random();
  RequestEncryption encryption_{keys_};
  std::vector<mesh::Outgoing> questions_, sent_;
  std::vector<std::string> told_;
};

TEST_F(RequestEncryptionTest, AsksOnceThenEncryptsWhatHasToBe) {
  add("1", "secret");
  add("2", "open");
  EXPECT_TRUE(told_.empty());
  ASSERT_EQ(questions_.size(), 1U);
  EXPECT_EQ(questions_[0].routing_key, "s");
  EXPECT_EQ(questions_[0].type, MessageType::request);
  EXPECT_EQ(decode_call(questions_[0].body, MessageType::request)->method, "nuropb_describe");
  EXPECT_EQ(questions_[0].deadline, clock_.now() + seconds(60));
  EXPECT_FALSE(ReturnAddress::parse(question()));
  EXPECT_TRUE(report(question(), Outcome::confirmed));
  EXPECT_TRUE(respond(question(), description().dump()));
  add("3", "secret");
  add("4", "hidden");
  EXPECT_THAT(told_, ElementsAre("1 encrypted", "2 plain", "3 encrypted", "4 plain"));
  EXPECT_EQ(questions_.size(), 1U);
  const auto opened = mesh::decrypt_request(sent_[0].body, service_key());
  ASSERT_TRUE(opened);
  EXPECT_EQ(decode_call(opened->json, MessageType::request)->method, "secret");
  EXPECT_EQ(opened->key.text(), keys_.of("1")->text());
  EXPECT_FALSE(respond(question(), description().dump())) << "answered already, so not ours";
}

TEST_F(RequestEncryptionTest, AConsumersOwnDescribeGoesStraight) {
  add("1", "nuropb_describe");
  EXPECT_THAT(told_, ElementsAre("1 plain"));
  EXPECT_TRUE(questions_.empty());
}

TEST_F(RequestEncryptionTest, WhatMayBeSentGoesBehindWhatWaitsAlready) {
  std::vector<mesh::Outgoing> send;
  const auto describe = [&](const char* id) {
    mesh::Outgoing message;
    message.correlation_id = id;
    encryption_.add(std::move(message), mesh::name_of_describe, clock_.now());
  };
  describe("1");
  EXPECT_TRUE(encryption_.take_output(send).empty());
  describe("2");
  describe("3");
  EXPECT_TRUE(encryption_.take_output(send).empty());
  EXPECT_TRUE(encryption_.take_output(send).empty());
  std::vector<std::string> ids;
  for (const auto& message : send) ids.push_back(message.correlation_id);
  EXPECT_THAT(ids, ElementsAre("1", "2", "3"));
}

TEST_F(RequestEncryptionTest, AnswersAreOpenedInPlace) {
  mesh::Incoming message;
  message.correlation_id = "1";
  message.encrypted = true;
  message.body = *mesh::encrypt_response("{\"result\":1}", *keys_.of("1"), service_key().public_key());
  RequestEncryption successor(keys_);  // meshd was restarted in between
  EXPECT_FALSE(successor.open(message, clock_.now()));
  EXPECT_FALSE(message.encrypted);
  EXPECT_EQ(message.body, "{\"result\":1}");
  EXPECT_FALSE(successor.open(message, clock_.now())) << "a plain one is left as it is";
  EXPECT_EQ(message.body, "{\"result\":1}");
}

TEST_F(RequestEncryptionTest, AnAnswerThatCannotBeOpenedSaysSo) {
  for (const std::string& body :
       {std::string("rubbish"), *mesh::encrypt_response("{}", fernet::Key::random(), service_key().public_key())}) {
    mesh::Incoming message;
    message.correlation_id = "1";
    message.encrypted = true;
    message.body = body;
    EXPECT_FALSE(encryption_.open(message, clock_.now()));
    EXPECT_FALSE(message.encrypted);
    const auto response = decode_response(message.body);
    ASSERT_TRUE(response);
    EXPECT_TRUE(response->error.starts_with(
        "{\"error\":\"NuropbMessageError\",\"description\":\"the response could not be decrypted: "))
        << response->error;
  }
}

TEST_F(RequestEncryptionTest, AReturnedBodyIsOpened) {
  mesh::Report returned{Outcome::not_delivered,
                        MessageType::request,
                        "s",
                        "1",
                        7,
                        "312",
                        *mesh::encrypt_request("{\"method\":\"m\"}", *keys_.of("1"), service_key().public_key()),
                        true};
  EXPECT_FALSE(encryption_.open(returned, clock_.now()));
  EXPECT_EQ(returned.returned_body, "{\"method\":\"m\"}");
  mesh::Report rubbish{Outcome::not_delivered, MessageType::request, "s", "1", 7, "312", "rubbish", true};
  EXPECT_FALSE(encryption_.open(rubbish, clock_.now()));
}

TEST_F(RequestEncryptionTest, NobodyThere) {
  add("1", "secret");
  EXPECT_TRUE(report(question(), Outcome::not_delivered));
  EXPECT_THAT(told_, ElementsAre("1 NuropbNotDeliveredError: Service s not available. unable to call method secret"));
  add("2", "open");
  EXPECT_EQ(questions_.size(), 2U);
}

TEST_F(RequestEncryptionTest, QuestionsThatCameToNothing) {
  add("1", "open");
  EXPECT_TRUE(report(question(0), Outcome::unknown));
  add("2", "open");
  EXPECT_TRUE(report(question(1), Outcome::expired));
  add("3", "open");
  EXPECT_TRUE(respond(question(2), "\"text\""));
  add("4", "open");
  encryption_.tick(clock_.now() + seconds(59));
  collect();
  EXPECT_EQ(told_.size(), 3U);
  encryption_.tick(clock_.now() + seconds(60));
  collect();
  const std::string why = "not sent to s, because it could not be described: ";
  EXPECT_THAT(told_, ElementsAre("1 NuropbTransportError: " + why + "why",
                                 "2 NuropbTimeoutError: " + why + "it could not be queried in time",
                                 "3 NuropbMessageError: " + why + "Invalid service_info returned for service s",
                                 "4 NuropbTimeoutError: " + why + "it did not answer in time"));
}

TEST_F(RequestEncryptionTest, ARequiredKeyThatIsMissing) {
  json without = description();
  without["public_key"] = nullptr;
  add("1", "secret");
  add("2", "open");
  respond(question(), without.dump());
  EXPECT_THAT(told_, ::testing::UnorderedElementsAre(
                         "1 NuropbHandlingError: Service public key not found for service: s", "2 plain"));
}

TEST_F(RequestEncryptionTest, AnswersInPlainToWhatWasEncrypted) {
  const auto read = [&](const std::string& id, const std::string& result, const std::string& error) {
    mesh::Incoming message;
    message.type = MessageType::response;
    message.correlation_id = id;
    message.body = encode_response({result, error, id, "null", "{}", "null", ""});
    EXPECT_FALSE(encryption_.open(message, clock_.now()));
    const auto body = decode_response(message.body);
    return std::string(body->result) + " " + std::string(body->error);
  };
  add("1", "secret");
  respond(question(), description().dump());
  add("2", "secret");
  add("3", "secret");
  add("4", "open");
  const std::string refused = error_json(error_name::message, "the response is not encrypted, but the request was");
  EXPECT_EQ(read("1", "42", "null"), "null " + refused);
  EXPECT_EQ(read("1", "42", "null"), "42 null") << "the second answer: no request waits for it";
  EXPECT_EQ(read("2", "null", error_json("NuropbAuthorizationError", "not you")),
            "null " + error_json("NuropbAuthorizationError", "not you"));
  EXPECT_EQ(read("4", "42", "null"), "42 null");
  EXPECT_EQ(read("unheard of", "42", "null"), "42 null");
}

TEST_F(RequestEncryptionTest, AServiceThatMayHaveAnotherKeyIsAskedAgain) {
  const auto answer_in_plain = [&](const std::string& id, const std::string& error) {
    mesh::Incoming message;
    message.correlation_id = id;
    message.body = encode_response({"null", error_json(error, "why"), id, "null", "{}", "null", ""});
    EXPECT_FALSE(encryption_.open(message, clock_.now()));
  };
  add("1", "secret");
  respond(question(), description().dump());
  answer_in_plain("1", "NuropbException");
  add("2", "secret");
  EXPECT_EQ(questions_.size(), 1U);
  answer_in_plain("2", "NuropbMessageError");  // it could not open the request
  add("3", "secret");
  EXPECT_EQ(questions_.size(), 2U);
  respond(question(1), description().dump());
  mesh::Incoming other;  // it could, but has forgotten the key
  other.correlation_id = "3";
  other.encrypted = true;
  other.body = *mesh::encrypt_response("{}", fernet::Key::random(), service_key().public_key());
  EXPECT_FALSE(encryption_.open(other, clock_.now()));
  add("4", "secret");
  EXPECT_EQ(questions_.size(), 3U);
  respond(question(2), description().dump());
  clock_.advance(seconds(9));
  encryption_.tick(clock_.now());
  add("5", "secret");
  EXPECT_EQ(questions_.size(), 3U);
  clock_.advance(seconds(1));
  encryption_.tick(clock_.now());  // no answer to 4
  add("6", "secret");
  EXPECT_EQ(questions_.size(), 4U);
}

TEST_F(RequestEncryptionTest, WhatWasNotDeliveredIsNotAwaited) {
  add("1", "secret");
  respond(question(), description().dump());
  mesh::Report expired{Outcome::expired, MessageType::request, "s", "1", 7, "", {}, true};
  EXPECT_FALSE(encryption_.open(expired, clock_.now()));
  clock_.advance(seconds(20));
  encryption_.tick(clock_.now());
  add("2", "secret");
  EXPECT_EQ(questions_.size(), 1U);
}

TEST_F(RequestEncryptionTest, WhatIsNotOursPasses) {
  EXPECT_FALSE(report("1", Outcome::confirmed));
  EXPECT_FALSE(respond("1", "1"));
  EXPECT_FALSE(respond("describe-of-a-predecessor", description().dump()));
}

}  // namespace
}  // namespace nuropb::meshd
