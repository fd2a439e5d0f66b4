#include "edge/protocol/origin.hpp"

#include <gtest/gtest.h>

namespace nuropb::edge {
namespace {

TEST(Origin, Table) {
  struct Row {
    const char* origin;
    std::vector<std::string> allowed;
    bool passes;
  };
  const Row rows[] = {
      {"", {}, true},  // not a browser
      {"https://example.com", {}, false},
      {"https://example.com", {"*"}, true},
      {"null", {"*"}, true},
      {"null", {"example.com"}, false},
      {"https://example.com", {"example.com"}, true},
      {"http://example.com:8080", {"example.com"}, true},
      {"https://www.example.com", {"example.com"}, true},
      {"https://www.example.com", {".example.com"}, true},
      {"https://example.com", {".example.com"}, true},
      {"https://EXAMPLE.com", {"Example.COM"}, true},
      {"https://evilexample.com", {"example.com"}, false},
      {"https://evilexample.com", {".example.com"}, false},
      {"https://example.com.evil.org", {"example.com"}, false},
      {"https://example.com@evil.org", {"example.com"}, false},
      {"https://evil.org/example.com", {"example.com"}, false},
      {"https://evil.org?.example.com", {"example.com"}, false},
      {"https://evil.org#.example.com", {"example.com"}, false},
      {"example.com", {"example.com"}, false},
      {"https://com", {"example.com"}, false},
      {"https://app.example.com:8443", {"https://app.example.com:8443"}, true},
      {"https://app.example.com", {"https://app.example.com:8443"}, false},
      {"http://app.example.com:8443", {"https://app.example.com:8443"}, false},
      {"http://[::1]:80", {"[::1]"}, true},
      {"https://a.com", {"b.com", "a.com"}, true},
      {"https://a.com", {""}, false},
      {"https://", {"example.com"}, false},
  };
  for (const Row& row : rows) EXPECT_EQ(origin_allowed(row.origin, row.allowed), row.passes) << row.origin;
}

}  // namespace
}  // namespace nuropb::edge
