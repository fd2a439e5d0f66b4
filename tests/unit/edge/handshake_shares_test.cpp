#include "edge/net/handshake_shares.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nuropb::edge {
namespace {

struct HandshakeSharesTest : testing::Test {
  HandshakeShares::Place& enter(const std::string& address) {
    const std::size_t at = places.size();
    places.emplace_back();
    places[at] = shares.enter(*IpAddress::parse(address), [this, at] {
      gone.push_back(at);
      places[at].reset();
    });
    return places[at];
  }
  bool make_room(const std::string& newcomer) { return shares.make_room(*IpAddress::parse(newcomer)); }
  HandshakeShares shares;
  std::vector<HandshakeShares::Place> places = [] {
    std::vector<HandshakeShares::Place> out;
    out.reserve(100);
    return out;
  }();
  std::vector<std::size_t> gone;
};

TEST_F(HandshakeSharesTest, TheOldestOfTheAddressThatHasMostGivesWay) {
  EXPECT_FALSE(make_room("10.0.0.9")) << "there is no connection";
  enter("10.0.0.1");
  for (int i = 0; i < 3; ++i) enter("10.0.0.2");
  EXPECT_TRUE(make_room("10.0.0.9"));
  EXPECT_EQ(gone, std::vector<std::size_t>{1});
  EXPECT_FALSE(make_room("10.0.0.2")) << "nothing is won by coming again";
  places[2].reset();
  EXPECT_FALSE(make_room("10.0.0.9")) << "each address has one";
  EXPECT_EQ(shares.gave_way(), 1u);
}

TEST_F(HandshakeSharesTest, AnIpv6HostIsItsPrefix) {
  enter("2001:db8::1");
  enter("2001:db8::2");
  EXPECT_FALSE(make_room("2001:db8::3"));
  EXPECT_TRUE(make_room("2001:db8:0:1::1"));
}

TEST_F(HandshakeSharesTest, APlaceMayOutliveTheShares) {
  auto own = std::make_unique<HandshakeShares>();
  const auto place = own->enter(*IpAddress::parse("10.0.0.1"), [] {});
  own.reset();
}

}  // namespace
}  // namespace nuropb::edge
