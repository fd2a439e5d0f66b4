#include "edge/process/certificate_files.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace nuropb::edge {
namespace {

class CertificateFilesTest : public ::testing::Test {
 protected:
  CertificateFilesTest() {
    std::string name = (std::filesystem::temp_directory_path() / "nuropb-files-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~CertificateFilesTest() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  std::string folder_;
};

TEST_F(CertificateFilesTest, AreReadAsTheyAreNow) {
  const std::string one = write("one", "first"), two = write("two", std::string(300'000, 'x'));
  auto files = CertificateFiles::start({one, "", two}, false);
  ASSERT_TRUE(files);
  EXPECT_EQ(files->read(one).value(), "first");
  EXPECT_EQ(files->read(two).value(), std::string(300'000, 'x'));
  write("new", "second");
  std::filesystem::rename(folder_ + "/new", one);
  EXPECT_EQ(files->read(one).value(), "second");
}

TEST_F(CertificateFilesTest, ThatAreMissingOrTooLargeAreErrorsAndTheOthersGoOn) {
  const std::string one = write("one", "first"), large = write("large", std::string((1 << 20) + 1, 'x'));
  auto files = CertificateFiles::start({one, large, folder_ + "/missing"}, false);
  ASSERT_TRUE(files);
  EXPECT_FALSE(files->read(large));
  EXPECT_FALSE(files->read(folder_ + "/missing"));
  EXPECT_EQ(files->read(one).value(), "first");
}

TEST_F(CertificateFilesTest, NoOthersAreRead) {
  const std::string one = write("one", "first"), other = write("other", "secret");
  auto files = CertificateFiles::start({one}, false);
  ASSERT_TRUE(files);
  EXPECT_FALSE(files->read(other));
  auto none = CertificateFiles::start({}, false);
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->read(one));
}

}  // namespace
}  // namespace nuropb::edge
