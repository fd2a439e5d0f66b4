// tests/integration/gateway/test_privilege.py checks from outside which privileges a process keeps.

#include "common/sandbox.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace nuropb::sandbox {
namespace {

int scheduled(int policy, pid_t who = 0) {
  const sched_param param{policy == SCHED_FIFO ? 1 : 0};
  return ::sched_setscheduler(who, policy, &param) == 0 ? 0 : 1;
}

/// How a process of this role ends that does this: its exit code, or the negative signal number.
template <class Work>
int end_of(Role role, Work&& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!give_up(false, false) || !allow_only(role)) ::_exit(99);
    ::_exit(work());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

class Sandbox : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!available()) GTEST_SKIP() << "a build with sanitizers has no lists of calls";
    if (::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) GTEST_SKIP() << "no filter can be loaded here, as under qemu-user";
  }
};

TEST_F(Sandbox, AllowsWhatARoleNeeds) {
  EXPECT_EQ(end_of(Role::dialer,
                   [] { return ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) >= 0 ? 0 : 1; }),
            0);
  EXPECT_EQ(
      end_of(Role::meshd, [] { return ::socket(AF_INET6, SOCK_STREAM, 0) >= 0 || errno == EAFNOSUPPORT ? 0 : 1; }), 0);
  EXPECT_EQ(end_of(Role::file_reader, [] { return ::open("/dev/null", O_RDONLY) >= 0 ? 0 : 1; }), 0);
  EXPECT_EQ(
      end_of(Role::log_writer, [] { return ::open("/dev/null", O_WRONLY | O_APPEND | O_CREAT, 0600) >= 0 ? 0 : 1; }),
      0);
  for (const Role role : {Role::edge, Role::meshd})
    EXPECT_EQ(end_of(role, [] { return scheduled(SCHED_BATCH) + scheduled(SCHED_OTHER); }), 0);
  EXPECT_EQ(end_of(Role::meshd,
                   [] {
                     int seen = 0;
                     std::thread([&] { seen = 1; }).join();
                     return seen == 1 ? 0 : 1;
                   }),
            0);
}

TEST_F(Sandbox, RefusesFilesToAnEdgeWithAnError) {
  EXPECT_EQ(end_of(Role::edge, [] { return ::open("/dev/null", O_RDONLY) < 0 && errno == EACCES ? 0 : 1; }), 0);
}

TEST_F(Sandbox, EndsWhoeverDoesAnythingElse) {
  const auto exec = [] {
    char name[] = "/bin/true";
    char* const words[] = {name, nullptr};
    ::execv(name, words);
    return 1;
  };
  for (const Role role : {Role::edge, Role::dialer, Role::meshd, Role::file_reader, Role::log_writer}) {
    EXPECT_EQ(end_of(role, exec), -SIGSYS);
    EXPECT_EQ(end_of(role, [] { return ::fork() >= 0 ? 0 : 1; }), -SIGSYS);
    EXPECT_EQ(end_of(role, [] { return ::kill(::getppid(), 0); }), -SIGSYS);
    EXPECT_EQ(end_of(role,
                     [] {
                       return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                                     0) != MAP_FAILED
                                  ? 0
                                  : 1;
                     }),
              -SIGSYS);
    EXPECT_EQ(end_of(role, [] { return ::listen(0, 1); }), -SIGSYS);
    EXPECT_EQ(end_of(role, [] { return scheduled(SCHED_FIFO); }), -SIGSYS);
    EXPECT_EQ(end_of(role, [] { return scheduled(SCHED_BATCH, ::getppid()); }), -SIGSYS);
  }
  EXPECT_EQ(end_of(Role::edge, [] { return ::socket(AF_INET, SOCK_STREAM, 0); }), -SIGSYS);
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    EXPECT_EQ(end_of(Role::edge, [=] { return ::socket(AF_UNIX, type, 0); }), -SIGSYS);
    EXPECT_EQ(end_of(Role::dialer, [=] { return ::socket(AF_UNIX, type, 0); }), -SIGSYS) << "not non-blocking";
  }
  EXPECT_EQ(end_of(Role::dialer, [] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }),
            -SIGSYS);
  EXPECT_EQ(end_of(Role::dialer, [] { return ::open("/dev/null", O_RDONLY); }), -SIGSYS);
  EXPECT_EQ(end_of(Role::file_reader, [] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }), -SIGSYS);
  EXPECT_EQ(end_of(Role::file_reader, [] { return ::open("/tmp/never", O_RDWR | O_CREAT, 0600); }), -SIGSYS);
  // A log writer appends, and can neither read a file nor replace its content.
  EXPECT_EQ(end_of(Role::log_writer, [] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }), -SIGSYS);
  EXPECT_EQ(end_of(Role::log_writer, [] { return ::open("/etc/passwd", O_RDONLY); }), -SIGSYS);
  EXPECT_EQ(end_of(Role::log_writer, [] { return ::open("/dev/null", O_WRONLY | O_TRUNC); }), -SIGSYS);
  EXPECT_EQ(end_of(Role::log_writer, [] { return ::open("/dev/null", O_WRONLY | O_CREAT, 0600); }), -SIGSYS);
}

