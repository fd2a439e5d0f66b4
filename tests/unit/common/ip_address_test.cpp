#include "common/ip_address.hpp"

#include <gtest/gtest.h>

namespace nuropb {
namespace {

TEST(IpAddress, Parsing) {
  struct Row {
    const char* text;
    const char* again;  // nullptr: not an address
  };
  const Row rows[] = {
      {"10.0.0.1", "10.0.0.1"},
      {"::1", "::1"},
      {"2001:DB8:0::1", "2001:db8::1"},
      {"::ffff:10.0.0.1", "10.0.0.1"},
      {"", nullptr},
      {"10.0.0", nullptr},
      {"10.0.0.256", nullptr},
      {"010.0.0.1", nullptr},
      {"10.0.0.1 ", nullptr},
      {"10.0.0.1:80", nullptr},
      {"[::1]", nullptr},
      {"fe80::1%eth0", nullptr},
      {"localhost", nullptr},
      {"1:2:3:4:5:6:7:8:9", nullptr},
      {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", nullptr},
  };
  for (const Row& row : rows) {
    const auto address = IpAddress::parse(row.text);
    EXPECT_EQ(address ? address->text() : "none", row.again ? row.again : "none") << row.text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("10.0.0.1\0", 9)));
}

TEST(IpAddress, Blocks) {
  struct Row {
    const char* block;
    const char* address;
    int inside;  // -1: not a block
  };
  const Row rows[] = {
      {"10.0.0.0/8", "10.255.0.1", 1},
      {"10.0.0.0/8", "11.0.0.1", 0},
      {"10.0.0.0/8", "::ffff:10.1.1.1", 1},
      {"10.0.0.1", "10.0.0.1", 1},
      {"10.0.0.1", "10.0.0.2", 0},
      {"10.0.0.128/25", "10.0.0.200", 1},
      {"10.0.0.128/25", "10.0.0.100", 0},
      {"0.0.0.0/0", "203.0.113.7", 1},
      {"0.0.0.0/0", "2001:db8::1", 0},
      {"::/0", "2001:db8::1", 1},
      {"fd00::/8", "fd12::1", 1},
      {"fd00::/8", "fe00::1", 0},
      {"::1", "::1", 1},
      {"::ffff:10.0.0.0/104", "10.2.3.4", 1},
      {"10.0.0.1/8", "10.0.0.1", -1},
      {"10.0.0.0/33", "10.0.0.1", -1},
      {"::/129", "::1", -1},
      {"10.0.0.0/", "::1", -1},
      {"10.0.0.0/8x", "::1", -1},
      {"/8", "::1", -1},
      {"10.0.0.0/-1", "::1", -1},
      {"localhost", "::1", -1},
      {"", "::1", -1},
  };
  for (const Row& row : rows) {
    AddressBlocks blocks;
    const bool taken = blocks.add(row.block);
    EXPECT_EQ(taken ? static_cast<int>(blocks.contains(*IpAddress::parse(row.address))) : -1, row.inside)
        << row.block << " " << row.address;
    EXPECT_EQ(blocks.empty(), !taken);
  }
}

}  // namespace
}  // namespace nuropb
