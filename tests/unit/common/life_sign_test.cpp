#include "common/life_sign.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace nuropb {
namespace {

class LifeSignTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    ASSERT_EQ(::pipe2(fds_, O_CLOEXEC), 0);
    ASSERT_EQ(::fcntl(fds_[0], F_SETFL, O_NONBLOCK), 0);
  }
  void TearDown() override {
    ::unsetenv(LifeSign::variable);
    ::close(fds_[0]);
  }
  void name(const std::string& text) { ::setenv(LifeSign::variable, text.c_str(), 1); }
  ssize_t come() {
    char bytes[100];
    return ::read(fds_[0], bytes, sizeof bytes);
  }
  int fds_[2] = {-1, -1};
};

TEST_F(LifeSignTest, OneByteEach) {
  name(std::to_string(fds_[1]));
  LifeSign sign;
  sign.give();
  sign.give();
  EXPECT_EQ(come(), 2);
}

TEST_F(LifeSignTest, AFullPipeAndAGoneReaderAreNobodysConcern) {
  name(std::to_string(fds_[1]));
  LifeSign sign;
  for (int i = 0; i < 100'000; ++i) sign.give();
  ::close(fds_[0]);
  sign.give();
}

TEST_F(LifeSignTest, NothingIsWrittenWhereNoPipeIsNamed) {
  { LifeSign().give(); }
  const int file = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  for (const std::string& text : {std::string(""), std::string("x"), std::to_string(fds_[1]) + " ", std::string("-1"),
                                  std::string("99999"), std::to_string(file), std::to_string(fds_[0])}) {
    name(text);
    LifeSign().give();
  }
  EXPECT_EQ(come(), -1);
  EXPECT_EQ(::fcntl(file, F_GETFD), FD_CLOEXEC) << "still open";
  ::close(file);
  ::close(fds_[1]);
}

}  // namespace
}  // namespace nuropb
