#include "common/http/request_head.hpp"

#include <gtest/gtest.h>

namespace nuropb {
namespace {

constexpr HeadLimits limits{100, 600, 10};

std::string get(const std::string& headers, const std::string& line = "GET /websocket HTTP/1.1") {
  return line + "\r\nHost: gw.test\r\n" + headers + "\r\n";
}

/// The result of a target and a Host header: the host, and the requested resource.
TEST(RequestHead, TargetsAndHosts) {
  struct Row {
    std::string bytes, host, path, query;
  };
  const Row rows[] = {
      {get(""), "gw.test", "/websocket", ""},
      {get("", "GET /a?b=c?d HTTP/1.1"), "gw.test", "/a", "b=c?d"},
      {get("", "GET http://other.test:81/healthz?x HTTP/1.1"), "other.test:81", "/healthz", "x"},
      {get("", "GET http://other.test?x HTTP/1.1"), "other.test", "/", "x"},
      {get("", "GET http://[::1]:8880 HTTP/1.1"), "[::1]:8880", "/", ""},
      {"GET /healthz HTTP/1.0\r\n\r\n", "", "/healthz", ""},
      {"GET http://a.test/ HTTP/1.0\r\n\r\n", "a.test", "/", ""},
      {"\r\nGET /a HTTP/1.1\r\nhOST:  b \r\n\r\n", "b", "/a", ""},
  };
  for (const Row& row : rows) {
    const RequestHead head = parse_request_head(row.bytes, limits);
    ASSERT_EQ(head.what, RequestHead::What::complete) << row.bytes << head.reason;
    EXPECT_EQ(head.host(), row.host) << row.bytes;
    EXPECT_EQ(head.path, row.path) << row.bytes;
    EXPECT_EQ(head.query, row.query) << row.bytes;
    EXPECT_EQ(head.length, row.bytes.size());
  }
}

/// RFC 9110, section 7.6.1 and 7.8; RFC 6455, section 4.2.1: lists of case-insensitive names.
TEST(RequestHead, WhoAsksForAWebSocket) {
  const std::pair<const char*, bool> rows[] = {
      {"Connection: Upgrade\r\nUpgrade: websocket\r\n", true},
      {"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n", true},
      {"CONNECTION: UPGRADE,keep-alive\r\nUPGRADE: h2c , WEBSOCKET\r\n", true},
      {"Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n", true},
      {"Connection: keep-alive\r\nUpgrade: websocket\r\n", false},
      {"Connection: Upgrade\r\n", false},
      {"Connection: upgrades\r\nUpgrade: websocket\r\n", false},
      {"Connection: Upgrade\r\nUpgrade: notwebsocket\r\n", false},
      {"", false},
  };
  for (const auto& [headers, wants] : rows) {
    const std::string bytes = get(headers);
    EXPECT_EQ(parse_request_head(bytes, limits).wants_websocket(), wants) << headers;
  }
  const std::string old = get("Connection: Upgrade\r\nUpgrade: websocket\r\n", "GET / HTTP/1.0");
  EXPECT_FALSE(parse_request_head(old, limits).wants_websocket()) << "HTTP/1.0 knows no Upgrade";
}

TEST(RequestHead, LinesOfOneNameAreJoined) {
  const std::string bytes = get("Cookie: a=1\r\nX: b\r\ncookie: c=2; d=3\r\nx: c\r\n");
  const RequestHead head = parse_request_head(bytes, limits);
  EXPECT_EQ(head.header("COOKIE"), "a=1; c=2; d=3") << "RFC 9113, section 8.2.3";
  EXPECT_EQ(head.header("X"), "b, c");
  EXPECT_EQ(head.header("none"), "");
  const std::string with_empty = get("Cookie:\r\nCookie: a=1\r\nCookie:\r\nY:\r\n");
  EXPECT_EQ(parse_request_head(with_empty, limits).header("Cookie"), "a=1");
  EXPECT_EQ(parse_request_head(with_empty, limits).header("Y"), "");
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
    EXPECT_EQ(head.path, "/websocket");
    EXPECT_TRUE(head.has("a"));
    EXPECT_FALSE(head.has("b"));
    break;
  }
}

}  // namespace
}  // namespace nuropb
