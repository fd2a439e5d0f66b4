#include "edge/http_calls/body_reader.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace nuropb::edge {
namespace {

class BodyReaderTest : public ::testing::Test {
 protected:
  using What = BodyReader::What;
  static constexpr std::uint64_t most = 100;

  static BodyReader reader(const std::string& header, std::uint64_t largest = most) {
    const std::string text = "POST /call/a/b HTTP/1.1\r\nHost: x\r\n" + header + "\r\n\r\n";
    const RequestHead head = parse_request_head(text, {8192, 16384, 100, most});
    if (head.what != RequestHead::What::complete) throw std::runtime_error("not a head: " + text);
    return {head, largest};
  }
  static BodyReader chunks(std::uint64_t largest = most) { return reader("Transfer-Encoding: chunked", largest); }

  struct Read {
    What what = What::incomplete;
    std::string body, left;
    bool operator==(const Read&) const = default;
    friend std::ostream& operator<<(std::ostream& out, const Read& read) {
      return out << static_cast<int>(read.what) << " \"" << read.body << "\" then \"" << read.left << "\"";
    }
  };
  static Read in_one_piece(BodyReader reader, std::string bytes) {
    Read out;
    out.what = reader.take(bytes);
    if (out.what == What::complete) out.body = reader.body();
    out.left = std::move(bytes);
    return out;
  }
  static Read byte_by_byte(BodyReader reader, std::string_view bytes) {
    Read out;
    for (std::size_t i = 0; i < bytes.size() && out.what == What::incomplete; ++i) {
      out.left += bytes[i];
      out.what = reader.take(out.left);
      if (out.what != What::incomplete) out.left += bytes.substr(i + 1);
    }
    if (out.what == What::complete) out.body = reader.body();
    return out;
  }
  /// The same, however the bytes arrive.
  static Read chunked(const std::string& bytes, std::uint64_t largest = most) {
    const Read whole = in_one_piece(chunks(largest), bytes), pieces = byte_by_byte(chunks(largest), bytes);
    EXPECT_EQ(whole.what, pieces.what) << bytes;
    if (whole.what == What::complete) { EXPECT_EQ(whole, pieces) << bytes; }
    return whole;
  }
};

TEST_F(BodyReaderTest, ALengthIsTheEndOfTheBody) {
  const Read expected{What::complete, "{\"x\":1}", "POST /call/next"};
  EXPECT_EQ(in_one_piece(reader("Content-Length: 7"), "{\"x\":1}POST /call/next"), expected);
  EXPECT_EQ(byte_by_byte(reader("Content-Length: 7"), "{\"x\":1}POST /call/next"), expected);
}

TEST_F(BodyReaderTest, ABodyThatHasNotArrivedIsIncomplete) {
  BodyReader part = reader("Content-Length: 7");
  std::string received;
  EXPECT_EQ(part.take(received), What::incomplete);
  received = "{\"x";
  EXPECT_EQ(part.take(received), What::incomplete);
  EXPECT_EQ(received, "");
  EXPECT_EQ(part.size(), 3u);
  received = "\":1}";
  EXPECT_EQ(part.take(received), What::complete);
  EXPECT_EQ(part.size(), 7u);
  EXPECT_EQ(part.body(), "{\"x\":1}");
}

TEST_F(BodyReaderTest, ABodyOfLengthZeroIsComplete) {
  EXPECT_EQ(in_one_piece(reader("Content-Length: 0"), "GET"), (Read{What::complete, "", "GET"}));
}

TEST_F(BodyReaderTest, ChunksAreJoined) {
  EXPECT_EQ(chunked("3\r\n{\"x\r\n4\r\n\":1}\r\n0\r\n\r\nPOST /call/next"),
            (Read{What::complete, "{\"x\":1}", "POST /call/next"}));
  EXPECT_EQ(chunked("0\r\n\r\n"), (Read{What::complete, "", ""}));
  EXPECT_EQ(chunked("A;name=value;quoted=\"a;b\"\r\n0123456789\r\n00\r\n\r\n").body, "0123456789");
}

TEST_F(BodyReaderTest, ATrailerIsSkipped) {
  EXPECT_EQ(chunked("1\r\n7\r\n0\r\nExpires: never\r\nAuthorization: Bearer other\r\n\r\nGET"),
            (Read{What::complete, "7", "GET"}));
}

TEST_F(BodyReaderTest, ChunksThatHaveNotArrivedAreIncomplete) {
  const std::string whole = "3\r\nabc\r\n2;x\r\nde\r\n0\r\nA: b\r\n\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(in_one_piece(chunks(), whole.substr(0, size)).what, What::incomplete) << size;
  EXPECT_EQ(in_one_piece(chunks(), whole).body, "abcde");
}

TEST_F(BodyReaderTest, ItsSizeGrowsWithEachPart) {
  BodyReader part = chunks();
  std::string received = "3\r\nabc\r\n8\r\nde";
  EXPECT_EQ(part.take(received), What::incomplete);
  EXPECT_EQ(part.size(), 5u);
}

TEST_F(BodyReaderTest, ChunksOverTheLimitAreTooLarge) {
  EXPECT_EQ(chunked("5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", 10).body, "0123456789");
  EXPECT_EQ(chunked("5\r\n01234\r\n6\r\n56789a\r\n0\r\n\r\n", 10).what, What::too_large);
  EXPECT_EQ(chunked("b\r\n", 10).what, What::too_large) << "before any of it has arrived";
  EXPECT_EQ(chunked("ffffffffffffffff\r\n").what, What::too_large);
}

TEST_F(BodyReaderTest, ChunksThatAreMalformedAreRefused) {
  for (const char* const bytes : {"x\r\n", "\r\n", "-1\r\n", "0x1\r\n7\r\n\r\n", "1\r\n7x\r\n0\r\n\r\n", "1 7\r\n7\r\n",
                                  "1\n7\n\r\n", "1\r\n78\r\n0\r\n\r\n", "1ffffffffffffffff\r\n",
                                  "0\r\nno colon\r\n\r\n", "0\r\nA : b\r\n\r\n", "1;\x01\r\n7\r\n"})
    EXPECT_EQ(chunked(bytes).what, What::malformed) << bytes;
}

TEST_F(BodyReaderTest, WhatIsNotBodyHasABoundToo) {
  const auto grows = [](const std::string& begin, const std::string& more) {
    BodyReader reader = chunks();
    std::string received = begin;
    for (int i = 0; i < 100; ++i) {
      if (const What what = reader.take(received); what != What::incomplete) return what;
      received += more;
    }
    return What::incomplete;
  };
  EXPECT_EQ(grows("1;a=", std::string(1024, 'x')), What::malformed) << "an extension without an end";
  EXPECT_EQ(grows(std::string(1, '0'), std::string(1024, '0')), What::malformed) << "a number without an end";
  EXPECT_EQ(grows("0\r\n", "A: " + std::string(1024, 'x') + "\r\n"), What::malformed) << "a trailer without an end";
}

}  // namespace
}  // namespace nuropb::edge
