// The errors that a user sees if a connection can't be made: each kind of failure by name.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <future>
#include <thread>

#include "common/ids.hpp"
#include "meshd/amqp/connection.hpp"
#include "meshd/mesh/api.hpp"
#include "shm/unique_fd.hpp"
#include "tests/integration/mesh/private_broker.hpp"
#include "tests/integration/mesh/settings.hpp"

namespace nuropb::mesh {
namespace {

/// Accepts connections, sends one text to each, and closes it or leaves it open.
class NotAMQP {
 public:
  NotAMQP(std::string says, bool closes)
      : says_(std::move(says)), closes_(closes), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_.get(), 8) != 0)
      throw std::runtime_error("no port");
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~NotAMQP() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  void serve() {
    std::vector<shm::UniqueFd> open;
    for (;;) {
      shm::UniqueFd peer(::accept(listener_.get(), nullptr, nullptr));
      if (!peer) return;
      (void)!::send(peer.get(), says_.data(), says_.size(), MSG_NOSIGNAL);
      if (!closes_) open.push_back(std::move(peer));
    }
  }
  std::string says_;
  bool closes_;
  shm::UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TransportSettings settings_for(const amqp::Url& url) {
  TransportSettings out;
  out.urls = {url};
  out.service_name = "connection-test";
  out.instance_id = random_hex32();
  out.client_only = true;
  out.connect_timeout = milliseconds(400);
  return out;
}

/// The reason of the refusal; waits longer if it has not been reported by then.
std::string refusal(const TransportSettings& settings, const std::string& part,
                    milliseconds patience = milliseconds(3000)) {
  Api api(settings);
  return reason_with(api.transport(), api.start(patience), part);
}
std::string welcome(const TransportSettings& settings) {
  Api api(settings);
  const auto up = api.start(milliseconds(60'000));
  return up ? "connected" : up.error().text();
}

TEST(Connection, PortsThatAreNotAMQP) {
  struct Row {
    std::string says;
    bool closes;
    bool tls;
  };
  for (const Row& row :
       {Row{"HTTP/1.1 400 Bad Request\r\n\r\n", true, false}, Row{"HTTP/1.1 400 Bad Request\r\n\r\n", false, false},
        Row{"", true, false}, Row{"", false, false}, Row{std::string(100'000, '\0'), false, false},
        Row{"SSH-2.0-x\r\n", true, true}, Row{"", true, true}}) {
    const NotAMQP server(row.says, row.closes);
    amqp::Url url;
    url.host = "127.0.0.1";
    url.port = server.port();
    url.tls = row.tls;
    url.password = "hunter2";
    const std::string wanted = row.tls ? "TLS" : "AMQP";
    const auto text = refusal(settings_for(url), wanted, milliseconds(1000));
    EXPECT_NE(text.find(wanted), std::string::npos) << row.says.substr(0, 8) << row.closes << ": " << text;
    EXPECT_EQ(text.find("hunter2"), std::string::npos);
  }
}

/// A broker with a certificate of a test CA, for the name localhost.
class Tls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = (std::filesystem::temp_directory_path() / "nuropb-tls.XXXXXX").string();
    ASSERT_TRUE(::mkdtemp(name.data()));
    folder_ = name;
    const std::string make = "cd " + folder_ + R"( && {
      openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.pem -subj '/CN=Test authority' &&
      openssl req -newkey rsa:2048 -nodes -keyout broker.key -out broker.csr -subj '/CN=localhost' &&
      printf 'subjectAltName=DNS:localhost\n' >extensions &&
      openssl x509 -req -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out broker.pem &&
      openssl req -newkey rsa:2048 -nodes -keyout client.key -out client.csr -subj '/CN=gateway' &&
      openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out client.pem &&
      openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout other.key -out other.pem -subj '/CN=Another authority'
    } >/dev/null 2>&1)";
    ASSERT_EQ(std::system(make.c_str()), 0) << "openssl";
    broker_ = std::make_unique<PrivateBroker>("--tls " + folder_ + "/broker.pem " + folder_ + "/broker.key " + folder_ +
                                              "/ca.pem");
  }
  static void TearDownTestSuite() {
    broker_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  static TransportSettings settings(const std::string& authority) {
    auto url = *amqp::parse_url(broker_->url("--tls"));
    auto out = settings_for(url);
    out.connect_timeout = milliseconds(5000);
    if (!authority.empty()) out.ca_file = folder_ + "/" + authority;
    return out;
  }
  static void expect_refusal(const TransportSettings& settings, const std::string& part) {
    const auto text = refusal(settings, part);
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  static std::string folder_;
  static std::unique_ptr<PrivateBroker> broker_;
};
std::string Tls::folder_;
std::unique_ptr<PrivateBroker> Tls::broker_;

TEST_F(Tls, ByTheRightAuthority) {
  Api api(settings("ca.pem"));
  const auto up = api.start();
  ASSERT_TRUE(up) << up.error().text();
  // More than one TLS record, and more than fits into a send buffer.
  ServiceHost host("tls-echo", "1");
  host.raw_method("echo", {.any_parameters = true}, [](std::string_view params) { return std::string(params); });
  auto served = settings("ca.pem");
  served.client_only = false;
  served.service_name = "tls-echo";
  Api service(served);
  service.serve(host);
  ASSERT_TRUE(service.start());
  const nlohmann::json params = {{"text", std::string(5 << 20, 'x')}};
  EXPECT_TRUE(api.request("tls-echo", "echo", params).get() == Answer(params));
}

TEST_F(Tls, AClientCertificateWhereTheBrokerAsksForOne) {
  const PrivateBroker strict("--tls " + folder_ + "/broker.pem " + folder_ + "/broker.key " + folder_ +
                             "/ca.pem --config-line 'ssl_options.verify = verify_peer' --config-line "
                             "'ssl_options.fail_if_no_peer_cert = true'");
  auto with = settings("ca.pem");
  with.urls = {*amqp::parse_url(strict.url("--tls"))};
  with.certificate_file = folder_ + "/client.pem";
  with.key_file = folder_ + "/client.key";
  EXPECT_EQ(welcome(with), "connected");
  auto without = with;
  without.certificate_file = without.key_file = "";
  expect_refusal(without, "certificate");
  auto stranger = with;
  stranger.certificate_file = folder_ + "/other.pem";
  stranger.key_file = folder_ + "/other.key";
  expect_refusal(stranger, "certificate");
  auto mixed = with;
  mixed.key_file = folder_ + "/other.key";
  expect_refusal(mixed, "certificate or key can't be used");
}

TEST_F(Tls, TheBrokersNameIsSentForIt) {
  // A listener that reads only the server name (SNI), like a proxy in front of several brokers.
  const shm::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  auto named = std::async(std::launch::async, [&] {
    // If the name has several addresses, the first connection may be only a probe of this one.
    shm::UniqueFd peer;
    for (char first = 0; !peer || ::recv(peer.get(), &first, 1, MSG_PEEK) != 1;)
      peer.reset(::accept(listener.get(), nullptr, nullptr));
    SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_file(context, (folder_ + "/broker.pem").c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context, (folder_ + "/broker.key").c_str(), SSL_FILETYPE_PEM);
    SSL* const tls = SSL_new(context);
    SSL_set_fd(tls, peer.get());
    SSL_accept(tls);
    const char* const name = SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
    std::string out = name ? name : "(none)";
    SSL_free(tls);
    SSL_CTX_free(context);
    return out;
  });
  amqp::Url url;
  url.tls = true;
  url.host = "localhost";
  url.port = ntohs(address.sin_port);
  amqp::ConnectionSettings with;
  with.ca_file = folder_ + "/ca.pem";
  with.timeout = milliseconds(5000);
  const auto opened = amqp::Connection::open(url, with);
  ASSERT_FALSE(opened);
  EXPECT_EQ(named.get(), "localhost") << opened.error().text();
}

TEST_F(Tls, WhatIsWrongIsSaid) {
  expect_refusal(settings("other.pem"), "not signed by a trusted authority");
  expect_refusal(settings(""), "not signed by a trusted authority");
  expect_refusal(settings("no-such-file.pem"), "can't be read as PEM");
  auto address = settings("ca.pem");
  address.urls[0].host = "127.0.0.1";
  expect_refusal(address, "not for '127.0.0.1'");
  address.verify_peer = false;
  EXPECT_EQ(welcome(address), "connected") << "asked not to look";
  auto plain = settings("ca.pem");
  plain.urls[0].tls = false;
  plain.connect_timeout = milliseconds(1000);
  expect_refusal(plain, "TLS");
}

}  // namespace
}  // namespace nuropb::mesh
