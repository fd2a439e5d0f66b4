#include "meshd/http/base64.hpp"

#include <gtest/gtest.h>

namespace nuropb::http {
namespace {

TEST(Base64, VectorsOfRfc4648) {
  const std::pair<std::string, std::string> vectors[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : vectors) {
    EXPECT_EQ(base64(plain), text);
    EXPECT_EQ(from_base64(text), plain);
  }
}

TEST(Base64, AllBytesAndZeros) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  EXPECT_EQ(from_base64(base64(all)), all);
  EXPECT_EQ(from_base64(base64(std::string(5, '\0'))), std::string(5, '\0'));
}

TEST(Base64, RefusesWhatItWouldNotWrite) {
  for (const char* wrong : {"Z", "Zg", "Zg=", "Zg= ", "Zh==", "Z===", "====", "=g==", "Zg==Zg==", "Zm9v\n", "Zm9-", " Zm9v", "Zm 9", "\n\n\n\n"}) EXPECT_FALSE(from_base64(wrong)) << wrong;
}

}  // namespace
}  // namespace nuropb::http
