// The system call filters as the kernel of each architecture gets them, evaluated here call by call: so arm64's tables
// are tested without such a machine, and process emulators do not support filters.

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/sandbox.hpp"

namespace nuropb::sandbox {
namespace {

using Arguments = std::vector<std::uint64_t>;

struct Machine {
  const char* name;      // libseccomp's
  std::uint32_t token;   // libseccomp's, too
  std::uint32_t kernel;  // what the kernel writes into seccomp_data
};
constexpr Machine x86_64{"x86_64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64};
constexpr Machine arm64{"aarch64", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64};

/// How the kernel evaluates a filter, as far as libseccomp uses it.
std::uint32_t run(const std::vector<sock_filter>& program, const seccomp_data& data) {
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& one = program[at];
    const auto jump = [&](bool condition) { at += condition ? one.jt : one.jf; };
    switch (one.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + one.k, sizeof accumulator);
        break;
      case BPF_ALU | BPF_AND | BPF_K: accumulator &= one.k; break;
      case BPF_JMP | BPF_JA: at += one.k; break;
      case BPF_JMP | BPF_JEQ | BPF_K: jump(accumulator == one.k); break;
      case BPF_JMP | BPF_JGT | BPF_K: jump(accumulator > one.k); break;
      case BPF_JMP | BPF_JGE | BPF_K: jump(accumulator >= one.k); break;
      case BPF_JMP | BPF_JSET | BPF_K: jump((accumulator & one.k) != 0); break;
      case BPF_RET | BPF_K: return one.k;
      default: ADD_FAILURE() << "an instruction that this test does not know: " << one.code; return 0;
    }
  }
  ADD_FAILURE() << "the program has no end";
  return 0;
}

constexpr Role roles[] = {Role::edge, Role::dialer, Role::file_reader, Role::log_writer, Role::meshd};

/// The filters of one machine. Result: 0 allowed, an errno, or `killed`.
class Tables {
 public:
  static constexpr int killed = std::numeric_limits<int>::max();

  explicit Tables(Machine machine) : machine_(machine) {
    for (const Role role : roles) programs_[role] = program_of(role, machine.name).value();
  }

  int verdict(Role role, int number, const Arguments& arguments, std::uint32_t kernel) const {
    seccomp_data data{};
    data.nr = number;
    data.arch = kernel;
    std::copy(arguments.begin(), arguments.end(), data.args);
    const std::uint32_t action = run(programs_.at(role), data);
    if (action == SECCOMP_RET_ALLOW) return 0;
    if (action == SECCOMP_RET_KILL_PROCESS) return killed;
    EXPECT_EQ(action & SECCOMP_RET_ACTION_FULL, std::uint32_t{SECCOMP_RET_ERRNO});
    return static_cast<int>(action & SECCOMP_RET_DATA);
  }

  int verdict(Role role, const char* name, const Arguments& arguments = {}) const {
    const int number = seccomp_syscall_resolve_name_arch(machine_.token, name);
    EXPECT_GE(number, 0) << machine_.name << " has no call " << name;
    return verdict(role, number, arguments, machine_.kernel);
  }

