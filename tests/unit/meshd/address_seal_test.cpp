#include "meshd/address_seal.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nuropb::meshd {
namespace {

constexpr AddressSeal::Key key{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
const ReturnAddress address{0xabcd1234, 5, 99, 7, 42};

TEST(AddressSeal, WhatItSealsItOpens) {
  const AddressSeal seal(key, address.instance);
  const std::string id = seal.seal(address);
  EXPECT_EQ(id.size(), 48U);
  EXPECT_EQ(id.substr(0, 32), address.correlation_id());
  EXPECT_EQ(seal.open(id), address);
  EXPECT_EQ(AddressSeal(key, address.instance).open(id), address) << "a successor has the same key";
  EXPECT_EQ(seal.seal(address), id) << "sealing again keeps nothing of the former message";
}

/// Computed by another implementation, which reproduces the vector in the appendix of the SipHash paper: a later
/// version must open what this one has sealed.
TEST(AddressSeal, TheMacIsSipHash) {
  EXPECT_EQ(AddressSeal(key, address.instance).seal(address), "abcd123405000063000007000000002ab620b8573a4da15a");
}

TEST(AddressSeal, NothingElseIsOpened) {
  const AddressSeal seal(key, address.instance);
  const std::string id = seal.seal(address);
  EXPECT_FALSE(seal.open(address.correlation_id())) << "as services could count them";
  EXPECT_FALSE(seal.open(""));
  EXPECT_FALSE(seal.open(id + "0"));
  EXPECT_FALSE(seal.open(id.substr(1)));
  for (std::size_t i = 0; i < id.size(); ++i) {
    std::string changed = id;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_FALSE(seal.open(changed)) << i;
  }
  // The MAC of one address is not valid for the next one.
  ReturnAddress next = address;
  ++next.sequence;
  EXPECT_FALSE(seal.open(next.correlation_id() + id.substr(32)));
  EXPECT_FALSE(AddressSeal(key, address.instance + 1).open(id)) << "another gateway's";
  AddressSeal::Key other = key;
  other[15] ^= 1;
  EXPECT_FALSE(AddressSeal(other, address.instance).open(id));
}

TEST(AddressSeal, NeighboursHaveMacsThatTellNothingOfEachOther) {
  const AddressSeal seal(key, address.instance);
  std::set<std::string> macs;
  ReturnAddress at = address;
  for (at.sequence = 0; at.sequence < 1000; ++at.sequence) macs.insert(seal.seal(at).substr(32));
  EXPECT_EQ(macs.size(), 1000U);
}

}  // namespace
}  // namespace nuropb::meshd
