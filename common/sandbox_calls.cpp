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
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <linux/filter.h>
#include <linux/sched.h>
#include <memory>
#include <span>
#include <utility>
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
      {"shutdown"},
      {"accept"},
      {"accept4"},
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
      // All its sockets are made by accept(), or handed over (edge/control_dialer.hpp). No connect(): that reaches every Unix
      // socket of its user, and other hosts by a TCP socket that was disconnected before. MSG_FASTOPEN, and an address with
      // what is sent, would do the same.
      {"sendto", {3, MSG_FASTOPEN, 0}, {4, whole, 0}},
      {"sendmsg", {2, MSG_FASTOPEN, 0}},
      // No larger pipes, and none of packets: its doorbells stay as meshd has made them.
      {"fcntl", {1, word, F_GETFD}},
      {"fcntl", {1, word, F_SETFD}},
      {"fcntl", {1, word, F_GETFL}},
      {"fcntl", {1, word, F_SETFL}, {2, O_DIRECT, 0}},
      {"fcntl", {1, word, F_GET_SEALS}},
  };
  return calls;
}

const Calls& dialer_only() {
  static const Calls calls{{"recvfrom"},
                           {"sendmsg"},
                           {"socket", {0, word, AF_UNIX}, {1, word, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK}},
                           {"connect"}};
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

const Calls& log_writer_only() {
  static const Calls calls{{"recvfrom"},
                           {"sendto"},
                           {"poll"},
                           {"ppoll"},
                           {"openat", {2, O_ACCMODE | O_APPEND | O_CREAT | O_TRUNC, O_WRONLY | O_APPEND | O_CREAT}},
                           {"open", {1, O_ACCMODE | O_APPEND | O_CREAT | O_TRUNC, O_WRONLY | O_APPEND | O_CREAT}},
                           // A FIFO without a reader: another way of opening it than this waits, or is refused.
                           {"openat", {2, O_ACCMODE | O_APPEND | O_CREAT | O_TRUNC, O_RDWR | O_APPEND}},
                           {"open", {1, O_ACCMODE | O_APPEND | O_CREAT | O_TRUNC, O_RDWR | O_APPEND}},
                           {"alarm"},
                           {"setitimer"}};
  return calls;
}

const Calls& meshd_only() {
  static const Calls calls{
      {"fcntl"},
      {"connect"},
      {"sendto"},
      {"sendmsg"},
      {"sendmmsg"},
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
      // The runtime folder, should a cleaner remove it. Not to listen: meshd/socket_maker.hpp does that.
      {"chown"},
      {"fchownat"},
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
      {"open", EACCES},       {"openat", EACCES}, {"openat2", EACCES}, {"access", EACCES}, {"faccessat", EACCES},
      {"faccessat2", EACCES}, {"stat", EACCES},   {"lstat", EACCES},   {"statx", EACCES},  {"readlink", EACCES},
      {"readlinkat", EACCES}, {"unlink", EACCES}, {"unlinkat", EACCES}};
  static const std::initializer_list<std::pair<const char*, int>> reader{{"statx", ENOSYS}};
  return role == Role::meshd ? with_files : role == Role::edge ? without_files : reader;
}

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

tl::unexpected<Error> wrong(const char* what, int code) {
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

using Filter = std::unique_ptr<void, Release>;

/// Of this machine's architecture, or of the one that libseccomp calls so.
Result<Filter> filter_of(Role role, const char* architecture) {
  Filter filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (!filter)
    return failure("no filter can be made", "hardening.seccomp",
                   "whoever started it may forbid the system call seccomp (SystemCallFilter= of systemd)");
  const std::uint32_t other = architecture ? seccomp_arch_resolve_name(architecture) : seccomp_arch_native();
  if (other == 0) return failure("there is no architecture '" + std::string(architecture) + "'", "hardening.seccomp");
  if (other != seccomp_arch_native() &&
      (seccomp_arch_add(filter.get(), other) != 0 || seccomp_arch_remove(filter.get(), seccomp_arch_native()) != 0))
    return failure("no filter can be made for '" + std::string(architecture) + "'", "hardening.seccomp");
  std::vector<Call> allowed = everyone();
  const auto append = [&](const Calls& calls) { allowed.insert(allowed.end(), calls.begin(), calls.end()); };
  switch (role) {
    case Role::edge:
      append(sockets());
      append(edge_only());
      break;
    case Role::meshd:
      append(sockets());
      append(meshd_only());
      break;
    case Role::dialer: append(dialer_only()); break;
    case Role::file_reader: append(file_reader_only()); break;
    case Role::log_writer: append(log_writer_only()); break;
  }
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
  return filter;
}

}  // namespace

bool available() { return NUROPB_HAS_SECCOMP; }

Result<void> allow_only(Role role) {
  if (!available())
    return failure("this build has no tables of system calls", "hardening.seccomp",
                   "a build with sanitizers runs without");
  const auto filter = filter_of(role, nullptr);
  if (!filter) return tl::unexpected(filter.error());
  if (const int code = seccomp_attr_set(filter->get(), SCMP_FLTATR_CTL_TSYNC, 1); code != 0)
    return wrong("SCMP_FLTATR_CTL_TSYNC", code);
  (void)seccomp_attr_set(filter->get(), SCMP_FLTATR_CTL_OPTIMIZE,
                         2);  // a search instead of a list; older kernels get the list
  if (const int code = seccomp_load(filter->get()); code != 0) return wrong("can't be loaded", code);
  return {};
}

Result<std::vector<sock_filter>> program_of(Role role, const char* architecture) {
  const auto filter = filter_of(role, architecture);
  if (!filter) return tl::unexpected(filter.error());
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  if (!file) return wrong("no file for the program", -errno);
  if (const int code = seccomp_export_bpf(filter->get(), ::fileno(file.get())); code != 0)
    return wrong("can't be exported", code);
  std::vector<sock_filter> program;
  std::rewind(file.get());
  for (sock_filter one{}; std::fread(&one, sizeof one, 1, file.get()) == 1;) program.push_back(one);
  return program;
}

}  // namespace nuropb::sandbox
