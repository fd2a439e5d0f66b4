#include "common/sandbox.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/errno_text.hpp"

namespace nuropb::sandbox {
namespace {

std::optional<Identity> find_user(const std::string& name) {
  // Called at start-up only, by one thread.
  const passwd* const found = ::getpwnam(name.c_str());
  if (!found) return {};
  return Identity{name, found->pw_uid, found->pw_gid};
}

Result<void> no_capabilities() {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
    return failure("ambient capabilities cannot be dropped: " + errno_text(), "hardening");
  if (::syscall(SYS_capset, &head, none.data()) != 0) return failure("capabilities stay: " + errno_text(), "hardening");
  return {};
}

}  // namespace

Result<Identity> edge_identity(const std::string& name) {
  if (!name.empty()) {
    if (const auto found = find_user(name)) return *found;
    return failure("no such user: '" + name + "'", "hardening.edge_user", "make one: adduser --system --group " + name);
  }
  for (const char* const usual : {"nuropb-edge", "nobody"}) {
    if (const auto found = find_user(usual)) return *found;
  }
  return failure("neither user 'nuropb-edge' nor user 'nobody' exists", "hardening.edge_user",
                 "make one: adduser --system --group nuropb-edge");
}

Result<void> become(const Identity& who) {
  // Changing the user clears the parent-death signal, so it is set again; then the parent may already have died.
  int with_parent = 0;
  ::prctl(PR_GET_PDEATHSIG, &with_parent, 0, 0, 0);
  const pid_t parent = ::getppid();
  if (::setgroups(1, &who.gid) != 0 || ::setresgid(who.gid, who.gid, who.gid) != 0 ||
      ::setresuid(who.uid, who.uid, who.uid) != 0) {
    return failure("can't become the user '" + who.name + "': " + errno_text(), "hardening.edge_user");
  }
  // Verifies that root cannot be regained.
  if (who.uid != 0 && (::setuid(0) == 0 || ::seteuid(0) == 0))
    return failure("root can be regained after becoming '" + who.name + "'", "hardening.edge_user");
  if (with_parent != 0 && (::prctl(PR_SET_PDEATHSIG, with_parent, 0, 0, 0) != 0 || ::getppid() != parent))
    return failure("the parent process has ended", "hardening");
  return {};
}

Result<void> give_up(bool core_dumps, bool alone) {
  const rlimit nothing{0, 0};
  if (alone) {
    if (const auto done = no_capabilities(); !done) return done;
  }
  if (alone && ::setrlimit(RLIMIT_NPROC, &nothing) != 0) return failure("RLIMIT_NPROC: " + errno_text(), "hardening");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failure("no_new_privs: " + errno_text(), "hardening");
  if (core_dumps) {
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // setuid() has cleared it
    return {};
  }
  if (::setrlimit(RLIMIT_CORE, &nothing) != 0) return failure("RLIMIT_CORE: " + errno_text(), "hardening");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failure("PR_SET_DUMPABLE: " + errno_text(), "hardening");
  return {};
}

}  // namespace nuropb::sandbox
