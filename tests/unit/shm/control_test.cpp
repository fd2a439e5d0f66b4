#include "shm/control.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "common/ids.hpp"
#include "shm/layout.hpp"

namespace nuropb::shm {
namespace {

using What = ControlChannel::Received::What;

class ControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = "/tmp/nuropb-control-" + random_hex32() + ".sock";
    auto listener = ControlListener::listen(path_);
    ASSERT_TRUE(listener) << listener.error().text();
    listener_.emplace(std::move(*listener));
  }
  void TearDown() override {
    listener_.reset();
    std::filesystem::remove(path_ + ".lock");
  }
  /// Both ends of a new connection.
  std::pair<ControlChannel, ControlChannel> connect() {
    auto edge = ControlChannel::connect(path_);
    EXPECT_TRUE(edge) << edge.error().text();
    auto meshd = listener_->accept();
    EXPECT_TRUE(meshd.has_value());
    return {std::move(*edge), std::move(*meshd)};
  }
  std::string path_;
  std::optional<ControlListener> listener_;
};

bool readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 60'000) == 1;
}

TEST_F(ControlTest, Handshake) {
  auto [edge, meshd] = connect();
  ASSERT_TRUE(edge.send_hello({abi, "ticket"}));
  auto hello = meshd.receive();
  ASSERT_EQ(hello.what, What::hello);
  EXPECT_EQ(hello.hello.abi, abi);
  EXPECT_EQ(hello.hello.ticket, "ticket");
  ASSERT_TRUE(hello.sender);
  EXPECT_EQ(hello.sender->pid, ::getpid());
  EXPECT_EQ(hello.sender->uid, ::geteuid());

  UniqueFd a(::open("/dev/null", O_RDONLY | O_CLOEXEC)), b(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  auto bells = Doorbell::pair();
  ASSERT_TRUE(bells);
  auto [ours, theirs] = std::move(*bells);
  ASSERT_TRUE(meshd.send_welcome({2, 9, std::string(300, 't')}, a.get(), b.get(), theirs));
  theirs = {};
  auto welcome = edge.receive();
  ASSERT_EQ(welcome.what, What::welcome);
  EXPECT_EQ(welcome.welcome.slot, 2u);
  EXPECT_EQ(welcome.welcome.generation, 9u);
  EXPECT_EQ(welcome.welcome.ticket.size(), 300u);
  char byte = 1;
  EXPECT_EQ(::read(welcome.fd_m.get(), &byte, 1), 0) << "/dev/null came first";
  EXPECT_EQ(::read(welcome.fd_e.get(), &byte, 1), 1) << "/dev/zero second";
  welcome.bell.ring();
  EXPECT_EQ(ours.hear(), 1);
  ours.ring();
  EXPECT_EQ(welcome.bell.hear(), 1);
}

/// Another process than the sender of the hello may have connected.
TEST_F(ControlTest, TheSenderIsWhoSends) {
  auto [edge, meshd] = connect();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(edge.send_hello({abi, "ticket"}) ? 0 : 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  const auto hello = meshd.receive();
  ASSERT_EQ(hello.what, What::hello);
  ASSERT_TRUE(hello.sender);
  EXPECT_EQ(hello.sender->pid, child);
  EXPECT_EQ(meshd.peer().value().pid, ::getpid());
}

TEST_F(ControlTest, TheSenderIsKnownAlsoOfAHelloThatCameBeforeItWasAccepted) {
  auto edge = ControlChannel::connect(path_);
  ASSERT_TRUE(edge && edge->send_hello({abi, ""}));
  auto meshd = listener_->accept();
  ASSERT_TRUE(meshd.has_value());
  const auto hello = meshd->receive();
  ASSERT_TRUE(hello.sender);
  EXPECT_EQ(hello.sender->pid, ::getpid());
}

TEST_F(ControlTest, RefusalSaysWhy) {
  auto [edge, meshd] = connect();
  ASSERT_TRUE(meshd.send_refusal({"no room"}));
  const auto got = edge.receive();
  ASSERT_EQ(got.what, What::refusal);
  EXPECT_EQ(got.refusal.reason, "no room");
}

TEST_F(ControlTest, TheKernelSaysWhoIsThere) {
  auto [edge, meshd] = connect();
  const auto peer = meshd.peer();
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->pid, ::getpid());
  EXPECT_EQ(peer->uid, ::geteuid());
}

TEST_F(ControlTest, NothingIsNothing) {
  auto [edge, meshd] = connect();
  EXPECT_EQ(meshd.receive().what, What::nothing);
}

TEST_F(ControlTest, ADeadPeerIsSeenAtOnce) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto edge = ControlChannel::connect(path_);
    (void)edge->send_hello({abi, ""});
    (void)!::write(ready[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  auto meshd = listener_->accept();
  ASSERT_TRUE(meshd);
  ::kill(child, SIGKILL);
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);  // it stays a zombie
  EXPECT_EQ(meshd->receive().what, What::hello) << "what it said before is still there";
  ASSERT_TRUE(readable(meshd->fd()));
  EXPECT_EQ(meshd->receive().what, What::closed);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

void send_raw(int fd, const std::string& bytes, std::initializer_list<int> fds = {}) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 8)> control{};
  if (fds.size() > 0) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* const c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(c), std::data(fds), sizeof(int) * fds.size());
  }
  ASSERT_EQ(::sendmsg(fd, &message, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

std::size_t open_fds() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

TEST_F(ControlTest, RubbishIsNamedAndItsDescriptorsAreClosed) {
  auto [edge, meshd] = connect();
  const std::size_t before = open_fds();
  const std::string welcome_head("NPWM\0\0\0\0\0\0\0\0", 12);
  send_raw(edge.fd(), "xx");
  EXPECT_EQ(meshd.receive().what, What::rubbish);
  send_raw(edge.fd(), std::string(12, '\x7f'));
  EXPECT_EQ(meshd.receive().what, What::rubbish);
  send_raw(edge.fd(), std::string(10'000, 'x'));
  EXPECT_EQ(meshd.receive().what, What::rubbish);
  send_raw(edge.fd(), "x", {0});
  EXPECT_EQ(meshd.receive().what, What::rubbish) << "a byte with a descriptor";
  send_raw(edge.fd(), std::string("NPHL") + std::string(8, '\0'), {0, 1});
  EXPECT_EQ(meshd.receive().what, What::rubbish) << "a hello with descriptors";
  send_raw(edge.fd(), std::string("NPHL") + std::string(8, '\0'), {0, 1, 2, 0, 1, 2});
  EXPECT_EQ(meshd.receive().what, What::rubbish) << "more descriptors than we take";
  send_raw(edge.fd(), welcome_head, {0});
  EXPECT_EQ(meshd.receive().what, What::rubbish) << "a welcome with one descriptor";
  send_raw(edge.fd(), welcome_head, {0, 1, 2});
  EXPECT_EQ(meshd.receive().what, What::rubbish) << "a welcome with half a doorbell";
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  send_raw(edge.fd(), welcome_head, {null.get(), null.get(), null.get(), null.get()});
  EXPECT_EQ(meshd.receive().what, What::rubbish) << "a welcome whose doorbell is not a pair of pipes";
  null.reset();
  EXPECT_EQ(open_fds(), before);
}

TEST_F(ControlTest, OneMeshdToAPath) {
  const auto second = ControlListener::listen(path_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().text().find("another"), std::string::npos) << second.error().text();
  auto [edge, meshd] = connect();  // the first still listens
}

TEST_F(ControlTest, ASocketFileThatACrashLeftIsReplaced) {
  listener_.reset();
  { std::ofstream(path_) << ""; }
  auto again = ControlListener::listen(path_);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_TRUE(ControlChannel::connect(path_));
  listener_.emplace(std::move(*again));
}

TEST_F(ControlTest, OthersMayNotConnect) {
  struct stat st{};
  ASSERT_EQ(::stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
}

TEST(Control, APathThatIsTooLongSaysSo) {
  const auto refused = ControlListener::listen("/tmp/" + std::string(200, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("runtime_dir"), std::string::npos);
}

TEST(Control, NobodyListening) { EXPECT_FALSE(ControlChannel::connect("/tmp/nuropb-nobody-listens-here.sock")); }

}  // namespace
}  // namespace nuropb::shm
