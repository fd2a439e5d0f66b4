// Which system calls a process of each role may make.
//
// A table's row is a call, and what one of its arguments has to be. Calls that glibc tries before it falls back on
// another are refused with an error instead, so that it does. The list is of names: what a kernel or an architecture
// does not have is left out.

#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <linux/sched.h>
#include <memory>
#include <span>
#include <vector>

#include "common/sandbox.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(NUROPB_NO_SECCOMP)
#define NUROPB_HAS_SECCOMP false
#else
#define NUROPB_HAS_SECCOMP true
#endif

namespace nuropb::sandbox {
namespace {

/// A condition on one argument: (argument & mask) == value. A mask of nothing: any.
struct Condition {
  unsigned argument = 0;
  scmp_datum_t mask = 0;
  scmp_datum_t value = 0;
};
/// Allowed if both hold.
struct Call {
  const char* name;
  Condition first{}, second{};
};
using Calls = std::vector<Call>;

constexpr scmp_datum_t whole = ~scmp_datum_t{0};
constexpr scmp_datum_t word = 0xffff'ffff;  // of an argument that is an int

/// What every C++ process does: memory that holds no code, time, waiting, its own end.
const Calls& everyone() {
  static const Calls calls{
      {"read"},
      {"write"},
      {"readv"},
      {"writev"},
      {"close"},
      {"lseek"},
      {"fstat"},
      {"newfstatat"},
      {"brk"},
      {"munmap"},
      {"mremap"},
      {"madvise"},
      {"mprotect", {2, PROT_EXEC, 0}},
      {"mmap", {2, PROT_EXEC, 0}},
      {"futex"},
      {"futex_waitv"},
      {"sched_yield"},
      {"getrandom"},
      {"clock_gettime"},
      {"clock_getres"},
      {"clock_nanosleep"},
      {"nanosleep"},
      {"gettimeofday"},
      {"time"},
      {"rt_sigaction"},
      {"rt_sigprocmask"},
      {"rt_sigreturn"},
      {"sigaltstack"},
      {"restart_syscall"},
      {"getpid"},
      {"gettid"},
      {"getppid"},
      {"getuid"},
      {"geteuid"},
      {"getgid"},
      {"getegid"},
      {"rseq"},
      {"set_robust_list"},
      {"membarrier"},
      {"sched_getaffinity"},
      // A thread for itself, and for no other.
      {"sched_setscheduler", {0, word, 0}, {1, word, SCHED_OTHER}},
      {"sched_setscheduler", {0, word, 0}, {1, word, SCHED_BATCH}},
      {"getcpu"},
      {"uname"},
      {"exit"},
      {"exit_group"},
  };
  return calls;
}

/// Sockets that are there, and waiting for them.
const Calls& sockets() {
  static const Calls calls{
      {"recvfrom"},
      {"recvmsg"},
      {"recvmmsg"},
      {"sendto"},
      {"sendmsg"},
      {"sendmmsg"},
      {"shutdown"},
      {"accept"},
      {"accept4"},
      {"connect"},
      {"getsockopt"},
      {"setsockopt"},
      {"getsockname"},
      {"getpeername"},
      {"poll"},
      {"ppoll"},
      {"select"},
      {"pselect6"},
      {"epoll_create"},
      {"epoll_create1"},
      {"epoll_ctl"},
      {"epoll_wait"},
      {"epoll_pwait"},
      {"epoll_pwait2"},
      {"eventfd2"},
      {"timerfd_create"},
      {"timerfd_settime"},
      {"timerfd_gettime"},
      {"pipe2"},
      {"dup"},
      {"ioctl", {1, whole, FIONBIO}},
      {"ioctl", {1, whole, FIONREAD}},
      {"ioctl", {1, whole, TIOCOUTQ}},
  };
  return calls;
}

const Calls& edge_only() {
  static const Calls calls{
      // To the next meshd. Its sockets to consumers are all made by accept().
      {"socket", {0, word, AF_UNIX}},
      {"socketpair", {0, word, AF_UNIX}},
      // No larger pipes, and none of packets: its doorbells stay as meshd has made them.
      {"fcntl", {1, word, F_GETFD}},
      {"fcntl", {1, word, F_SETFD}},
      {"fcntl", {1, word, F_GETFL}},
      {"fcntl", {1, word, F_SETFL}, {2, O_DIRECT, 0}},
      {"fcntl", {1, word, F_GET_SEALS}},
  };
  return calls;
}

const Calls& file_reader_only() {
  static const Calls calls{{"recvfrom"},
                           {"sendto"},
                           {"openat", {2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY}},
                           {"open", {1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY}},
                           {"poll"},
                           {"ppoll"}};
  return calls;
}

const Calls& meshd_only() {
  static const Calls calls{
      {"fcntl"},
      // Threads, but no processes: clone3 keeps its flags where no table can see them, so glibc has to do without.
      {"clone", {0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM}},
      {"set_tid_address"},
      {"prctl"},
      {"get_robust_list"},
      {"sched_setaffinity"},
      {"sched_getparam"},
      {"sched_getscheduler"},
      {"sched_get_priority_max"},
      {"sched_get_priority_min"},
      {"prlimit64", {2, whole, 0}},
      // Its broker, etcd, issuers of keys, and what the resolver asks of whom.
      {"socket", {0, word, AF_UNIX}},
      {"socket", {0, word, AF_INET}},
      {"socket", {0, word, AF_INET6}},
      {"socket", {0, word, AF_NETLINK}},
      {"socketpair", {0, word, AF_UNIX}},
      {"bind"},
      // Files that are read again, and those of the resolver. A module of it is code from a file; nothing else is.
      {"open"},
      {"openat"},
      {"statx"},
      {"stat"},
      {"lstat"},
      {"access"},
      {"faccessat"},
      {"faccessat2"},
      {"readlink"},
      {"readlinkat"},
      {"getdents64"},
      {"getcwd"},
      {"pread64"},
      {"pwrite64"},
      {"fsync"},
      {"fdatasync"},
      {"flock"},
      {"fchmod"},
      {"chmod"},
      {"fchmodat"},
      {"rename"},
      {"renameat"},
      {"renameat2"},
      {"unlink"},
      {"unlinkat"},
      {"mkdir"},
      {"mkdirat"},
      {"umask"},
      {"fstatfs"},
      {"statfs"},
      {"sysinfo"},
      {"getrusage"},
      {"mmap", {3, MAP_ANONYMOUS, 0}},
      // Workers: their memory, and their end.
      {"memfd_create"},
      {"ftruncate"},
      {"fallocate"},
      {"pidfd_open"},
      {"pidfd_send_signal"},
  };
  return calls;
}

/// What a process may try: it is told that there is no such thing, and goes on.
const std::initializer_list<std::pair<const char*, int>>& refused(Role role) {
  static const std::initializer_list<std::pair<const char*, int>> with_files{{"clone3", ENOSYS}, {"openat2", ENOSYS}};
  static const std::initializer_list<std::pair<const char*, int>> without_files{
      {"open", EACCES},      {"openat", EACCES},     {"openat2", EACCES},    {"access", EACCES},
      {"faccessat", EACCES}, {"faccessat2", EACCES}, {"stat", EACCES},       {"lstat", EACCES},
      {"statx", EACCES},     {"readlink", EACCES},   {"readlinkat", EACCES}, {"unlink", EACCES}};
  static const std::initializer_list<std::pair<const char*, int>> reader{{"statx", ENOSYS}};
  return role == Role::meshd ? with_files : role == Role::edge ? without_files : reader;
}

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

Result<void> wrong(const char* what, int code) {
  return failure(std::string(what) + ": " + std::strerror(-code), "hardening.seccomp");
}

int add(void* filter, const Call& call) {
  const int number = seccomp_syscall_resolve_name(call.name);
  if (number == __NR_SCMP_ERROR) return 0;
  std::vector<scmp_arg_cmp> conditions;
  for (const Condition& one : {call.first, call.second}) {
    if (one.mask != 0)  // what libseccomp's macros make of it is C, to clang
      conditions.push_back({one.argument, SCMP_CMP_MASKED_EQ, one.mask, one.value});
  }
  const int code = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, static_cast<unsigned>(conditions.size()),
                                          conditions.data());
  return code == -EDOM || code == -EEXIST ? 0 : code;  // not of this architecture; said twice
}

}  // namespace

