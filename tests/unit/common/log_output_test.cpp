#include "common/log_output.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

namespace nuropb::log {
namespace {

using Wait = Output::Wait;

std::string text_of(const std::string& file) {
  std::ostringstream out;
  out << std::ifstream(file).rdbuf();
  return out.str();
}

/// Temporarily replaces standard error.
class StandardError {
 public:
  explicit StandardError(int fd) : saved_(::dup(STDERR_FILENO)) { ::dup2(fd, STDERR_FILENO); }
  ~StandardError() {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
  }

 private:
  int saved_;
};

class LogOutput : public ::testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    file_ = ::testing::TempDir() + "nuropb-log-output-" + std::to_string(::getpid());
    std::remove(file_.c_str());
  }
  void TearDown() override { std::remove(file_.c_str()); }

  std::string file_;
};

TEST_F(LogOutput, AppendsToAFileAndFindsItAgainAfterARotation) {
  auto output = Output::open(file_).value();
  EXPECT_EQ(output.put("one\n", Wait::yes), 0);
  const std::string old = file_ + ".1";
  ASSERT_EQ(std::rename(file_.c_str(), old.c_str()), 0);
  EXPECT_EQ(output.put("two\n", Wait::no), 0);
  ASSERT_TRUE(output.reopen());
  EXPECT_EQ(output.put("three\n", Wait::yes), 0);
  EXPECT_EQ(text_of(old), "one\ntwo\n");
  EXPECT_EQ(text_of(file_), "three\n");
  std::remove(old.c_str());
}

TEST_F(LogOutput, AFileThatCantBeOpenedAgainStaysTheFormerOne) {
  const std::string folder = ::testing::TempDir() + "nuropb-log-folder-" + std::to_string(::getpid());
  ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  auto output = Output::open(folder + "/log").value();
  const std::string moved = folder + "-moved";
  ASSERT_EQ(std::rename(folder.c_str(), moved.c_str()), 0);
  const auto done = output.reopen();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text().find(folder), std::string::npos);
  EXPECT_EQ(output.put("still\n", Wait::yes), 0);
  EXPECT_EQ(text_of(moved + "/log"), "still\n");
  std::remove((moved + "/log").c_str());
  ::rmdir(moved.c_str());
}

TEST_F(LogOutput, AFullDeviceIsAnErrorAndNothingElse) {
  auto output = Output::open("/dev/full").value();
  EXPECT_EQ(output.put("lost\n", Wait::yes), ENOSPC);
  EXPECT_EQ(output.put("lost\n", Wait::no), ENOSPC);
  auto nowhere = Output::open("/dev/null").value();
  EXPECT_EQ(nowhere.put("gone\n", Wait::yes), 0);
}

TEST_F(LogOutput, AFifoWithoutAReaderIsOpenedAtOnceAndTakesWhatItHasRoomFor) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  auto output = Output::open(file_).value();
  const std::string line = std::string(999, 'x') + '\n';
  int taken = 0;
  while (taken < 1000 && output.put(line, Wait::no) == 0) ++taken;
  EXPECT_GT(taken, 10);
  EXPECT_LT(taken, 1000);
  EXPECT_EQ(output.put(line, Wait::no), EAGAIN);
}

TEST_F(LogOutput, APipeThatNothingReadsIsNotWaitedFor) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  {
    const StandardError as(ends[1]);
    auto output = Output::open("").value();
    const std::string line = std::string(100, 'x') + '\n';
    int taken = 0;
    while (taken < 10'000 && output.put(line, Wait::no) == 0) ++taken;
    EXPECT_LT(taken, 10'000);
    EXPECT_EQ(output.put(line, Wait::no), EAGAIN);
    EXPECT_EQ(::fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0) << "who shares the pipe sees nothing of it";
    char some[8192];
    ASSERT_GT(::read(ends[0], some, sizeof some), 0);
    EXPECT_EQ(output.put(line, Wait::no), 0) << "there is room again";
    // A line that does not fit without waiting is cut, so that it cannot block either.
    ASSERT_GT(::read(ends[0], some, sizeof some), 0);
    EXPECT_EQ(output.put(std::string(100'000, 'y') + '\n', Wait::no), 0);
    ::close(ends[0]);
    EXPECT_EQ(output.put(line, Wait::no), EPIPE);
  }
  ::close(ends[1]);
}

TEST_F(LogOutput, ASocketOrATerminalOrAClosedDescriptorIsNotWaitedForEither) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const std::string line = std::string(999, 'x') + '\n';
  {
    const StandardError as(ends[1]);
    auto output = Output::open("/dev/stderr").value();  // which cannot be opened by that name
    int taken = 0;
    while (taken < 100'000 && output.put(line, Wait::no) == 0) ++taken;
    EXPECT_LT(taken, 100'000);
    EXPECT_EQ(output.put(line, Wait::no), EAGAIN);
  }
  for (const int end : ends) ::close(end);

  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_TRUE(master >= 0 && ::grantpt(master) == 0 && ::unlockpt(master) == 0);
  auto terminal = Output::open(::ptsname(master)).value();
  int taken = 0;
  while (taken < 10'000 && terminal.put(line, Wait::no) == 0) ++taken;
  EXPECT_LT(taken, 10'000) << "nothing reads at its other end";
  ::close(master);
  EXPECT_NE(terminal.put(line, Wait::no), 0);

  const int saved = ::dup(STDERR_FILENO);
  ::close(STDERR_FILENO);
  const int error = Output::open("").value().put(line, Wait::no);
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  EXPECT_EQ(error, EBADF);
}

TEST_F(LogOutput, ALineThatWasCutEndsBeforeTheNextOne) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  auto output = Output::open(file_).value();
  const int reader = ::open(file_.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  const std::string line = std::string(50'000, 'x') + '\n';
  ASSERT_EQ(output.put(line, Wait::no), 0);
  ASSERT_EQ(output.put(line, Wait::no), EAGAIN) << "half of it fits";
  std::string all(200'000, '\0');
  const auto drain = [&] {
    std::size_t size = 0;
    for (ssize_t n; (n = ::read(reader, all.data() + size, all.size() - size)) > 0;)
      size += static_cast<std::size_t>(n);
    return all.substr(0, size);
  };
  EXPECT_EQ(drain().back(), 'x');
  EXPECT_EQ(output.put("next\n", Wait::no), 0);
  EXPECT_EQ(drain(), "\nnext\n");
  EXPECT_EQ(output.put("and next\n", Wait::no), 0);
  EXPECT_EQ(drain(), "and next\n");
  ::close(reader);
}

}  // namespace
}  // namespace nuropb::log