 private:
  Machine machine_;
  std::map<Role, std::vector<sock_filter>> programs_;
};

constexpr std::uint64_t here = static_cast<std::uint64_t>(AT_FDCWD);

class OnEach : public ::testing::TestWithParam<Machine> {
 protected:
  Tables tables_{GetParam()};
};

TEST_P(OnEach, ARoleGetsWhatItNeedsAndNoMore) {
  constexpr int killed = Tables::killed;
  for (const Role role : roles) {
    for (const char* const name : {"read", "write", "close", "futex", "clock_gettime", "exit_group"})
      EXPECT_EQ(tables_.verdict(role, name), 0) << name;
    for (const char* const name : {"execve", "execveat", "ptrace", "mount", "bpf", "io_uring_setup", "listen", "kill",
                                   "process_vm_readv", "unshare", "init_module", "setuid"})
      EXPECT_EQ(tables_.verdict(role, name), killed) << name;
    EXPECT_EQ(tables_.verdict(role, "mmap", {0, 4096, PROT_READ | PROT_WRITE}), 0);
    EXPECT_EQ(tables_.verdict(role, "mmap", {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_ANONYMOUS}), killed);
    EXPECT_EQ(tables_.verdict(role, "mprotect", {0, 4096, PROT_READ | PROT_EXEC}), killed);
    EXPECT_EQ(tables_.verdict(role, "clone", {SIGCHLD}), killed) << "a process";
  }
  EXPECT_EQ(tables_.verdict(Role::meshd, "clone", {CLONE_THREAD | CLONE_VM | CLONE_SIGHAND}), 0);
  EXPECT_EQ(tables_.verdict(Role::edge, "clone", {CLONE_THREAD | CLONE_VM | CLONE_SIGHAND}), killed);
  EXPECT_EQ(tables_.verdict(Role::meshd, "clone3"), ENOSYS);
  for (const Role role : {Role::edge, Role::meshd}) {
    for (const char* const name : {"accept4", "epoll_pwait", "epoll_ctl", "sendmsg", "recvmsg", "timerfd_settime"})
      EXPECT_EQ(tables_.verdict(role, name), 0) << name;
  }
  for (const Role role : {Role::edge, Role::meshd, Role::file_reader, Role::log_writer})
    EXPECT_EQ(tables_.verdict(role, "ppoll"), 0);
  EXPECT_EQ(tables_.verdict(Role::meshd, "socket", {AF_UNIX}), 0);
  for (const char* const name : {"socket", "socketpair", "connect", "bind", "sendmmsg"})
    EXPECT_EQ(tables_.verdict(Role::edge, name, {AF_UNIX}), killed) << name;
  EXPECT_EQ(tables_.verdict(Role::edge, "sendto", {5, 0, 0, MSG_NOSIGNAL, 0, 0}), 0);
  EXPECT_EQ(tables_.verdict(Role::edge, "sendto", {5, 0, 0, MSG_FASTOPEN, 0, 0}), killed);
  EXPECT_EQ(tables_.verdict(Role::edge, "sendto", {5, 0, 0, 0, 0x7fff'0000'0000, 16}), killed) << "to an address";
  EXPECT_EQ(tables_.verdict(Role::edge, "sendmsg", {5, 0, MSG_FASTOPEN | MSG_NOSIGNAL}), killed);
  constexpr std::uint64_t packets = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, stream = SOCK_STREAM | SOCK_CLOEXEC;
  EXPECT_EQ(tables_.verdict(Role::dialer, "socket", {AF_UNIX, packets}), 0);
  EXPECT_EQ(tables_.verdict(Role::dialer, "socket", {AF_UNIX, stream}), killed);
  EXPECT_EQ(tables_.verdict(Role::dialer, "socket", {AF_INET, packets}), killed);
  EXPECT_EQ(tables_.verdict(Role::dialer, "connect"), 0);
  EXPECT_EQ(tables_.verdict(Role::meshd, "socket", {AF_INET}), 0);
  EXPECT_EQ(tables_.verdict(Role::edge, "socket", {AF_INET}), killed);
  EXPECT_EQ(tables_.verdict(Role::edge, "fcntl", {5, F_SETFL, O_NONBLOCK}), 0);
  EXPECT_EQ(tables_.verdict(Role::edge, "fcntl", {5, F_SETPIPE_SZ, 1 << 20}), killed);
  EXPECT_EQ(tables_.verdict(Role::meshd, "memfd_create"), 0);
  EXPECT_EQ(tables_.verdict(Role::meshd, "pidfd_open"), 0);
}

TEST_P(OnEach, FilesAreOpenedAsTheRoleMayOpenThem) {
  EXPECT_EQ(tables_.verdict(Role::edge, "openat", {here, 0, O_RDONLY}), EACCES);
  EXPECT_EQ(tables_.verdict(Role::meshd, "openat", {here, 0, O_RDWR | O_CREAT}), 0);
  EXPECT_EQ(tables_.verdict(Role::file_reader, "openat", {here, 0, O_RDONLY | O_CLOEXEC}), 0);
  EXPECT_EQ(tables_.verdict(Role::file_reader, "openat", {here, 0, O_RDWR}), Tables::killed);
  EXPECT_EQ(tables_.verdict(Role::log_writer, "openat", {here, 0, O_WRONLY | O_APPEND | O_CREAT}), 0);
  EXPECT_EQ(tables_.verdict(Role::log_writer, "openat", {here, 0, O_WRONLY | O_CREAT}), Tables::killed);
}

TEST_P(OnEach, AProcessOfAnotherArchitectureIsEnded) {
  for (const std::uint32_t kernel :
       {std::uint32_t{AUDIT_ARCH_I386}, std::uint32_t{AUDIT_ARCH_ARM},
        std::uint32_t{GetParam().kernel == arm64.kernel ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_AARCH64}}) {
    for (const Role role : roles) EXPECT_EQ(tables_.verdict(role, 0, {}, kernel), Tables::killed);
  }
}

INSTANTIATE_TEST_SUITE_P(SandboxCalls, OnEach, ::testing::Values(x86_64, arm64),
                         [](const auto& machine) { return std::string(machine.param.name); });

/// A system call that arm64 does not have, and what glibc uses there instead.
struct Replaced {
  const char* name;
  Arguments arguments;
  const char* instead;
  Arguments instead_arguments;
};

TEST(SandboxCalls, WhatArm64LacksIsAnsweredAsItsReplacement) {
  const Tables there(arm64), here_too(x86_64);
  const std::vector<Replaced> all = {
      {"open", {0, O_RDONLY}, "openat", {here, 0, O_RDONLY}},
      {"open", {0, O_RDWR | O_CREAT}, "openat", {here, 0, O_RDWR | O_CREAT}},
      {"open", {0, O_WRONLY | O_APPEND | O_CREAT}, "openat", {here, 0, O_WRONLY | O_APPEND | O_CREAT}},
      {"open", {0, O_RDWR | O_APPEND}, "openat", {here, 0, O_RDWR | O_APPEND}},
      {"access", {}, "faccessat", {here}},
      {"readlink", {}, "readlinkat", {here}},
      {"unlink", {}, "unlinkat", {here}},
      {"mkdir", {}, "mkdirat", {here}},
      {"rename", {}, "renameat", {here, 0, here}},
      {"chmod", {}, "fchmodat", {here}},
      {"chown", {}, "fchownat", {here}},
      {"poll", {}, "ppoll", {}},
      {"select", {}, "pselect6", {}},
      {"epoll_create", {}, "epoll_create1", {}},
      {"epoll_wait", {}, "epoll_pwait", {}},
      {"alarm", {}, "setitimer", {}},
      {"time", {}, "clock_gettime", {}},
      {"fork", {}, "clone", {SIGCHLD}},
      {"vfork", {}, "clone", {CLONE_VM | CLONE_VFORK | SIGCHLD}},
      {"link", {}, "linkat", {here, 0, here}},
      {"symlink", {}, "symlinkat", {0, here}},
      {"mknod", {}, "mknodat", {here}},
      {"dup2", {}, "dup3", {}},
  };
  for (const Replaced& one : all) {
    EXPECT_LT(seccomp_syscall_resolve_name_arch(SCMP_ARCH_AARCH64, one.name), 0) << one.name << ": arm64 has it";
    for (const Role role : roles) {
      EXPECT_EQ(there.verdict(role, one.instead, one.instead_arguments),
                here_too.verdict(role, one.name, one.arguments))
          << one.name << " and " << one.instead << ", role " << static_cast<int>(role);
    }
  }
  // The exception: fstat() is newfstatat() there, and also here with current glibc.
  for (const Tables* tables : {&there, &here_too}) EXPECT_EQ(tables->verdict(Role::edge, "newfstatat"), 0);
}

TEST(SandboxCalls, AnArchitectureThatThereIsNotIsAnError) {
  const auto none = program_of(Role::edge, "abacus");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().what, "unknown architecture 'abacus'");
}

}  // namespace
}  // namespace nuropb::sandbox
