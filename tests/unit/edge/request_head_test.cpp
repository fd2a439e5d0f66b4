#include "edge/request_head.hpp"

#include <gtest/gtest.h>

namespace nuropb::edge {
namespace {

using namespace std::string_literals;

constexpr HeadLimits limits{100, 600, 10};

std::string get(const std::string& headers, const std::string& line = "GET /websocket HTTP/1.1") {
  return line + "\r\nHost: gw.test\r\n" + headers + "\r\n";
}

TEST(RequestHead, Table) {
  struct Row {
    std::string bytes;
    int status;  // 0: complete, 1: incomplete
  };
  const Row rows[] = {
      {get(""), 0},
      {get("Content-Length: 0\r\n"), 0},
      {get("") + "\x81\x80rubbish behind it", 0},
      {"GET /healthz HTTP/1.0\r\n\r\n", 0},
      {"GET / HTTP/1.1\r\n\r\n", 400},  // no Host
      {get("Host: evil.test\r\n"), 400},
      {get("Content-Length: 5\r\n") + "hello", 413},
      {get("Content-Length: 0\r\ncontent-length: 5\r\n"), 413},
      {get("Content-Length: +0\r\n"), 413},
      {get("Transfer-Encoding: chunked\r\n"), 413},
      {get("Origin: https://a.test\r\nOrigin: https://b.test\r\n"), 400},
      {get("Sec-WebSocket-Key: a\r\nsec-websocket-key: b\r\n"), 400},
      {get("Folded: a\r\n b\r\n"), 400},
      {get("No colon\r\n"), 400},
      {get("Space : a\r\n"), 400},
      {get(": a\r\n"), 400},
      {get("Nul: a\0b\r\n"s), 400},
      {get("Feed: a\nHost: b\r\n"), 400},
      {get("Return: a\rb\r\n"), 400},
      {get("", "GET  /websocket HTTP/1.1"), 400},
      {get("", "GET /web socket HTTP/1.1"), 400},
      {get("", "GET /web\tsocket HTTP/1.1"), 400},
      {get("", "/websocket HTTP/1.1"), 400},
      {get("", "GET /websocket"), 400},
      {get("", "G(T /websocket HTTP/1.1"), 400},
      {get("", "GET /websocket HTTP/2.0"), 505},
      {get("", "GET /websocket HTTP/1.10"), 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"\x16\x03\x01\x02", 400},  // TLS, where it is not spoken
      {"\r\n\r\n", 400},
      {get("", "GET /" + std::string(100, 'x') + " HTTP/1.1"), 414},
      {"GET /" + std::string(200, 'x'), 414},  // before its end is there
      {get("X: " + std::string(600, 'x') + "\r\n"), 431},
      {"GET / HTTP/1.1\r\nX: " + std::string(600, 'x'), 431},
      {get("A:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n"), 0},
      {get("A:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n"), 431},
      {"", 1},
      {"GET / HT", 1},
      {"GET / HTTP/1.1\r\nHost: a\r\n", 1},
      {"GET / HTTP/1.1\nHost: a\n\n", 1},  // bare line feeds end nothing
  };
  for (const Row& row : rows) {
    const RequestHead head = parse_request_head(row.bytes, limits);
    const int outcome = head.what == RequestHead::What::complete     ? 0
                        : head.what == RequestHead::What::incomplete ? 1
                                                                     : head.status;
    EXPECT_EQ(outcome, row.status) << row.bytes << " " << head.reason;
  }
}

TEST(RequestHead, IsTheSameHoweverItIsCutUp) {
  const std::string bytes = get("A: b\r\nSec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: y\r\n") + "more";
  std::size_t searched = 0;
  for (std::size_t n = 1; n <= bytes.size(); ++n) {
    const RequestHead head = parse_request_head(std::string_view(bytes).substr(0, n), limits, searched);
    searched = n;
    if (n < bytes.size() - 4) {
      ASSERT_EQ(head.what, RequestHead::What::incomplete) << n;
      continue;
    }
    ASSERT_EQ(head.what, RequestHead::What::complete);
    EXPECT_EQ(head.length, bytes.size() - 4);
    EXPECT_EQ(head.header("sec-websocket-PROTOCOL"), "x, y");
    EXPECT_EQ(head.target, "/websocket");
    EXPECT_TRUE(head.has("a"));
    EXPECT_FALSE(head.has("b"));
    break;
  }
}

TEST(RequestHead, Hosts) {
  struct Row {
    const char* header;
    std::vector<std::string> allowed;
    bool passes;
  };
  const Row rows[] = {
      {"anything.at.all", {}, true},
      {"gw.test", {"gw.test"}, true},
      {"GW.test:8443", {"gw.TEST"}, true},
      {"gw.test.", {"gw.test"}, true},
      {"a.gw.test", {"gw.test"}, false},
      {"a.gw.test", {".gw.test"}, true},
      {"gw.test", {".gw.test"}, true},
      {"evilgw.test", {".gw.test"}, false},
      {"gw.test.evil.org", {"gw.test", ".gw.test"}, false},
      {"127.0.0.1:80", {"127.0.0.1"}, true},
      {"[::1]:80", {"[::1]"}, true},
      {"[::1", {"[::1]"}, false},
      {"::1", {"[::1]"}, false},
      {"gw.test:80x", {"gw.test"}, false},
      {"gw.test:80:81", {"gw.test"}, false},
      {"user@gw.test", {"gw.test"}, false},
      {"", {"gw.test"}, false},
      {"gw.test", {"."}, false},
  };
  for (const Row& row : rows) EXPECT_EQ(host_allowed(row.header, row.allowed), row.passes) << row.header;
}

}  // namespace
}  // namespace nuropb::edge