/// A TCP socket that was disconnected, or no longer listens, could be connected to any host.
TEST_F(Sandbox, LetsAnEdgeBeginNoConnectionWithASocketThatItHas) {
  const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(::listen(listening, 1), 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(1);
  const auto* const address = reinterpret_cast<const sockaddr*>(&to);
  EXPECT_EQ(end_of(Role::edge,
                   [=] {
                     ::shutdown(listening, SHUT_RDWR);
                     return ::connect(listening, address, sizeof to) == 0 ? 0 : 1;
                   }),
            -SIGSYS);
  EXPECT_EQ(end_of(Role::edge,
                   [=] {
                     ::shutdown(listening, SHUT_RDWR);
                     return ::sendto(listening, "x", 1, MSG_FASTOPEN, address, sizeof to) >= 0 ? 0 : 1;
                   }),
            -SIGSYS);
  EXPECT_EQ(end_of(Role::edge,
                   [=] {
                     ::shutdown(listening, SHUT_RDWR);
                     sockaddr_in where = to;
                     char byte = 'x';
                     iovec part{&byte, 1};
                     msghdr message{};
                     message.msg_name = &where;
                     message.msg_namelen = sizeof where;
                     message.msg_iov = &part;
                     message.msg_iovlen = 1;
                     return ::sendmsg(listening, &message, MSG_FASTOPEN) >= 0 ? 0 : 1;
                   }),
            -SIGSYS);
  EXPECT_EQ(
      end_of(Role::edge, [=] { return ::sendto(listening, "x", 1, MSG_NOSIGNAL, address, sizeof to) >= 0 ? 0 : 1; }),
      -SIGSYS);
  EXPECT_EQ(end_of(Role::edge, [=] { return ::send(listening, "x", 1, MSG_NOSIGNAL) < 0 ? 0 : 1; }), 0);
  ::close(listening);
}

TEST_F(Sandbox, LeavesAnEdgesDoorbellsAsTheyAre) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const int rung = ends[1];
  EXPECT_EQ(end_of(Role::edge, [=] { return ::fcntl(rung, F_SETFL, ::fcntl(rung, F_GETFL) | O_NONBLOCK); }), 0);
  EXPECT_EQ(end_of(Role::edge, [=] { return ::fcntl(rung, F_SETPIPE_SZ, 1 << 20); }), -SIGSYS);
  EXPECT_EQ(end_of(Role::edge, [=] { return ::fcntl(rung, F_SETFL, O_DIRECT); }), -SIGSYS);
  for (const int end : ends) ::close(end);
}

TEST_F(Sandbox, HoldsForThreadsThatWereThereBefore) {
  EXPECT_EQ(end_of(Role::meshd, [] { return 0; }), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::atomic<bool> go = false;
    std::thread before([&] {
      while (!go) std::this_thread::yield();
      ::listen(0, 1);
      ::_exit(0);
    });
    if (!allow_only(Role::meshd)) ::_exit(99);
    go = true;
    before.join();
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << status;
}

TEST(SandboxIdentity, IsAUserThatExists) {
  EXPECT_EQ(edge_identity("root").value().uid, 0u);
  EXPECT_NE(edge_identity("").value().uid, 0u);
  const auto nobody = edge_identity("there-is-no-such-user");
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().where, "hardening.edge_user");
}

TEST(SandboxBecome, IsForGood) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can change its user";
  const auto who = edge_identity("nobody").value();
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    int with_parent = 0;
    const bool became = become(who) && ::getuid() == who.uid && ::setuid(0) != 0 &&
                        ::prctl(PR_GET_PDEATHSIG, &with_parent) == 0 && with_parent == SIGTERM;
    ::_exit(became && give_up(false, true) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace nuropb::sandbox
