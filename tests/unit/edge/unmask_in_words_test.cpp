#include "edge/transport/unmask_in_words.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace nuropb::edge {
namespace {

TEST(UnmaskInWords, IsWhatTheProtocolSaysHoweverTheFrameIsCut) {
  const std::string mask("\x01\x80\xff\x37");
  websocketpp::frame::masking_key_type key;
  std::copy(mask.begin(), mask.end(), key.c);
  for (std::size_t size = 0; size <= 40; ++size) {
    std::string plain, masked;
    for (std::size_t i = 0; i < size; ++i) {
      plain.push_back(static_cast<char>(7 * i));
      masked.push_back(static_cast<char>(plain[i] ^ mask[i % 4]));  // RFC 6455 section 5.3
    }
    for (std::size_t cut = 0; cut <= size; ++cut) {
      std::string bytes = "xyz" + masked;  // no word of it is aligned
      auto* const data = reinterpret_cast<std::uint8_t*>(bytes.data()) + 3;
      const std::size_t then = unmask(data, cut, websocketpp::frame::prepare_masking_key(key));
      unmask(data + cut, size - cut, then);
      EXPECT_EQ(bytes, "xyz" + plain) << size << " bytes, cut at " << cut;
    }
  }
}

}  // namespace
}  // namespace nuropb::edge
