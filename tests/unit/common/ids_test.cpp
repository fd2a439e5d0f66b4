#include "common/ids.hpp"

#include <gtest/gtest.h>

namespace nuropb {
namespace {

TEST(ReturnAddress, GoesThroughACorrelationIdUnharmed) {
  const ReturnAddress addresses[] = {
      {},
      {1, 2, 3, 4, 5},
      {0xffffffff, ReturnAddress::max_slot, ReturnAddress::max_generation, ReturnAddress::max_session,
       ReturnAddress::max_sequence},
      {0x01020304, 0x80, 0x800000, 0x800000, 0x8000000000},
  };
  for (const ReturnAddress& address : addresses) {
    const std::string id = address.correlation_id();
    EXPECT_EQ(id.size(), 32u);
    EXPECT_EQ(ReturnAddress::parse(id), address) << id;
  }
}

TEST(ReturnAddress, ReadsAsItsDrawing) {
  EXPECT_EQ((ReturnAddress{0xaabbccdd, 0x11, 0x222222, 0x333333, 0x4444444444}).correlation_id(),
            "aabbccdd112222223333334444444444");
}

TEST(ReturnAddress, WhatIsNoneOfOursIsNothing) {
  for (const char* id :
       {"", "aabbccdd11222222333333444444444", "aabbccdd1122222233333344444444444", "AABBCCDD112222223333334444444444",
        "aabbccdd11222222333333444444444g", "aabbccdd-1122-2222-3333-334444444444"}) {
    EXPECT_FALSE(ReturnAddress::parse(id)) << id;
  }
}

TEST(ReturnAddress, NoOtherByteIsADigitAnywhere) {
  const std::string good = ReturnAddress{0x01239abc, 0xde, 0xf09a90, 0xff00ff, 0x90af09fa09}.correlation_id();
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      std::string id = good;
      id[at] = c;
      const auto parsed = ReturnAddress::parse(id);
      EXPECT_EQ(parsed.has_value(), (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))
          << "byte " << byte << " at " << at;
      if (parsed) { EXPECT_EQ(parsed->correlation_id(), id); }
    }
  }
}

TEST(ReturnAddress, TheInstanceHashIsTheSameInEveryVersion) {
  EXPECT_EQ(ReturnAddress::instance_hash(""), 2166136261U);
  EXPECT_EQ(ReturnAddress::instance_hash("a"), 0xe40c292cU);
}

TEST(SessionId, GoesThroughHex) {
  const SessionId id = SessionId::random();
  EXPECT_EQ(SessionId::from_hex(id.hex()), id);
  EXPECT_NE(SessionId::random(), id);
  EXPECT_FALSE(SessionId::from_hex("00"));
  EXPECT_FALSE(SessionId::from_hex(std::string(32, 'z')));
}

TEST(Hex, BothWays) {
  EXPECT_EQ(to_hex(std::string("\x00\xff\x10", 3)), "00ff10");
  EXPECT_EQ(from_hex("00ff10"), std::string("\x00\xff\x10", 3));
  EXPECT_FALSE(from_hex("0"));
  for (const char* none : {"0x", "/0", "0:", "`0", "0g", "A0", "0F", "\x80\x30", "0\xff"}) EXPECT_FALSE(from_hex(none));
}

}  // namespace
}  // namespace nuropb
