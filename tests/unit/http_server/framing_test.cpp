#include "common/http/framing.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace nuropb {
namespace {

/// The framing of a head with these headers; most of the rules are rows of tests/unit/data/http_rules.json.
Framing framing(std::vector<RequestHead::Header> headers, std::uint64_t largest = 1000, bool old = false) {
  RequestHead head;
  head.headers = std::move(headers);
  head.old = old;
  return framing_of(head, largest);
}

TEST(Framing, LengthsAndChunks) {
  EXPECT_EQ(framing({}).length, 0U);
  EXPECT_EQ(framing({{"content-length", "1000"}}).length, 1000U);
  EXPECT_EQ(framing({{"Content-Length", "007, 7"}, {"Content-Length", "7"}}).length, 7U);
  EXPECT_FALSE(framing({{"Content-Length", "7"}}).chunked);
  EXPECT_TRUE(framing({{"transfer-encoding", "CHUNKED"}}).chunked);
}

TEST(Framing, IsBounded) {
  EXPECT_EQ(framing({{"Content-Length", "1001"}}).status, 413);
  EXPECT_EQ(framing({{"Content-Length", "1001"}}, 1001).status, 0);
  EXPECT_EQ(framing({{"Content-Length", "18446744073709551616"}}).status, 413) << "2^64";
  constexpr auto all = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(framing({{"Content-Length", "18446744073709551615"}}, all).length, all);
  EXPECT_EQ(framing({{"Content-Length", "0"}}, 0).status, 0);
  EXPECT_EQ(framing({{"Transfer-Encoding", "chunked"}}, 0).status, 413);
}

TEST(Framing, NothingThatTwoServersCouldReadDifferently) {
  EXPECT_EQ(framing({{"Transfer-Encoding", "chunked"}, {"Content-Length", "0"}}).status, 400);
  EXPECT_EQ(framing({{"Transfer-Encoding", "chunked"}}, 1000, true).status, 400) << "HTTP/1.0";
  EXPECT_EQ(framing({{"Transfer-Encoding", ""}, {"Transfer-Encoding", "chunked"}}).status, 400);
  EXPECT_EQ(framing({{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}).status, 400);
  EXPECT_EQ(framing({{"Transfer-Encoding", "xchunked"}}).status, 400);
  EXPECT_EQ(framing({{"Transfer-Encoding", "gzip"}, {"Transfer-Encoding", "chunked"}}).status, 501);
  EXPECT_EQ(framing({{"Content-Length", "1"}, {"Content-Length", "2"}}).status, 400);
  EXPECT_EQ(framing({{"Content-Length", "1 "}}).status, 0) << "white space around an element";
  EXPECT_EQ(framing({{"Content-Length", "1;"}}).status, 400);
}

}  // namespace
}  // namespace nuropb
