#include "common/http/canonical_head.hpp"

#include <gtest/gtest.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace nuropb {
namespace {

constexpr HeadLimits limits{100, 600, 10};

std::string get(const std::string& headers, const std::string& line = "GET /websocket HTTP/1.1") {
  return line + "\r\nHost: gw.test\r\n" + headers + "\r\n";
}

TEST(CanonicalHead, IsOneFormOfWhateverCame) {
  struct Row {
    std::string bytes, canonical;
  };
  const std::string socket = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  const Row rows[] = {
      {get(""), "GET /websocket HTTP/1.1\r\nHost: gw.test\r\n\r\n"},
      {get("Connection: close\r\nContent-Length: 0\r\nA: b\r\n"),
       "GET /websocket HTTP/1.1\r\nHost: gw.test\r\nA: b\r\n\r\n"},
      {"GET /healthz HTTP/1.0\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: unnamed.invalid\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHost: unnamed.invalid\r\n\r\n"},
      {"\r\n" + get("", "GET http://a.test:81?x=1 HTTP/1.1"), "GET /?x=1 HTTP/1.1\r\nHost: a.test:81\r\n\r\n"},
      {get("upgrade: h2c, WebSocket\r\nCookie: a=1\r\nSec-WebSocket-Protocol: x\r\nconnection: keep-alive, "
           "UPGRADE\r\ncookie: "
           "b=2\r\nsec-websocket-protocol: y\r\n"),
       "GET /websocket HTTP/1.1\r\nHost: gw.test\r\n" + socket +
           "Cookie: a=1; b=2\r\nSec-WebSocket-Protocol: x, y\r\n\r\n"},
      {get("Upgrade: websocket\r\nConnection: Upgrade\r\n", "GET / HTTP/1.0"),
       "GET / HTTP/1.1\r\nHost: gw.test\r\n\r\n"},
  };
  for (const Row& row : rows) {
    const RequestHead head = parse_request_head(row.bytes, limits);
    ASSERT_EQ(head.what, RequestHead::What::complete) << row.bytes << head.reason;
    EXPECT_EQ(canonical_head(head), row.canonical);
    const std::string again = canonical_head(head);
    EXPECT_EQ(canonical_head(parse_request_head(again, limits)), again) << "it stays what it is";
  }
}

TEST(CanonicalHead, SaysOnceWhereTheBodyEnds) {
  HeadLimits with_body = limits;
  with_body.body = 1000;
  const std::string line = "POST /backend HTTP/1.1";
  const std::pair<std::string, std::string> rows[] = {
      {get("Content-Length: 05, 5\r\nExpect: 100-continue\r\nA: b\r\n", line), "Content-Length: 5\r\nA: b\r\n\r\n"},
      {get("A: b\r\ntransfer-encoding: CHUNKED\r\n", line), "Transfer-Encoding: chunked\r\nA: b\r\n\r\n"},
      {get("Content-Length: 0\r\n", line), "\r\n"},
  };
  for (const auto& [bytes, rest] : rows) {
    const RequestHead head = parse_request_head(bytes, with_body);
    ASSERT_EQ(head.what, RequestHead::What::complete) << bytes << head.reason;
    EXPECT_EQ(canonical_head(head), "POST /backend HTTP/1.1\r\nHost: gw.test\r\n" + rest);
  }
}

/// Beast's parser, which reads the body, accepts it, and finds the same end.
TEST(CanonicalHead, IsAHeadToBeast) {
  HeadLimits with_body = limits;
  with_body.body = 1000;
  for (const std::string& bytes :
       {get("Name: \xc3\xb6\xff \t x\r\nEmpty:\r\n", "BREW /\xc3\xb6?a=b?/c HTTP/1.2"), get("Content-Length: 7\r\n"),
        get("Transfer-Encoding: chunked\r\n"), std::string("GET http://a.test HTTP/1.0\r\n\r\n")}) {
    const RequestHead head = parse_request_head(bytes, with_body);
    ASSERT_EQ(head.what, RequestHead::What::complete) << bytes << head.reason;
    const std::string canonical = canonical_head(head);
    boost::beast::http::request_parser<boost::beast::http::string_body> parser;
    boost::system::error_code error;
    EXPECT_EQ(parser.put(boost::asio::buffer(canonical), error), canonical.size()) << canonical;
    EXPECT_FALSE(error) << error.message() << canonical;
    EXPECT_TRUE(parser.is_header_done());
    EXPECT_EQ(parser.is_done(), !head.chunked && head.content_length == 0) << canonical;
    EXPECT_EQ(parser.chunked(), head.chunked);
    EXPECT_EQ(parser.content_length().value_or(0), head.content_length);
  }
}

}  // namespace
}  // namespace nuropb
