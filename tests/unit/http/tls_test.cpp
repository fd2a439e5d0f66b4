// TLS: trusting the server, and authenticating ourselves.

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "meshd/http/client.hpp"
#include "tests/unit/http/certificates.hpp"
#include "tests/unit/http/environment.hpp"
#include "tests/unit/http/keeping_server.hpp"

namespace nuropb::http {
namespace {

using namespace std::chrono_literals;
using Heard = KeepingServer::Heard;

struct HttpTls : testing::Test {
  HttpTls() {
    ::signal(SIGPIPE, SIG_IGN);  // as all our programs do
    char pattern[] = "/tmp/nuropb-http-tls-XXXXXX";
    folder = ::mkdtemp(pattern);
    authority = make_certificate(folder, "authority", "");
    stranger = make_certificate(folder, "stranger", "");
    ours = make_certificate(folder, "ours", "DNS:gateway", &authority);
    context = server_context("DNS:localhost");
  }
  ~HttpTls() override { std::filesystem::remove_all(folder); }

  std::unique_ptr<SSL_CTX, FreeOpenSsl> server_context(const std::string& names) {
    const Certificate its = make_certificate(folder, "server", names, &authority);
    std::unique_ptr<SSL_CTX, FreeOpenSsl> out(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_use_certificate(out.get(), its.certificate.get());
    SSL_CTX_use_PrivateKey(out.get(), its.key.get());
    return out;
  }
  static KeepingServer::Say hello(const Heard&) { return KeepingServer::answer("hello"); }
  static Result<Response> ask(const Url& url, const Tls& tls) {
    return Client({url, tls}).send({"GET", "/", "", {}}, 30s);
  }

  std::filesystem::path folder;
  Certificate authority, stranger, ours;
  std::unique_ptr<SSL_CTX, FreeOpenSsl> context;
};

TEST_F(HttpTls, TheAuthorityOfTheFileIsTrustedAndTheConnectionKept) {
  KeepingServer server(hello, context.get());
  Client client({server.url("localhost"), {authority.certificate_file, {}, {}}});
  for (int i = 0; i < 2; ++i) {
    const auto answer = client.send({"GET", "/", "", {}}, 30s);
    ASSERT_TRUE(answer) << answer.error().text();
    EXPECT_EQ(answer->body, "hello");
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpTls, TheSystemsAuthoritiesAreThoseOfOpenSsl) {
  KeepingServer server(hello, context.get());
  EXPECT_FALSE(ask(server.url("localhost"), {}));
  const Environment environment{{"SSL_CERT_FILE", authority.certificate_file}};
  const auto answer = ask(server.url("localhost"), {});
  ASSERT_TRUE(answer) << answer.error().text();
}

TEST_F(HttpTls, OthersAreNotTrusted) {
  KeepingServer server(hello, context.get());
  const std::string not_trusted = "the server's certificate is not trusted, or not for '";
  EXPECT_EQ(ask(server.url("localhost"), {stranger.certificate_file, {}, {}}).error().what, not_trusted + "localhost'");
  EXPECT_EQ(ask(server.url("127.0.0.1"), {authority.certificate_file, {}, {}}).error().what,
            not_trusted + "127.0.0.1'");
  EXPECT_TRUE(server.heard().empty()) << "nothing is sent before";
  EXPECT_TRUE(ask(server.url("127.0.0.1"), {stranger.certificate_file, {}, {}, false}))
      << "unless verification is disabled";
}

TEST_F(HttpTls, AnAddressIsANameToo) {
  const auto by_address = server_context("IP:127.0.0.1");
  KeepingServer server(hello, by_address.get());
  const auto answer = ask(server.url("127.0.0.1"), {authority.certificate_file, {}, {}});
  EXPECT_TRUE(answer) << answer.error().text();
}

TEST_F(HttpTls, OurOwnCertificateIsShown) {
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_load_verify_file(context.get(), authority.certificate_file.c_str());
  KeepingServer server(hello, context.get());
  const Url url = server.url("localhost");
  const auto answer = ask(url, {authority.certificate_file, ours.certificate_file, ours.key_file});
  EXPECT_TRUE(answer) << answer.error().text();
  EXPECT_FALSE(ask(url, {authority.certificate_file, {}, {}}));
}

TEST_F(HttpTls, FilesThatAreNoCertificatesAreNamed) {
  KeepingServer server(hello, context.get());
  const std::string text = folder / "text";
  std::ofstream(text) << "no certificate";
  const auto error = [&](const Tls& tls) { return ask(server.url("localhost"), tls).error().text(); };
  EXPECT_NE(error({text, {}, {}}).find(text + ": can't be read as PEM certificates"), std::string::npos)
      << error({text, {}, {}});
  EXPECT_NE(error({text + "-not", {}, {}}).find(text + "-not: can't be read as PEM"), std::string::npos)
      << error({text + "-not", {}, {}});
  const Tls bad_certificate{authority.certificate_file, text, ours.key_file};
  EXPECT_NE(error(bad_certificate).find(text + ": can't be read as a PEM certificate"), std::string::npos)
      << error(bad_certificate);
  for (const std::string& key : {text, stranger.key_file}) {
    const Tls bad_key{authority.certificate_file, ours.certificate_file, key};
    EXPECT_NE(error(bad_key).find(key + ": is not the PEM key of the certificate"), std::string::npos)
        << error(bad_key);
  }
}

TEST_F(HttpTls, APortWithoutTlsAndOneWithItAskedPlainly) {
  KeepingServer plain([](const Heard&) { return KeepingServer::Say{"no", true}; }), secured(hello, context.get());
  Url url = plain.url("localhost");
  url.tls = true;
  Client silent({url, {}});
  const auto silence = silent.send({"GET", "/", "", {}}, 100ms);
  EXPECT_EQ(silence.error().what, "no answer in time while the TLS handshake") << silence.error().text();
  url = secured.url("localhost");
  url.tls = false;
  EXPECT_FALSE(ask(url, {}));
}

}  // namespace
}  // namespace nuropb::http
