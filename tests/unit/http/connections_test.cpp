// Connections: reuse for the next request, and proxies.

#include <gtest/gtest.h>

#include "meshd/http/client.hpp"
#include "tests/unit/http/environment.hpp"
#include "tests/unit/http/keeping_server.hpp"

namespace nuropb::http {
namespace {

using namespace std::chrono_literals;
using Heard = KeepingServer::Heard;

KeepingServer::Say hello(const Heard&) { return KeepingServer::answer("hello"); }

/// A host that can only be reached through a proxy.
Url elsewhere(const char* text = "http://issuer.invalid/keys?p=1") { return *parse_url(text); }

std::string proxy_at(const KeepingServer& proxy, const std::string& login = {}) {
  return "http://" + login + "127.0.0.1:" + std::to_string(proxy.port());
}

TEST(HttpConnections, OneIsKeptForTheNextRequest) {
  KeepingServer server(hello);
  Client client({server.url(), {}});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.send({"POST", "/", "{}", {}}, 30s)->body, "hello");
  EXPECT_EQ(server.heard().size(), 3U);
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(server.heard()[2].head.find("Connection: close"), std::string::npos);
}

TEST(HttpConnections, OrNotWhereRequestsAreFarApart) {
  KeepingServer server(hello);
  Client client({server.url(), {}, 1000, false});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(client.send({"GET", "/", "", {}}, 30s)->body, "hello");
  EXPECT_EQ(server.connections(), 2);
  EXPECT_NE(server.heard()[0].head.find("Connection: close\r\n"), std::string::npos);
}

TEST(HttpConnections, OneThatTheServerHasClosedIsReplaced) {
  KeepingServer server(hello);
  Client client({server.url(), {}});
  EXPECT_TRUE(client.send({"POST", "/", "1", {}}, 30s));
  server.hang_up();
  const auto answer = client.send({"POST", "/", "2", {}}, 30s);
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(answer->body, "hello");
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpConnections, ARequestThatAKeptOneLosesIsSentOnceMore) {
  KeepingServer server([](const Heard& heard) {
    // The second request is read, and the connection closed without a response: it looks as if it had been closed
    // before.
    return heard.body == "2" && heard.connection == 1 ? KeepingServer::Say{"", true}
                                                      : KeepingServer::answer(heard.body);
  });
  Client client({server.url(), {}});
  EXPECT_EQ(client.send({"POST", "/", "1", {}}, 30s)->body, "1");
  const auto answer = client.send({"POST", "/", "2", {}}, 30s);
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(answer->body, "2");
}

TEST(HttpConnections, ANewOneThatIsClosedWithoutAnAnswerIsAnError) {
  KeepingServer server([](const Heard&) { return KeepingServer::Say{"", true}; });
  Client client({server.url(), {}});
  EXPECT_EQ(client.send({"POST", "/", "1", {}}, 30s).error().what, "the connection was closed without an answer");
  EXPECT_EQ(server.heard().size(), 1U);
}

TEST(HttpConnections, AfterAnAnswerThatIsTooLargeOrLateTheNextIsFresh) {
  KeepingServer server([](const Heard& heard) {
    if (heard.body == "late") return KeepingServer::Say{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"};
    return KeepingServer::answer(heard.body == "large" ? std::string(2000, 'x') : heard.body);
  });
  Client client({server.url(), {}, 1000});
  EXPECT_EQ(client.send({"POST", "/", "large", {}}, 30s).error().what, "the answer is too large");
  EXPECT_EQ(client.send({"POST", "/", "1", {}}, 30s)->body, "1");
  EXPECT_EQ(client.send({"POST", "/", "late", {}}, 100ms).error().what, "no answer in time while reading the answer");
  EXPECT_EQ(client.send({"POST", "/", "2", {}}, 30s)->body, "2");
}

TEST(HttpConnections, TargetsAreSentByteForByte) {
  KeepingServer server(hello);
  for (const char* target : {"/keys?p=B2C_1_Sign-In", "/keys?p=a%2Fb&q=c+d;e=$1!*'()@:/?", "/realms/a@b:c/(x)=y;v=1,2",
                             "/a%2fb/../c//d/./", "//a", "/?", "/keys?", "/", "/%7e%41", "/?x=http://other/y"}) {
    const auto url = parse_url("http://127.0.0.1:" + std::to_string(server.port()) + target);
    ASSERT_TRUE(url) << target;
    Client client({*url, {}});
    ASSERT_TRUE(client.send({"GET", "", "", {}}, 30s)) << target;
    const std::string head = server.heard().back().head;
    EXPECT_EQ(head.substr(0, head.find("\r\n")), "GET " + std::string(target) + " HTTP/1.1");
  }
  Client no_path({*parse_url("http://127.0.0.1:" + std::to_string(server.port()) + "?p=1"), {}});
  ASSERT_TRUE(no_path.send({"GET", "", "", {}}, 30s));
  EXPECT_EQ(server.heard().back().head.find("GET /?p=1 HTTP/1.1\r\n"), 0U) << server.heard().back().head;
}

TEST(HttpConnections, ALargeBodyIsSentWithoutAsking) {
  KeepingServer server([](const Heard& heard) { return KeepingServer::answer(std::to_string(heard.body.size())); });
  Client client({server.url(), {}});
  EXPECT_EQ(client.send({"POST", "/", std::string(3U << 20, 'x'), {}}, 30s)->body, std::to_string(3U << 20));
  EXPECT_EQ(server.heard()[0].head.find("Expect"), std::string::npos);
  EXPECT_EQ(client.send({"POST", "/", "", {}}, 30s)->body, "0");
  EXPECT_EQ(server.heard()[1].head.find("Content-Type"), std::string::npos);
  EXPECT_NE(server.heard()[1].head.find("Content-Length: 0\r\n"), std::string::npos);
}

TEST(HttpConnections, NoRedirectIsFollowed) {
  for (const char* to : {"/elsewhere", "file:///etc/passwd"}) {
    KeepingServer server([&](const Heard&) {
      return KeepingServer::Say{std::string("HTTP/1.1 302 Found\r\nLocation: ") + to + "\r\nContent-Length: 0\r\n\r\n"};
    });
    Client client({server.url(), {}});
    const auto answer = client.send({"GET", "/", "", {}}, 30s);
    ASSERT_TRUE(answer) << answer.error().text();
    EXPECT_EQ(answer->status, 302U);
    EXPECT_EQ(answer->body, "");
    EXPECT_EQ(server.heard().size(), 1U);
  }
}

TEST(HttpProxies, TheEnvironmentNamesThem) {
  KeepingServer proxy(hello);
  const Environment environment{{"http_proxy", proxy_at(proxy, "ann:s3cret@")}};
  Client client({elsewhere(), {}});
  const auto answer = client.send({"GET", "", "", {}}, 30s);
  ASSERT_TRUE(answer) << answer.error().text();
  const std::string head = proxy.heard().at(0).head;
  EXPECT_EQ(head.find("GET http://issuer.invalid/keys?p=1 HTTP/1.1\r\n"), 0U) << head;
  EXPECT_NE(head.find("Host: issuer.invalid\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("Proxy-Authorization: Basic YW5uOnMzY3JldA==\r\n"), std::string::npos) << head;
}

TEST(HttpProxies, HttpsGoesThroughATunnelThatLearnsNothing) {
  KeepingServer proxy([](const Heard&) { return KeepingServer::Say{"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"}; });
  const Environment environment{{"https_proxy", proxy_at(proxy, "ann:s3cret@")}};
  Client client({elsewhere("https://bob:pass@issuer.invalid/keys?code=1"), {}});
  const auto answer = client.send({"GET", "", "", {{"X-Own", "1"}}}, 30s);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().what, "the proxy answers CONNECT with status 407");
  EXPECT_EQ(answer.error().text().find("s3cret"), std::string::npos) << answer.error().text();
  EXPECT_EQ(answer.error().text().find("pass"), std::string::npos) << answer.error().text();
  const std::string head = proxy.heard().at(0).head;
  EXPECT_EQ(head.find("CONNECT issuer.invalid:443 HTTP/1.1\r\n"), 0U) << head;
  for (const char* secret : {"X-Own", "keys", "\r\nAuthorization"})
    EXPECT_EQ(head.find(secret), std::string::npos) << head;
}

TEST(HttpProxies, NotToHostsOfNoProxyNorToOurOwn) {
  KeepingServer proxy(hello), server(hello);
  const Environment environment{{"http_proxy", proxy_at(proxy)}, {"no_proxy", "other.example,.invalid"}};
  Client by_itself({elsewhere(), {}});
  EXPECT_FALSE(by_itself.send({"GET", "", "", {}}, 30s)) << "its name can't be resolved";
  for (const char* own : {"127.0.0.1", "localhost"}) {
    Client client({server.url(own), {}});
    EXPECT_TRUE(client.send({"GET", "/", "", {}}, 30s)) << own;
  }
  EXPECT_EQ(proxy.connections(), 0);
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpProxies, WhatIsWrongWithOneIsSaidWithoutItsPassword) {
  for (const char* proxy : {"http://ann:s3cret@127.0.0.1:1", "http://ann:s3cret@no-such-proxy.invalid:1",
                            "odd://ann:s3cret@h", "http://ann:s3cret@:x:y"}) {
    const Environment environment{{"http_proxy", proxy}};
    Client client({elsewhere(), {}});
    const auto answer = client.send({"GET", "", "", {}}, 30s);
    ASSERT_FALSE(answer);
    EXPECT_NE(answer.error().what.find("the proxy that http_proxy names"), std::string::npos) << answer.error().text();
    EXPECT_NE(answer.error().hint.find("http_proxy names a proxy"), std::string::npos) << answer.error().text();
    EXPECT_EQ(answer.error().text().find("s3cret"), std::string::npos) << answer.error().text();
  }
}

}  // namespace
}  // namespace nuropb::http
