// A password in a file that changes while we are connected: expiring tokens (RabbitMQ's OAuth 2 backend with our own
// signing key), and a user whose password is changed. Traffic goes on, and each message has one outcome.

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <fstream>
#include <thread>

#include "meshd/mesh/api.hpp"
#include "tests/integration/mesh/participant.hpp"
#include "tests/integration/mesh/private_broker.hpp"
#include "tests/integration/mesh/settings.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;
using std::chrono::seconds;

std::string base64url(std::string_view bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned value = 0, bits = 0;
  for (const char c : bytes) {
    value = (value << 8U) | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6) out += digits[(value >> (bits - 6)) & 63U];
  }
  if (bits > 0) out += digits[(value << (6 - bits)) & 63U];
  return out;
}

/// A signing key, and JSON Web Tokens signed with it.
class Issuer {
 public:
  explicit Issuer(const std::string& public_key_file) : key_(EVP_RSA_gen(2048)) {
    FILE* const file = std::fopen(public_key_file.c_str(), "w");
    if (!key_ || !file || PEM_write_PUBKEY(file, key_) != 1) throw std::runtime_error("no key");
    std::fclose(file);
  }
  Issuer(const Issuer&) = delete;
  Issuer& operator=(const Issuer&) = delete;
  ~Issuer() { EVP_PKEY_free(key_); }

  [[nodiscard]] std::string token(const std::string& user, seconds valid) const {
    const auto until = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + valid);
    const json claims = {{"sub", user},
                         {"client_id", user},
                         {"aud", {"rabbitmq"}},
                         {"exp", until},
                         {"scope", {"rabbitmq.configure:*/*", "rabbitmq.read:*/*/*", "rabbitmq.write:*/*/*"}}};
    const std::string text = base64url(R"({"alg":"RS256","typ":"JWT","kid":"test"})") + "." + base64url(claims.dump());
    std::string signature(512, '\0');
    std::size_t size = signature.size();
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    const bool done = EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_) == 1 &&
                      EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                                     reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
    EVP_MD_CTX_free(context);
    if (!done) throw std::runtime_error("no signature");
    return text + "." + base64url(std::string_view(signature).substr(0, size));
  }

 private:
  EVP_PKEY* key_;
};

class Credentials : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = (std::filesystem::temp_directory_path() / "nuropb-credentials.XXXXXX").string();
    ASSERT_TRUE(::mkdtemp(name.data()));
    folder_ = name;
    issuer_ = std::make_unique<Issuer>(folder_ + "/public.pem");
    broker_ = std::make_unique<PrivateBroker>(
        "--plugin rabbitmq_auth_backend_oauth2 --config-line 'auth_backends.1 = rabbit_auth_backend_oauth2' "
        "--config-line 'auth_backends.2 = internal' "
        "--config-line 'auth_oauth2.resource_server_id = rabbitmq' --config-line 'auth_oauth2.default_key = test' "
        "--config-line 'auth_oauth2.signing_keys.test = " +
        folder_ + "/public.pem'");
  }
  static void TearDownTestSuite() {
    broker_.reset();
    issuer_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  static void put(const std::string& file, const std::string& secret) {
    // Replaced atomically, as a program that renews secrets should do.
    std::ofstream(file + ".new") << secret << "\n";
    std::filesystem::rename(file + ".new", file);
  }
  void SetUp() override { file_ = folder_ + "/" + random_hex32(); }

  TransportSettings settings(const std::string& service, bool client_only) const {
    TransportSettings out;
    out.urls = {*amqp::parse_url(broker_->url())};
    out.service_name = service;
    out.instance_id = random_hex32();
    out.client_only = client_only;
    out.prefetch = 50;
    out.reconnect_max = milliseconds(1000);
    out.password_file = file_;
    out.password_look = milliseconds(50);
    return out;
  }
  /// Sends requests continuously, a few at a time, until it is stopped; counts the outcomes.
  struct Traffic {
    std::atomic<int> right{0}, wrong{0}, open{0};
    std::atomic<bool> stopped{false};
    std::mutex mutex;
    std::string error;
  };
  static void ask(Api& client, const std::string& service, const std::shared_ptr<Traffic>& traffic) {
    ++traffic->open;
    CallOptions options;
    options.ttl = seconds(20);
    client.request(service, "echo", {{"n", 1}}, options, [&client, service, traffic](const Answer& answer) {
      if (answer) ++traffic->right;
      else {
        ++traffic->wrong;
        const std::lock_guard lock(traffic->mutex);
        traffic->error = answer.error().name + ": " + answer.error().description;
      }
      if (!traffic->stopped) ask(client, service, traffic);
      --traffic->open;
    });
  }
  static bool eventually(const std::function<bool()>& holds, seconds limit = seconds(60)) {
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return true;
  }
  /// The number of the broker's connections with this name.
  static int connections(const std::string& name) {
    const std::string list = broker_->output("ctl --quiet list_connections client_properties");
    int out = 0;
    for (auto at = list.find("\"" + name + "\""); at != std::string::npos; at = list.find("\"" + name + "\"", at + 1))
      ++out;
    return out;
  }

  static std::string folder_;
  static std::unique_ptr<Issuer> issuer_;
  static std::unique_ptr<PrivateBroker> broker_;
  std::string file_;
};
std::string Credentials::folder_;
std::unique_ptr<Issuer> Credentials::issuer_;
std::unique_ptr<PrivateBroker> Credentials::broker_;

