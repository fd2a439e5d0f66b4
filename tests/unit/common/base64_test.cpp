#include "common/base64.hpp"

#include <gtest/gtest.h>

namespace nuropb::base64 {
namespace {

TEST(Base64, TheExamplesOfTheRfc) {
  const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : examples) {
    EXPECT_EQ(encode(plain), text);
    EXPECT_EQ(decode(text), plain);
    EXPECT_EQ(decode(text, Alphabet::url), plain);
  }
}

TEST(Base64, TheAlphabetsDiffer) {
  const std::string bytes = "\xfb\xff\xfe";
  EXPECT_EQ(encode(bytes), "+//+");
  EXPECT_EQ(encode(bytes, Alphabet::url), "-__-");
  EXPECT_EQ(decode("+//+"), bytes);
  EXPECT_EQ(decode("-__-", Alphabet::url), bytes);
  EXPECT_FALSE(decode("-__-"));
  EXPECT_FALSE(decode("+//+", Alphabet::url));
}

TEST(Base64, EveryByteAndLength) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i * 7);
  for (std::size_t n = 0; n <= bytes.size(); ++n) {
    for (const auto alphabet : {Alphabet::standard, Alphabet::url})
      EXPECT_EQ(decode(encode(bytes.substr(0, n), alphabet), alphabet), bytes.substr(0, n));
  }
}

TEST(Base64, OneSpellingOnly) {
  for (const char* text : {"Z", "Zg", "Zm8", "Zg=", "Zg===", "Zm8==", "====", "=",
                           "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Zm9v\n", " Zm9", "Zm=v", "Zm9v====", "Zm9\x80"}) {
    EXPECT_FALSE(decode(text)) << text;
  }
  EXPECT_FALSE(decode(std::string_view("Zm9\0", 4)));
}

}  // namespace
}  // namespace nuropb::base64
