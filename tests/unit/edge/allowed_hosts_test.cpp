#include "edge/net/allowed_hosts.hpp"

#include <gtest/gtest.h>

namespace nuropb::edge {
namespace {

TEST(AllowedHosts, ByName) {
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