TEST_F(Credentials, AFreshTokenIsTakenUpUnderTrafficWithoutALoss) {
  const std::string name = "fresh-" + random_hex32().substr(0, 8);
  put(file_, issuer_->token(name, seconds(3600)));
  std::atomic<int> calls{0};
  std::atomic<int> redelivered{0};
  ServiceHost host(name, "1");
  host.method("echo", {.any_parameters = true}, [&](const Call& call) {
    ++calls;
    if (call.redelivered) ++redelivered;
    return call.params;
  });
  Api service(settings(name, false)), client(settings("client", true));
  service.serve(host);
  auto up = service.start();
  ASSERT_TRUE(up) << up.error().text();
  up = client.start();
  ASSERT_TRUE(up) << up.error().text();
  auto traffic = std::make_shared<Traffic>();
  for (int i = 0; i < 20; ++i) ask(client, name, traffic);
  ASSERT_TRUE(eventually([&] { return traffic->right > 200; }));
  for (unsigned round = 0; round < 3; ++round) {
    put(file_, issuer_->token(name, seconds(3600 + round + 1)));
    const auto before = traffic->right.load();
    // Both check the file independently; each has handed over when its broker has only the newer connection.
    ASSERT_TRUE(eventually([&] {
      return client.transport().counters().handovers > round && service.transport().counters().handovers > round;
    }));
    EXPECT_TRUE(eventually([&] { return traffic->right > before + 200; }));
  }
  traffic->stopped = true;
  ASSERT_TRUE(eventually([&] { return traffic->open == 0; }));
  EXPECT_EQ(traffic->wrong, 0) << traffic->error;
  EXPECT_EQ(redelivered, 0) << "no request ran twice";
  EXPECT_EQ(calls, traffic->right);
  EXPECT_TRUE(eventually([&] { return connections(name) == 1; })) << "of the former ones none is left";
}

