#include "meshd/mesh/discovery.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error_names.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::ElementsAre;

const PrivateKey& service_key() {
  static const PrivateKey made = *PrivateKey::generate();
  return made;
}

json description() {
  return {{"service_name", "s"},
          {"public_key", service_key().public_key().pem()},
          {"encrypted_methods", true},
          {"methods",
           {{"open", {{"requires_encryption", false}}},
            {"secret", {{"requires_encryption", true}}},
            {"old", json::object()}}}};
}

Answer failed(std::string_view name, const std::string& why = "why") {
  return tl::unexpected(ServiceError{std::string(name), why, false});
}

class DiscoveryTest : public ::testing::Test {
 protected:
  void want(const std::string& service, std::size_t cost = 0, bool refresh = false) {
    const int n = ++wanted_;
    discovery_.want(
        service, clock_.now(), cost,
        [this, n](const Described& d) {
          told_.push_back(std::to_string(n) +
                          (d ? ":" + (*d)->document.value("service_version", "-") : ":" + d.error().name));
        },
        refresh);
  }
  void answer(const std::string& service, const Answer& what) { discovery_.answered(service, clock_.now(), what); }
  static json version(const std::string& text) {
    json out = description();
    out["service_version"] = text;
    return out;
  }

  ManualClock clock_;
  std::vector<std::string> asked_, told_;
  int wanted_ = 0;
  Discovery discovery_{{.ttl = seconds(60),
                        .retry = seconds(5),
                        .max_age = seconds(600),
                        .max_services = 3,
                        .max_bytes = 1U << 20,
                        .max_waiting_bytes = 100,
                        .max_waiting_for_one = 80},
                       [this](const std::string& service) { asked_.push_back(service); }};
};

TEST_F(DiscoveryTest, AsksOnceAndRemembers) {
  want("s");
  want("s");
  EXPECT_THAT(asked_, ElementsAre("s"));
  EXPECT_TRUE(told_.empty());
  answer("s", version("1"));
  want("s");
  EXPECT_THAT(told_, ElementsAre("1:1", "2:1", "3:1"));
  EXPECT_THAT(asked_, ElementsAre("s"));
}

TEST_F(DiscoveryTest, AsksAgainInTheBackground) {
  want("s");
  answer("s", version("1"));
  clock_.advance(seconds(59));
  EXPECT_TRUE(discovery_.known("s", clock_.now()));
  clock_.advance(seconds(1));
  EXPECT_FALSE(discovery_.known("s", clock_.now()));
  want("s");
  want("s");
  EXPECT_THAT(asked_, ElementsAre("s", "s"));
  EXPECT_THAT(told_, ElementsAre("1:1", "2:1", "3:1"));
  answer("s", version("2"));
  want("s");
  EXPECT_THAT(told_, ElementsAre("1:1", "2:1", "3:1", "4:2"));
}

TEST_F(DiscoveryTest, WhatIsTooOldIsNotBelieved) {
  want("s");
  answer("s", version("1"));
  clock_.advance(seconds(599));
  want("s");
  clock_.advance(seconds(1));
  want("s");
  EXPECT_THAT(told_, ElementsAre("1:1", "2:1"));
  answer("s", failed(error_name::timeout));
  EXPECT_THAT(told_, ElementsAre("1:1", "2:1", "3:NuropbTimeoutError"));
  EXPECT_EQ(discovery_.services(), 0U);
}

TEST_F(DiscoveryTest, RefreshAsksInAnyCase) {
  want("s");
  answer("s", version("1"));
  want("s", 0, true);
  want("s", 0, true);
  want("s");  // the cached description is still used meanwhile
  EXPECT_THAT(told_, ElementsAre("1:1", "4:1"));
  answer("s", version("2"));
  EXPECT_THAT(asked_, ElementsAre("s", "s"));
  EXPECT_THAT(told_, ElementsAre("1:1", "4:1", "2:2", "3:2"));
}

TEST_F(DiscoveryTest, RefreshByOneWhoWasJustToldAsksAgain) {
  discovery_.want("s", clock_.now(), 0, [&](const Described&) { want("s", 0, true); });
  answer("s", version("1"));
  EXPECT_THAT(asked_, ElementsAre("s", "s"));
  want("s");
  EXPECT_THAT(told_, ElementsAre("2:1")) << "what is believed still counts meanwhile";
  answer("s", version("2"));
  EXPECT_THAT(told_, ElementsAre("2:1", "1:2"));
  discovery_.want("t", clock_.now(), 0, [&](const Described&) { want("t", 0, true); });
  answer("t", failed(error_name::not_delivered));
  answer("t", version("3"));
  EXPECT_THAT(told_, ElementsAre("2:1", "1:2", "3:3"));
}

