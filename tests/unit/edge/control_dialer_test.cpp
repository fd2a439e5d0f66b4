#include "edge/process/control_dialer.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace nuropb::edge {
namespace {

struct ControlDialerTest : testing::Test {
  ControlDialerTest() {
    std::string name = (std::filesystem::temp_directory_path() / "nuropb-dialer-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  ~ControlDialerTest() override { std::filesystem::remove_all(folder); }
  [[nodiscard]] std::string path() const { return folder + "/meshd.sock"; }
  ControlDialer dialer() {
    auto made = ControlDialer::start({.folder = folder, .seccomp = false});
    EXPECT_TRUE(made) << made.error().text();
    return std::move(*made);
  }
  /// Retries until it succeeds, or fails for another reason than a slow dialer.
  static Result<shm::ControlChannel> connect(ControlDialer& dialer) {
    for (;;) {
      auto channel = dialer.connect();
      if (channel || channel.error().what.find("not answered yet") == std::string::npos) return channel;
    }
  }
  /// Its process: the youngest child with that name, since those of other tests may not have been reaped.
  static pid_t process() {
    std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
    pid_t out = 0;
    for (pid_t child = 0; children >> child;) {
      std::string name;
      std::ifstream("/proc/" + std::to_string(child) + "/comm") >> name;
      if (name == "nuropb-dialer") out = child;
    }
    return out;
  }
  std::string folder;
};

TEST_F(ControlDialerTest, HandsConnectionsOver) {
  ControlDialer dials = dialer();
  auto listener = shm::ControlListener::listen(path());
  ASSERT_TRUE(listener);
  for (int i = 0; i < 3; ++i) {
    auto channel = connect(dials);
    ASSERT_TRUE(channel) << channel.error().text();
    auto meshd = listener->accept();
    ASSERT_TRUE(meshd.has_value());
    EXPECT_NE(meshd->peer().value().pid, ::getpid()) << "the dialer has connected";
    ASSERT_TRUE(channel->send_hello({7, "ticket"}));
    const auto hello = meshd->receive();
    ASSERT_TRUE(hello.sender);
    EXPECT_EQ(hello.sender->pid, ::getpid()) << "and we say hello";
    EXPECT_EQ(hello.hello.abi, 7u);
  }
}

TEST_F(ControlDialerTest, SaysWhyThereIsNoneAndGoesOn) {
  ControlDialer dials = dialer();
  const auto none = connect(dials);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().text().find(path()), std::string::npos) << none.error().text();
  EXPECT_FALSE(dials.gone());
  auto listener = shm::ControlListener::listen(path());
  ASSERT_TRUE(listener);
  EXPECT_TRUE(connect(dials));
}

TEST_F(ControlDialerTest, ConnectsNoMoreOftenThanAnEdgeNeeds) {
  ControlDialer dials = dialer();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i) (void)connect(dials);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(4 * 40));
}

TEST_F(ControlDialerTest, OnceItIsGoneThatIsSaid) {
  ControlDialer dials = dialer();
  ASSERT_FALSE(connect(dials));
  const pid_t child = process();
  ASSERT_GT(child, 0);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ASSERT_FALSE(connect(dials));
  EXPECT_TRUE(dials.gone());
}

TEST_F(ControlDialerTest, EndsWithItsEdge) {
  pid_t child = 0;
  {
    ControlDialer dials = dialer();
    ASSERT_FALSE(connect(dials));
    child = process();
    ASSERT_GT(child, 0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace nuropb::edge
