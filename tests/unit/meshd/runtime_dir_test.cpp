#include "meshd/runtime_dir.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace nuropb::meshd {
namespace {

class RuntimeDirTest : public ::testing::Test {
 protected:
  void SetUp() override { path_ = ::testing::TempDir() + "runtime-dir-" + random_hex32(); }
  void TearDown() override { std::filesystem::remove_all(path_); }
  std::string path_;
};

TEST_F(RuntimeDirTest, KeepsSecretAndInstanceOverRestarts) {
  auto first = RuntimeDir::open(path_);
  ASSERT_TRUE(first) << first.error().text();
  const auto secret = first->secret();
  const auto instance = first->instance_id();
  ASSERT_TRUE(secret && instance);
  EXPECT_EQ(instance->size(), 32u);
  auto second = RuntimeDir::open(path_);
  ASSERT_TRUE(second);
  EXPECT_EQ(*second->secret(), *secret);
  EXPECT_EQ(*second->instance_id(), *instance);
}

TEST_F(RuntimeDirTest, IsForItsOwnerOnly) {
  auto dir = RuntimeDir::open(path_);
  ASSERT_TRUE(dir && dir->secret() && dir->admin_key());
  struct stat st{};
  ASSERT_EQ(::stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0700u);
  for (const char* const name : {"/secret", "/admin.key"}) {
    ASSERT_EQ(::stat((path_ + name).c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0600u) << name;
  }
}

TEST_F(RuntimeDirTest, KeepsTheAdminKeyUntilItIsRemoved) {
  const auto dir = RuntimeDir::open(path_);
  ASSERT_TRUE(dir);
  const std::string first = dir->admin_key().value();
  EXPECT_EQ(first.size(), 64u);
  EXPECT_EQ(dir->admin_key().value(), first);
  std::filesystem::remove(path_ + "/admin.key");
  EXPECT_NE(dir->admin_key().value(), first);
}

TEST_F(RuntimeDirTest, LetsEdgesInAsFarAsTheirSocket) {
  auto dir = RuntimeDir::open(path_);
  ASSERT_TRUE(dir && dir->secret() && dir->let_in(::getegid()));
  struct stat st{};
  ASSERT_EQ(::stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0710u);
  EXPECT_EQ(st.st_gid, ::getegid());
  ASSERT_EQ(::stat((path_ + "/secret").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  EXPECT_TRUE(RuntimeDir::open(path_)) << "the next meshd takes it over";
}

TEST_F(RuntimeDirTest, RefusesAFolderThatOthersCanWriteTo) {
  std::filesystem::create_directory(path_);
  ASSERT_EQ(::chmod(path_.c_str(), 0777), 0);
  const auto dir = RuntimeDir::open(path_);
  ASSERT_FALSE(dir);
  EXPECT_NE(dir.error().text().find(path_), std::string::npos);
}

TEST_F(RuntimeDirTest, RefusesACutOffSecretRatherThanSealingWithIt) {
  auto dir = RuntimeDir::open(path_);
  ASSERT_TRUE(dir);
  std::ofstream(path_ + "/secret") << "short";
  const auto secret = dir->secret();
  ASSERT_FALSE(secret);
  EXPECT_NE(secret.error().text().find("/secret"), std::string::npos);
}

}  // namespace
}  // namespace nuropb::meshd