TEST_F(Credentials, ATokenThatExpiresIsReplacedBeforeItDoes) {
  // The broker refuses every operation with an expired token.
  const std::string name = "expires-" + random_hex32().substr(0, 8);
  put(file_, issuer_->token(name, seconds(8)));
  const auto expired = std::chrono::steady_clock::now() + seconds(9);
  Participant participant(settings(name, true));
  const auto up = participant.start();
  ASSERT_TRUE(up) << up.error().text();
  put(file_, issuer_->token(name, seconds(3600)));
  ASSERT_TRUE(eventually([&] { return participant.transport.counters().handovers == 1; }));
  while (std::chrono::steady_clock::now() < expired) {
    EXPECT_EQ(participant.publish(MessageType::event, "t", "{}").outcome, Outcome::confirmed);
    std::this_thread::sleep_for(milliseconds(100));
  }
  ASSERT_TRUE(participant.transport.bind_event("t." + name));  // declaring checks permissions again
  EXPECT_TRUE([&] {
    for (int i = 0; i < tries; ++i) {
      participant.publish(MessageType::event, "t." + name, "{}");
      if (participant.sees([](const auto& s) { return !s.events.empty(); }, patience(i))) return true;
    }
    return false;
  }());
  for (const auto& [state, detail] : participant.seen().states) EXPECT_EQ(state, State::ready) << detail;
}

TEST_F(Credentials, AnExpiredTokenIsSaidAndTheNextOneIsTaken) {
  const std::string name = "expired-" + random_hex32().substr(0, 8);
  put(file_, issuer_->token(name, seconds(-60)));
  Participant participant(settings(name, true));
  const auto refused = reason_with(participant.transport, participant.start(milliseconds(2000)), "refused");
  EXPECT_NE(refused.find("refused"), std::string::npos) << refused;
  EXPECT_NE(refused.find(file_), std::string::npos) << refused;
  put(file_, issuer_->token(name, seconds(3600)));
  EXPECT_TRUE(participant.transport.wait_ready(milliseconds(60'000)));
}

TEST_F(Credentials, AnUnusableOneLeavesTheConnectionAlone) {
  const std::string name = "kept-" + random_hex32().substr(0, 8);
  put(file_, issuer_->token(name, seconds(3600)));
  Participant participant(settings(name, true));
  ASSERT_TRUE(participant.start());
  for (const std::string& bad :
       {std::string("not a token"), std::string(), std::string(100'000, 'x'), issuer_->token(name, seconds(-60))}) {
    const auto before = participant.transport.counters().refused_credentials;
    put(file_, bad);
    ASSERT_TRUE(eventually([&] { return participant.transport.counters().refused_credentials > before; }))
        << bad.substr(0, 20);
    EXPECT_EQ(participant.publish(MessageType::event, "t", "{}").outcome, Outcome::confirmed);
  }
  std::filesystem::remove(file_);
  const auto before = participant.transport.counters().refused_credentials;
  ASSERT_TRUE(eventually([&] { return participant.transport.counters().refused_credentials > before; }));
  EXPECT_EQ(participant.publish(MessageType::event, "t", "{}").outcome, Outcome::confirmed);
  put(file_, issuer_->token(name, seconds(3601)));
  EXPECT_TRUE(eventually([&] { return participant.transport.counters().handovers == 1; }));
  for (const auto& [state, detail] : participant.seen().states) EXPECT_EQ(state, State::ready) << detail;
}

TEST_F(Credentials, APasswordOfAnOrdinaryUser) {
  const std::string name = "user-" + random_hex32().substr(0, 8);
  broker_->run("ctl --quiet add_user " + name + " first");
  broker_->run("ctl --quiet set_permissions " + name + " '.*' '.*' '.*'");
  put(file_, "first");
  auto with = settings(name, true);
  with.urls[0].user = name;
  with.urls[0].password = "not this";
  Participant participant(with);
  const auto up = participant.start();
  ASSERT_TRUE(up) << up.error().text();
  broker_->run("ctl --quiet change_password " + name + " second");
  broker_->run("ctl --quiet close_all_connections renewed");
  ASSERT_TRUE(participant.sees([](const auto& s) {
    return s.states.back().first == State::away && s.states.back().second.find("refused") != std::string::npos;
  }));
  put(file_, "second");
  EXPECT_TRUE(participant.sees([](const auto& s) { return s.states.back().first == State::ready; }));
}

}  // namespace
}  // namespace nuropb::mesh
