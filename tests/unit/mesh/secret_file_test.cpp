#include "meshd/mesh/secret_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace nuropb::mesh {
namespace {

class SecretFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "nuropb-secret.XXXXXX").string();
    ASSERT_TRUE(::mkdtemp(name.data()));
    folder_ = name;
    path_ = folder_ / "password";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void put(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  std::string read() const {
    SecretFile file(path_);
    const auto got = file.read();
    return got ? *got : "error: " + got.error().text();
  }
  std::filesystem::path folder_, path_;
};

TEST_F(SecretFileTest, ItsTextWithoutTheLinesEnd) {
  EXPECT_FALSE(SecretFile("").named());
  for (const char* text : {"s3cret", "s3cret\n", "s3cret\r\n", "s3cret\n\n"}) {
    put(text);
    EXPECT_EQ(read(), "s3cret");
  }
  put(" with spaces ");
  EXPECT_EQ(read(), " with spaces ");
}

TEST_F(SecretFileTest, WhatIsNoSecretIsRefusedAndNotShown) {
  EXPECT_NE(read().find("No such file"), std::string::npos);
  for (const auto& [text, part] : std::initializer_list<std::pair<std::string, const char*>>{
           {"", "is empty"},
           {"\n", "is empty"},
           {"hunter2\nmore", "more than one line"},
           {std::string("hunter2\0x", 9), "more than one line"},
           {std::string(SecretFile::largest + 1, 'x'), "larger than"}}) {
    put(text);
    EXPECT_NE(read().find(part), std::string::npos) << read();
    EXPECT_EQ(read().find("hunter2"), std::string::npos);
    EXPECT_NE(read().find(path_.string()), std::string::npos);
  }
  put(std::string(SecretFile::largest, 'x'));
  EXPECT_EQ(read().size(), SecretFile::largest);
}

TEST_F(SecretFileTest, APipeOrAFolderIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_NE(read().find("is empty"), std::string::npos) << read();
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  EXPECT_NE(read().find("can't be read"), std::string::npos) << read();
}

TEST_F(SecretFileTest, AChangeIsSeen) {
  put("one");
  SecretFile file(path_);
  EXPECT_TRUE(file.changed()) << "never read";
  ASSERT_TRUE(file.read());
  EXPECT_FALSE(file.changed());
  put("three");
  EXPECT_TRUE(file.changed());
  ASSERT_TRUE(file.read());
  EXPECT_FALSE(file.changed());
  // Another file of the same size and time in its place.
  const auto time = std::filesystem::last_write_time(path_);
  std::ofstream(folder_ / "new") << "seven";
  std::filesystem::last_write_time(folder_ / "new", time);
  std::filesystem::rename(folder_ / "new", path_);
  EXPECT_TRUE(file.changed());
  std::filesystem::remove(path_);
  EXPECT_TRUE(file.changed());
}

}  // namespace
}  // namespace nuropb::mesh
