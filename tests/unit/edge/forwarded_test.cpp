#include "edge/net/forwarded.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nuropb::edge {
namespace {

TEST(Forwarded, Table) {
  AddressBlocks trusted;
  ASSERT_TRUE(trusted.add("10.0.0.0/8") && trusted.add("fd00::/8"));
  using enum ForwardedHeader;
  struct Row {
    ForwardedHeader kind;
    std::string value;
    const char* proxy;
    const char* consumer;  // nullptr: cannot be determined
  };
  const Row rows[] = {
      {x_forwarded_for, "203.0.113.7", "10.0.0.1", "203.0.113.7"},
      {x_forwarded_for, "203.0.113.7", "192.0.2.1", "192.0.2.1"},            // not a trusted proxy: not even parsed
      {x_forwarded_for, "6.6.6.6, 203.0.113.7", "10.0.0.1", "203.0.113.7"},  // the left one is forged by the client
      {x_forwarded_for, "6.6.6.6, 203.0.113.7, 10.0.0.2", "10.0.0.1", "203.0.113.7"},
      {x_forwarded_for, "10.0.0.3 ,\t10.0.0.2", "10.0.0.1", "10.0.0.3"},
      {x_forwarded_for, "", "10.0.0.1", "10.0.0.1"},
      {x_forwarded_for, " ", "10.0.0.1", "10.0.0.1"},
      {x_forwarded_for, "203.0.113.7:4711", "10.0.0.1", "203.0.113.7"},
      {x_forwarded_for, "[2001:db8::1]:4711", "10.0.0.1", "2001:db8::1"},
      {x_forwarded_for, "2001:db8::1", "fd00::1", "2001:db8::1"},
      {x_forwarded_for, "::ffff:203.0.113.7", "10.0.0.1", "203.0.113.7"},
      {x_forwarded_for, "unknown", "10.0.0.1", nullptr},
      {x_forwarded_for, "203.0.113.7,", "10.0.0.1", nullptr},
      {x_forwarded_for, "203.0.113.7, rubbish", "10.0.0.1", nullptr},
      {x_forwarded_for, "rubbish, 203.0.113.7", "10.0.0.1", "203.0.113.7"},
      {x_forwarded_for, "[2001:db8::1", "10.0.0.1", nullptr},
      {x_forwarded_for, "[2001:db8::1]x", "10.0.0.1", nullptr},
      {x_forwarded_for, "203.0.113.7\0", "10.0.0.1", "203.0.113.7"},
      {forwarded, "for=203.0.113.7", "10.0.0.1", "203.0.113.7"},
      {forwarded, "by=10.0.0.1;For=203.0.113.7;proto=https", "10.0.0.1", "203.0.113.7"},
      {forwarded, "for=6.6.6.6, for=\"[2001:db8::1]:4711\"; proto=https", "10.0.0.1", "2001:db8::1"},
      {forwarded, "for=6.6.6.6, for=203.0.113.7, for=10.0.0.2", "10.0.0.1", "203.0.113.7"},
      {forwarded, "for=203.0.113.7;host=\"a,for=6.6.6.6\"", "10.0.0.1", "203.0.113.7"},  // a comma in quotes
      {forwarded, "for=203.0.113.7;host=\"a\\\",for=6.6.6.6\"", "10.0.0.1", "203.0.113.7"},
      // A client's header with an open quotation mark, to which a proxy has appended its own.
      {forwarded, R"(for=10.1.2.3;x=", for=192.0.2.7)", "10.0.0.1", nullptr},
      {forwarded, R"(for=10.1.2.3;x=", for="[2001:db8::1]")", "10.0.0.1", nullptr},
      {forwarded, R"(for=10.1.2.3;x="\, for=192.0.2.7)", "10.0.0.1", nullptr},
      {forwarded, R"(for=10.1.2.3;x="\", for="[2001:db8::1]")", "10.0.0.1", nullptr},
      {forwarded, R"(for="10.1.2.3, for=192.0.2.7)", "10.0.0.1", nullptr},
      {forwarded, R"(rubbish, for=192.0.2.7)", "10.0.0.1", nullptr},
      {forwarded, R"(=x, for=192.0.2.7)", "10.0.0.1", nullptr},
      {forwarded, R"(for=, for=192.0.2.7)", "10.0.0.1", nullptr},
      {forwarded, R"(for="10.1.2.3"x, for=192.0.2.7)", "10.0.0.1", nullptr},
      {forwarded, ", for=192.0.2.7", "10.0.0.1", "192.0.2.7"},
      {forwarded, "for=192.0.2.7;;proto=https;", "10.0.0.1", "192.0.2.7"},
      {forwarded, "for=192.0.2.7:4711", "10.0.0.1", "192.0.2.7"},  // without the required quotation marks
      {forwarded, "for=192.0.2.7,", "10.0.0.1", nullptr},
      {forwarded, "for=_hidden", "10.0.0.1", nullptr},
      {forwarded, "for=unknown", "10.0.0.1", nullptr},
      {forwarded, "proto=https", "10.0.0.1", nullptr},
      {forwarded, "203.0.113.7", "10.0.0.1", nullptr},
      {none, "203.0.113.7", "10.0.0.1", "10.0.0.1"},
  };
  for (const Row& row : rows) {
    const auto found = forwarded_for(row.kind, row.value, *IpAddress::parse(row.proxy), trusted);
    EXPECT_EQ(found ? found->text() : "nobody", row.consumer ? row.consumer : "nobody") << row.value;
  }
}

TEST(Forwarded, AFilledUpHeaderIsNotFollowedToItsEnd) {
  AddressBlocks trusted;
  ASSERT_TRUE(trusted.add("10.0.0.0/8"));
  std::string value = "203.0.113.7";
  for (int i = 0; i < 1000; ++i) value += ", 10.0.0.2";
  EXPECT_FALSE(forwarded_for(ForwardedHeader::x_forwarded_for, value, *IpAddress::parse("10.0.0.1"), trusted));
}

}  // namespace
}  // namespace nuropb::edge
