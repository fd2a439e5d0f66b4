// The helper process of a process. For its use in meshd and edges: tests/integration/scripts/test_log_sinks.py.

#include "common/log_writer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>

#include "common/sandbox.hpp"

namespace nuropb::log {
namespace {

using namespace std::chrono_literals;

std::string text_of(const std::string& file) {
  std::ostringstream out;
  out << std::ifstream(file).rdbuf();
  return out.str();
}

bool eventually(const std::function<bool()>& state) {
  for (const auto until = std::chrono::steady_clock::now() + 30s; std::chrono::steady_clock::now() < until;) {
    if (state()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return state();
}

class LogWriter : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = ::testing::TempDir() + "nuropb-log-writer-" + std::to_string(::getpid());
    std::remove(file_.c_str());
  }
  void TearDown() override { std::remove(file_.c_str()); }

  static std::unique_ptr<Writer> to(const std::string& file) {
    const Settings settings{"t", Level::info, Format::text, file};
    return std::move(*Writer::start(settings, std::move(*Output::open(file)), sandbox::available()));
  }

  std::string file_;
};

TEST_F(LogWriter, AllThatWasHandedOverIsThereOnceItEnds) {
  std::string expected;
  {
    const auto writer = to(file_);
    for (int n = 0; n < 100; ++n) {
      const std::string line = "line " + std::to_string(n) + '\n';
      expected += line;
      ASSERT_EQ(writer->put(line), 0);
    }
    EXPECT_EQ(writer->lost(), 0u);
  }
  EXPECT_EQ(text_of(file_), expected);
}

TEST_F(LogWriter, OpensTheFileAgain) {
  const std::string old = file_ + ".1";
  {
    const auto writer = to(file_);
    ASSERT_EQ(writer->put("before\n"), 0);
    ASSERT_EQ(std::rename(file_.c_str(), old.c_str()), 0);
    ASSERT_EQ(writer->put("renamed\n"), 0);
    writer->reopen();
    ASSERT_EQ(writer->put("after\n"), 0);
  }
  EXPECT_EQ(text_of(old), "before\nrenamed\n");
  EXPECT_EQ(text_of(file_), "after\n");
  std::remove(old.c_str());
}

TEST_F(LogWriter, AReaderThatStallsCostsLinesAndNoTime) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  const int reader = ::open(file_.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  const auto writer = to(file_);
  const std::string line = std::string(999, 'x') + '\n';
  int taken = 0;
  while (taken < 100'000 && writer->put(line) == 0) ++taken;
  ASSERT_LT(taken, 100'000);
  EXPECT_GT(taken, 64) << "more than a pipe has room for";
  EXPECT_EQ(writer->put(line), EAGAIN);
  // Accepted lines are complete once the pipe is read again.
  std::string read;
  char some[65536];
  ASSERT_TRUE(eventually([&] {
    for (ssize_t n; (n = ::read(reader, some, sizeof some)) > 0;) read.append(some, static_cast<std::size_t>(n));
    return read.size() >= static_cast<std::size_t>(taken) * line.size();
  }));
  EXPECT_EQ(read.size(), static_cast<std::size_t>(taken) * line.size());
  EXPECT_EQ(writer->put("room again\n"), 0);
  ::close(reader);
}

TEST_F(LogWriter, AFullDeviceIsCounted) {
  const auto writer = to("/dev/full");
  for (int n = 0; n < 3; ++n) ASSERT_EQ(writer->put("lost\n"), 0);
  EXPECT_TRUE(eventually([&] { return writer->lost() == 3; })) << writer->lost();
}

TEST_F(LogWriter, WhatWasHandedOverIsWrittenAlsoWhenItsProcessIsKilled) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto writer = to(file_);
    for (int n = 0; n < 50; ++n) writer->put("line\n");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(eventually([&] { return text_of(file_).size() == 250; })) << text_of(file_);
}

TEST_F(LogWriter, ItDoesNotOutliveItsProcessForAPipeThatNothingReads) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    const auto writer = to("");
    while (writer->put(std::string(999, 'x') + '\n') == 0) {}
    ::kill(::getpid(), SIGKILL);
  }
  ::close(ends[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  // It waits for room, and gives up: only then the pipe has an end after its content.
  char some[65536];
  pollfd hung_up{ends[0], 0, 0};
  EXPECT_EQ(::poll(&hung_up, 1, 30'000), 1);
  EXPECT_NE(hung_up.revents & POLLHUP, 0);
  while (::read(ends[0], some, sizeof some) > 0) {}
  ::close(ends[0]);
}

TEST_F(LogWriter, ADeadWriterCostsItsLinesOnly) {
  const auto writer = to(file_);
  // The only child of this process.
  std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  pid_t child = 0;
  ASSERT_TRUE(children >> child);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(writer->put("to standard error\n"), 0);
  writer->reopen();
  EXPECT_EQ(writer->lost(), 0u);
}

}  // namespace
}  // namespace nuropb::log
