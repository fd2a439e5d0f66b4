#include "common/text_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace nuropb {
namespace {

using namespace std::string_literals;

/// The text of a file with these bytes, or the reason of its refusal.
std::string read_as(const std::string& bytes) {
  const std::string file = testing::TempDir() + "nuropb-text-" + std::to_string(::getpid());
  std::ofstream(file, std::ios::binary) << bytes;
  const auto text = read_text_file(file, 64);
  std::remove(file.c_str());
  return text ? *text : "refused: " + text.error().what;
}

TEST(TextFile, AByteOrderMarkIsNoPartOfIt) {
  EXPECT_EQ(read_as("\xef\xbb\xbf[gateway]\r\n"), "[gateway]\r\n");
  EXPECT_EQ(read_as("\xef\xbb\xbf"), "");
  EXPECT_EQ(read_as("\xef\xbb\xbf\xef\xbb\xbfx"), "\xef\xbb\xbfx") << "the second one is a character";
  EXPECT_EQ(read_as("x\xef\xbb\xbf"), "x\xef\xbb\xbf");
  EXPECT_EQ(read_as("\xef\xbbx"), "\xef\xbbx");
}

TEST(TextFile, Utf16IsRefusedByName) {
  EXPECT_EQ(read_as("\xff\xfe"s + "a\0b\0"s), "refused: is written in UTF-16");
  EXPECT_EQ(read_as("\xfe\xff"s + "\0a\0b"s), "refused: is written in UTF-16");
  EXPECT_EQ(read_as("\xff\xfe\x17\x2a"), "\xff\xfe\x17\x2a") << "a secret of arbitrary bytes is not UTF-16";
  EXPECT_EQ(read_as("\xff\xfe"), "\xff\xfe");
}

}  // namespace
}  // namespace nuropb