TEST_F(DiscoveryTest, WhoeverTriesAgainAfterAFailureAsksAgain) {
  discovery_.want("s", clock_.now(), 0, [&](const Described& d) {
    EXPECT_FALSE(d);
    want("s");
  });
  answer("s", failed(error_name::not_delivered));
  EXPECT_THAT(asked_, ElementsAre("s", "s"));
  answer("s", version("1"));
  EXPECT_THAT(told_, ElementsAre("1:1"));
}

TEST_F(DiscoveryTest, ForgottenIsAskedAgain) {
  want("s");
  answer("s", version("1"));
  discovery_.forget("s");
  discovery_.forget("never heard of");
  want("s");
  EXPECT_THAT(asked_, ElementsAre("s", "s"));
  discovery_.forget("s");  // while a request is pending
  answer("s", version("2"));
  EXPECT_THAT(told_, ElementsAre("1:1", "2:2"));
}

TEST_F(DiscoveryTest, FailuresAreToldAndNotRemembered) {
  want("s");
  answer("s", failed(error_name::not_delivered));
  EXPECT_EQ(discovery_.services(), 0U);
  want("s");
  answer("s", failed(error_name::timeout));
  want("s");
  answer("s", json("not an object"));
  EXPECT_THAT(told_, ElementsAre("1:NuropbNotDeliveredError", "2:NuropbTimeoutError", "3:NuropbMessageError"));
  EXPECT_EQ(discovery_.services(), 0U);
}

TEST_F(DiscoveryTest, AnOldDescriptionCountsWhileTheServiceIsSilent) {
  want("s");
  answer("s", version("1"));
  want("s", 0, true);
  answer("s", failed(error_name::timeout));
  EXPECT_THAT(told_, ElementsAre("1:1", "2:1"));
  clock_.advance(seconds(4));
  EXPECT_TRUE(discovery_.known("s", clock_.now()));
  clock_.advance(seconds(1));
  want("s");
  EXPECT_THAT(asked_, ElementsAre("s", "s", "s"));
  answer("s", failed(error_name::not_delivered));  // the service no longer exists, and the broker has reported that
  EXPECT_THAT(told_, ElementsAre("1:1", "2:1", "3:1"));
  EXPECT_EQ(discovery_.services(), 0U);
}

TEST_F(DiscoveryTest, WhoeverComesWhileOthersAreToldQueuesBehindThem) {
  std::vector<int> order;
  discovery_.want("s", clock_.now(), 0, [&](const Described&) {
    discovery_.want("s", clock_.now(), 0, [&](const Described&) { order.push_back(3); });
    EXPECT_FALSE(discovery_.known("s", clock_.now())) << "no request overtakes";
    order.push_back(1);
  });
  discovery_.want("s", clock_.now(), 0, [&](const Described&) { order.push_back(2); });
  answer("s", version("1"));
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
  EXPECT_TRUE(discovery_.known("s", clock_.now()));
  EXPECT_EQ(asked_.size(), 1U);
}

TEST_F(DiscoveryTest, ASynchronousAnswerIsFine) {
  Discovery* self = nullptr;
  Discovery at_once(
      {}, [&](const std::string& service) { self->answered(service, clock_.now(), failed(error_name::transport)); });
  self = &at_once;
  std::string told;
  at_once.want("s", clock_.now(), 0, [&](const Described& d) { told = d ? "described" : d.error().name; });
  EXPECT_EQ(told, "NuropbTransportError");
}

TEST_F(DiscoveryTest, TheLeastUsedIsForgotten) {
  for (const std::string service : {"a", "b", "c"}) {
    want(service);
    answer(service, version(service));
    clock_.advance(seconds(1));
  }
  want("a");
  want("d");
  answer("d", version("d"));
  EXPECT_TRUE(discovery_.known("a", clock_.now()));
  EXPECT_FALSE(discovery_.known("b", clock_.now()));
  EXPECT_TRUE(discovery_.known("c", clock_.now()));
  EXPECT_EQ(discovery_.services(), 3U);
}

TEST_F(DiscoveryTest, BoundsOfWhatWaits) {
  want("a", 60);
  want("a", 21);  // more than 80 bytes for one service
  EXPECT_THAT(told_, ElementsAre("2:NuropbTransportError"));
  want("b", 41);  // more than 100 in total
  EXPECT_THAT(told_, ElementsAre("2:NuropbTransportError", "3:NuropbTransportError"));
  want("b", 40);
  want("c");
  want("d");  // requests for all three are pending
  EXPECT_THAT(told_, ElementsAre("2:NuropbTransportError", "3:NuropbTransportError", "6:NuropbTransportError"));
  answer("a", version("1"));
  want("d", 60);
  EXPECT_THAT(asked_, ElementsAre("a", "b", "c", "d"));
}

TEST_F(DiscoveryTest, OneMessageOfAnySizeMayWait) {
  want("a", 1000);
  want("a", 1);
  want("b", 1);
  EXPECT_THAT(told_, ElementsAre("2:NuropbTransportError", "3:NuropbTransportError"));
  answer("a", version("1"));
  want("b", 1000);
  EXPECT_THAT(asked_, ElementsAre("a", "b"));
}

