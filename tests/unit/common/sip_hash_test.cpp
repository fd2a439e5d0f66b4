#include "common/sip_hash.hpp"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <set>
#include <stdexcept>
#include <string>

namespace nuropb {
namespace {

constexpr SipHash::Key key{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/// The paper's appendix A has a129ca6149be45e5 for the bytes 00…0e; in memory its last byte comes first.
TEST(SipHash, IsThePapers) {
  std::string text;
  for (char c = 0; c < 15; ++c) text += c;
  EXPECT_EQ(SipHash(key)(text), 0xe545be4961ca29a1U);
}

std::size_t by_openssl(const SipHash::Key& under, const std::string& text) {
  std::size_t size = 8, written = 0;
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};
  std::array<unsigned char, 8> out{};
  const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (!EVP_Q_mac(nullptr, "SIPHASH", nullptr, nullptr, parameters, under.data(), under.size(), bytes, text.size(),
                 out.data(), out.size(), &written))
    throw std::runtime_error("OpenSSL has no SipHash");
  std::size_t value = 0;
  for (const unsigned char byte : out) value = value << 8 | byte;
  return value;
}

TEST(SipHash, IsOpenSslsForEveryLength) {
  SipHash::Key other = key;
  std::string text;
  for (unsigned size = 0; size < 200; ++size) {
    other[size % other.size()] = static_cast<std::uint8_t>(size * 37);
    EXPECT_EQ(SipHash(other)(text), by_openssl(other, text)) << size << " bytes";
    text += static_cast<char>(size * 101);
  }
}

TEST(SipHash, EachTextIsByItself) {
  const SipHash hash(key);
  const auto before = hash("a");
  EXPECT_NE(hash(""), before);
  EXPECT_EQ(hash("a"), before);
  const SipHash copy = hash;
  EXPECT_EQ(copy("a"), before);
}

TEST(SipHash, TwoProcessesHaveTwoKeys) { EXPECT_NE(SipHash()("a"), SipHash()("a")); }

TEST(SipHash, TextsThatAreAlikeAreSpread) {
  const SipHash hash;
  std::set<std::size_t> low;
  for (int i = 0; i < 1000; ++i) low.insert(hash("name" + std::to_string(i)) % 1024);
  EXPECT_GT(low.size(), 500U) << "of 1024 buckets, chance fills some 640";
}

}  // namespace
}  // namespace nuropb
