// The rules for request heads, point by point: tests/unit/data/http_rules.json has a row for each, with the section of the RFC.
// tests/integration/gateway/test_http_rules.py sends the same rows to every port that speaks HTTP.

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/http/canonical_head.hpp"
#include "common/http/request_head.hpp"

namespace nuropb {
namespace {

/// The file represents bytes by the first 256 characters, and xxx by <x*3>.
std::string bytes_of(const std::string& utf8) {
  std::string bytes;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    if (c < 0x80) bytes += utf8[i];
    else bytes += static_cast<char>((c & 3U) << 6 | (static_cast<unsigned char>(utf8[++i]) & 0x3fU));
  }
  const auto begin = bytes.find('<'), times = bytes.find('*', begin), end = bytes.find('>', times);
  if (begin == std::string::npos || end == std::string::npos) return bytes;
  const std::string one = bytes.substr(begin + 1, times - begin - 1);
  std::string many;
  for (int n = std::stoi(bytes.substr(times + 1, end - times - 1)); n > 0; --n) many += one;
  return bytes.replace(begin, end - begin + 1, many);
}

nlohmann::json rows() {
  std::ifstream file(NUROPB_SOURCE_DIR "/tests/unit/data/http_rules.json");
  return nlohmann::json::parse(file);
}

nlohmann::json outcome_of(const RequestHead& head) {
  if (head.what == RequestHead::What::complete) return "taken";
  if (head.what == RequestHead::What::incomplete) return "incomplete";
  return head.status;
}

HeadLimits limits(std::uint64_t body) {
  HeadLimits out;
  out.body = body;
  return out;
}

TEST(RequestRules, OfTheTable) {
  std::size_t count = 0;
  for (const auto& row : rows()) {
    const std::string bytes = bytes_of(row["bytes"]);
    const auto name = row["section"].get<std::string>() + ": " + row["what"].get<std::string>();
    const RequestHead without = parse_request_head(bytes, limits(0)), with = parse_request_head(bytes, limits(1000));
    EXPECT_EQ(outcome_of(without), row["outcome"]) << name << ": " << without.reason;
    EXPECT_EQ(outcome_of(with), row.value("where_bodies_are_taken", row["outcome"])) << name << ": " << with.reason;
    for (const RequestHead& head : {without, with}) {
      EXPECT_EQ(head.what == RequestHead::What::refused, *head.reason != '\0') << name;
      if (head.what != RequestHead::What::complete) continue;
      const std::string canonical = canonical_head(head);
      EXPECT_EQ(outcome_of(parse_request_head(canonical, limits(1000))), "taken") << name << ": " << canonical;
    }
    ++count;
  }
  EXPECT_GT(count, 100U);
}

/// However the bytes are split, the outcome is the same, and a refusal comes no later than the end of the head.
TEST(RequestRules, HoweverTheBytesCome) {
  for (const auto& row : rows()) {
    const std::string bytes = bytes_of(row["bytes"]);
    if (bytes.size() > 1000) continue;
    RequestHead head;
    std::size_t searched = 0;
    for (std::size_t n = 0; n <= bytes.size() && head.what == RequestHead::What::incomplete; ++n) {
      head = parse_request_head(std::string_view(bytes).substr(0, n), limits(0), searched);
      searched = n;
    }
    EXPECT_EQ(outcome_of(head), row["outcome"]) << row["section"] << ": " << row["what"];
  }
}

/// RFC 9112, section 9.3; RFC 9110, section 10.1.1.
TEST(RequestRules, ConnectionsThatGoOn) {
  struct Row {
    const char *version, *headers;
    bool keeps, waits;
  };
  const Row rows[] = {
      {"HTTP/1.1", "", true, false},
      {"HTTP/1.1", "Connection: close\r\n", false, false},
      {"HTTP/1.1", "Connection: x, CLOSE\r\n", false, false},
      {"HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", false, false},
      {"HTTP/1.1", "Expect: 100-Continue\r\n", true, true},
      {"HTTP/1.0", "", false, false},
      {"HTTP/1.0", "Connection: Keep-Alive\r\n", true, false},
      {"HTTP/1.0", "Connection: keep-alive, close\r\n", false, false},
      {"HTTP/1.0", "Expect: 100-continue\r\n", false, false},
  };
  for (const Row& row : rows) {
    const std::string bytes = std::string("GET / ") + row.version + "\r\nHost: a\r\n" + row.headers + "\r\n";
    const RequestHead head = parse_request_head(bytes, limits(0));
    ASSERT_EQ(head.what, RequestHead::What::complete) << bytes;
    EXPECT_EQ(head.keep_alive(), row.keeps) << bytes;
    EXPECT_EQ(head.expects_continue(), row.waits) << bytes;
  }
}

}  // namespace
}  // namespace nuropb