TEST_F(DiscoveryTest, BoundOfBytes) {
  for (const std::string service : {"a", "b"}) {
    json large = version(service);
    large["description"] = std::string(600'000, 'x');
    want(service);
    answer(service, large);
    clock_.advance(seconds(1));
  }
  EXPECT_EQ(discovery_.services(), 1U);
  EXPECT_TRUE(discovery_.known("b", clock_.now()));
  json enormous = version("c");
  enormous["description"] = std::string(1'100'000, 'x');
  want("c");
  answer("c", enormous);
  EXPECT_EQ(told_.back(), "3:NuropbMessageError");
}

TEST_F(DiscoveryTest, AnswersNobodyAskedForAreIgnored) {
  answer("s", version("1"));
  EXPECT_EQ(discovery_.services(), 0U);
  want("s");
  answer("s", version("1"));
  answer("s", version("2"));
  want("s");
  EXPECT_THAT(told_, ElementsAre("1:1", "2:1"));
}

// Conclusions from a description.

std::string key_for(const json& document, const std::string& method, Encryption wanted) {
  const auto described = read_description("s", document);
  if (!described) return described.error().name;
  const auto key = encryption_key(**described, "s", method, wanted);
  if (!key) return key.error().name + ": " + key.error().description;
  return *key ? "encrypted" : "plain";
}

TEST(EncryptionKey, FollowsTheDescription) {
  EXPECT_EQ(key_for(description(), "secret", Encryption::automatic), "encrypted");
  EXPECT_EQ(key_for(description(), "open", Encryption::automatic), "plain");
  EXPECT_EQ(key_for(description(), "old", Encryption::automatic), "plain");
  EXPECT_EQ(key_for(description(), "hidden", Encryption::automatic), "plain");
  for (const std::string method : {"secret", "open", "hidden"}) {
    EXPECT_EQ(key_for(description(), method, Encryption::always), "encrypted");
    EXPECT_EQ(key_for(description(), method, Encryption::never), "plain");
  }
}

TEST(EncryptionKey, WithoutAPublicKey) {
  json without = description();
  without["public_key"] = nullptr;
  EXPECT_EQ(key_for(without, "open", Encryption::automatic), "plain");
  EXPECT_EQ(key_for(without, "secret", Encryption::automatic),
            "NuropbHandlingError: Service public key not found for service: s");
  EXPECT_EQ(key_for(without, "open", Encryption::always),
            "NuropbHandlingError: Service public key not found for service: s");
  without["public_key"] = "-----BEGIN NONSENSE-----";
  EXPECT_EQ(
      key_for(without, "secret", Encryption::automatic),
      "NuropbHandlingError: Service public key not found for service: s (public key: is not a public key in PEM)");
}

TEST(EncryptionKey, OddDescriptions) {
  json odd = description();
  odd["methods"]["secret"]["requires_encryption"] = "yes";
  EXPECT_EQ(key_for(odd, "secret", Encryption::automatic), "encrypted");
  odd["methods"]["secret"]["requires_encryption"] = nullptr;
  EXPECT_EQ(key_for(odd, "secret", Encryption::automatic), "plain");
  odd["methods"]["secret"] = "text";
  EXPECT_EQ(key_for(odd, "secret", Encryption::automatic), "plain");
  odd["methods"] = json::array({1});
  EXPECT_EQ(key_for(odd, "secret", Encryption::automatic), "plain");
  EXPECT_EQ(key_for(json::object(), "secret", Encryption::automatic), "plain");
  EXPECT_EQ(key_for(json::array(), "secret", Encryption::automatic), "NuropbMessageError");
}

TEST(EncryptionKey, AServiceThatDoesNotDescribeItself) {
  const auto described = read_description("s", failed(error_name::handling, "Unknown method nuropb_describe"));
  ASSERT_TRUE(described);
  EXPECT_FALSE(*encryption_key(**described, "s", "any", Encryption::automatic));
  EXPECT_FALSE(encryption_key(**described, "s", "any", Encryption::always));
  EXPECT_EQ((*described)->undescribed->description, "Unknown method nuropb_describe");
  EXPECT_FALSE(read_description("s", failed(error_name::exception))) << "hard to reach is not the same as open";
}

TEST(EncryptionKey, EncryptReplacesTheBody) {
  const RequestKeys keys = RequestKeys::random();
  Outgoing message;
  message.correlation_id = "c";
  message.body = "{\"q\":1}";
  ASSERT_TRUE(encrypt(message, service_key().public_key(), keys));
  EXPECT_TRUE(message.encrypted);
  const auto opened = decrypt_request(message.body, service_key());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->json, "{\"q\":1}");
  EXPECT_EQ(opened->key.text(), keys.of("c")->text());
}

}  // namespace
}  // namespace nuropb::mesh