bool available() { return NUROPB_HAS_SECCOMP; }

Result<void> allow_only(Role role) {
  if (!available())
    return failure("this build has no tables of system calls", "hardening.seccomp",
                   "a build with sanitizers runs without");
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (!filter)
    return failure("no filter can be made", "hardening.seccomp",
                   "whoever started it may forbid the system call seccomp (SystemCallFilter= of systemd)");
  std::vector<Call> allowed = everyone();
  const auto append = [&](const Calls& calls) { allowed.insert(allowed.end(), calls.begin(), calls.end()); };
  if (role != Role::file_reader) append(sockets());
  append(role == Role::edge ? edge_only() : role == Role::meshd ? meshd_only() : file_reader_only());
  // A failed assertion ends in a signal to oneself; to others there is none.
  allowed.push_back({"tgkill", {0, word, static_cast<scmp_datum_t>(::getpid())}});
  for (const Call& call : allowed) {
    if (const int code = add(filter.get(), call); code != 0) return wrong(call.name, code);
  }
  for (const auto& [name, error] : refused(role)) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) continue;
    const int code = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)), number, 0);
    if (code != 0 && code != -EDOM && code != -EEXIST) return wrong(name, code);
  }
  if (const int code = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS); code != 0)
    return wrong("SCMP_FLTATR_ACT_BADARCH", code);
  if (const int code = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1); code != 0)
    return wrong("SCMP_FLTATR_CTL_TSYNC", code);
  (void)seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE,
                         2);  // a search instead of a list; older kernels get the list
  if (const int code = seccomp_load(filter.get()); code != 0) return wrong("can't be loaded", code);
  return {};
}

}  // namespace nuropb::sandbox
