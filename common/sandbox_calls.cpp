// Which system calls a process of each role may make.
//
// A table row is a system call with conditions on its arguments. Calls that glibc tries before a fallback are refused
// with an error, so that the fallback is used. Calls are listed by name; those that a kernel or an architecture does
// not have are skipped.

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

/// A condition on one argument: (argument & mask) == value. An empty mask accepts any value.
struct Condition {
  unsigned argument = 0;
  scmp_datum_t mask = 0;
  scmp_datum_t value = 0;
};
/// Allowed if both conditions hold.
struct Call {
  const char* name;
  Condition first{}, second{};
};
using Calls = std::vector<Call>;

constexpr scmp_datum_t whole = ~scmp_datum_t{0};
constexpr scmp_datum_t word = 0xffff'ffff;  // for arguments that are int

/// What every C++ process needs: non-executable memory, time, waiting, exiting.
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
      // A thread may change its own scheduling only.
      {"sched_setscheduler", {0, word, 0}, {1, word, SCHED_OTHER}},
      {"sched_setscheduler", {0, word, 0}, {1, word, SCHED_BATCH}},
      {"getcpu"},
      {"uname"},
      {"exit"},
      {"exit_group"},
  };
  return calls;
}

/// Operations on existing sockets, and polling.
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
      // All sockets of an edge come from accept() or are handed over (edge/process/control_dialer.hpp). connect() is forbidden:
      // it reaches every Unix socket of the same user, and other hosts through a TCP socket that was disconnected
      // before. MSG_FASTOPEN and a destination address in sendto() could do the same.
      {"sendto", {3, MSG_FASTOPEN, 0}, {4, whole, 0}},
      {"sendmsg", {2, MSG_FASTOPEN, 0}},
      // Pipes may not be enlarged or switched to packet mode, so doorbells stay as meshd has created them.
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
                           // A FIFO without a reader: opening it in another way blocks or fails.
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
      // Threads, but no processes. clone3 passes its flags in memory, where the filter cannot check them, so it is
      // refused and glibc falls back to clone.
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
      // Connections to the broker, etcd, token issuers and DNS servers.
      {"socket", {0, word, AF_UNIX}},
      {"socket", {0, word, AF_INET}},
      {"socket", {0, word, AF_INET6}},
      {"socket", {0, word, AF_NETLINK}},
      {"socketpair", {0, word, AF_UNIX}},
      {"bind"},
      // For recreating the runtime folder if a cleaner removes it. Listening sockets are made by
      // meshd/socket_maker.hpp.
      {"chown"},
      {"fchownat"},
      // Files that are reloaded, and files of the resolver. Resolver modules are the only executable code that is
      // loaded from files.
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
      // Shared memory of workers, and killing them.
      {"memfd_create"},
      {"ftruncate"},
      {"fallocate"},
      {"pidfd_open"},
      {"pidfd_send_signal"},
  };
  return calls;
}

/// Calls that fail with an error instead of ending the process.
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
    if (one.mask != 0)  // libseccomp's macros expand to C that clang rejects
      conditions.push_back({one.argument, SCMP_CMP_MASKED_EQ, one.mask, one.value});
  }
  const int code = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, static_cast<unsigned>(conditions.size()),
                                          conditions.data());
  // A call that the architecture does not have, or a duplicate rule.
  return code == -EDOM || code == -EEXIST ? 0 : code;
}

using Filter = std::unique_ptr<void, Release>;

/// The filter for this machine's architecture, or for the one with that libseccomp name.
Result<Filter> filter_of(Role role, const char* architecture) {
  Filter filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (!filter)
    return failure("cannot create the filter", "hardening.seccomp",
                   "the system call seccomp may be forbidden, for example by SystemCallFilter= of systemd");
  const std::uint32_t other = architecture ? seccomp_arch_resolve_name(architecture) : seccomp_arch_native();
  if (other == 0) return failure("unknown architecture '" + std::string(architecture) + "'", "hardening.seccomp");
  if (other != seccomp_arch_native() &&
      (seccomp_arch_add(filter.get(), other) != 0 || seccomp_arch_remove(filter.get(), seccomp_arch_native()) != 0))
    return failure("cannot create the filter for '" + std::string(architecture) + "'", "hardening.seccomp");
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
  // A failed assertion sends a signal to the process itself; signals to others are forbidden.
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
    return failure("this build does not support system call filters", "hardening.seccomp",
                   "builds with sanitizers run without them");
  const auto filter = filter_of(role, nullptr);
  if (!filter) return tl::unexpected(filter.error());
  if (const int code = seccomp_attr_set(filter->get(), SCMP_FLTATR_CTL_TSYNC, 1); code != 0)
    return wrong("SCMP_FLTATR_CTL_TSYNC", code);
  (void)seccomp_attr_set(filter->get(), SCMP_FLTATR_CTL_OPTIMIZE,
                         2);  // binary search instead of a linear list; older kernels ignore it
  if (const int code = seccomp_load(filter->get()); code != 0) return wrong("can't be loaded", code);
  return {};
}

Result<std::vector<sock_filter>> program_of(Role role, const char* architecture) {
  const auto filter = filter_of(role, architecture);
  if (!filter) return tl::unexpected(filter.error());
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  if (!file) return wrong("cannot create a file for the program", -errno);
  if (const int code = seccomp_export_bpf(filter->get(), ::fileno(file.get())); code != 0)
    return wrong("can't be exported", code);
  std::vector<sock_filter> program;
  std::rewind(file.get());
  for (sock_filter one{}; std::fread(&one, sizeof one, 1, file.get()) == 1;) program.push_back(one);
  return program;
}

}  // namespace nuropb::sandbox
