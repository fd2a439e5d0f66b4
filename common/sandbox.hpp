#pragma once
// What a process gives up once it has all that it needs: root, its capabilities, core dumps, and every system call
// that it has no use for. Each role has its table of calls (sandbox_calls.cpp); what is not in it ends the process with
// SIGSYS, at once and without a word of its own: whoever has taken it over gets no second try. The kernel's log names
// the call, and the launcher says where to look.
//
// Linux only, like all of it. One thread at the time of become(); allow_only() holds for every thread of the process.

#include <linux/filter.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/result.hpp"

namespace nuropb::sandbox {

/// Who an edge is where root starts it.
struct Identity {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// The user of this name (hardening.edge_user); for the empty one `nuropb-edge` or, where there is none, `nobody`.
Result<Identity> edge_identity(const std::string& name);

/// From root to that user, with its own group only, for good. An error is a reason not to go on.
Result<void> become(const Identity& who);

/// No new privileges by any exec; and, unless `core_dumps`, neither these nor a debugger of our own user's: they would
/// show what lies in memory. With `alone`, no capabilities, and no process or thread comes after this.
Result<void> give_up(bool core_dumps, bool alone);

enum class Role {
  edge,         ///< no files, no new sockets but accepted ones, no processes, no code that was not there at the start
  dialer,       ///< edge/control_dialer.hpp: connects to Unix sockets of type SOCK_SEQPACKET
  file_reader,  ///< edge/certificate_files.hpp: reads files
  log_writer,   ///< common/log_writer.hpp: appends to files
  meshd,        ///< no programs, no listening, no debugging of others
};

/// Whether this build has such tables: not one with sanitizers, which need more than any process of ours.
[[nodiscard]] bool available();

/// From here on, for all threads, only what the role's table has.
Result<void> allow_only(Role role);

/// The same as a program for the kernel of a machine of that architecture, as libseccomp calls it ("x86_64", "aarch64"): what
/// each has in its table can be tested on any machine. Nothing is loaded.
Result<std::vector<sock_filter>> program_of(Role role, const char* architecture);

}  // namespace nuropb::sandbox
