#pragma once
// What a process drops after start-up: root, capabilities, core dumps, and every system call that it does not need.
// Each role has a table of calls (sandbox_calls.cpp); any other call ends the process with SIGSYS at once, so that an
// attacker who has compromised it gets no second try. The kernel's log names the call, and the launcher says where to
// look.
//
// Linux only. The process must have one thread at the time of become(); allow_only() applies to every thread of the
// process.

#include <linux/filter.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/result.hpp"

namespace nuropb::sandbox {

/// The user that an edge runs as when root starts it.
struct Identity {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// The user of this name (hardening.edge_user). For an empty name: `nuropb-edge`, or `nobody` if that user does not
/// exist.
Result<Identity> edge_identity(const std::string& name);

/// Switches permanently from root to that user, with its own group only. On an error the process must not continue.
Result<void> become(const Identity& who);

/// Forbids new privileges by exec and, unless `core_dumps`, core dumps and debuggers, including those of our own user:
/// both would expose memory. With `alone` it also drops all capabilities and forbids new processes and threads.
Result<void> give_up(bool core_dumps, bool alone);

enum class Role {
  /// No files, no new sockets except accepted ones, no processes, no new executable code.
  edge,
  dialer,       ///< edge/process/control_dialer.hpp: connects to Unix sockets of type SOCK_SEQPACKET
  file_reader,  ///< edge/process/certificate_files.hpp: reads files
  log_writer,   ///< common/log_writer.hpp: appends to files
  meshd,        ///< no programs, no listening, no debugging of others
};

/// Whether this build supports the tables. Builds with sanitizers do not, because these need more calls.
[[nodiscard]] bool available();

/// Restricts all threads, from here on, to the role's table.
Result<void> allow_only(Role role);

/// The filter as a program for the kernel of that architecture, as libseccomp names it ("x86_64", "aarch64"), so that
/// each architecture's table can be tested on any machine. Nothing is loaded.
Result<std::vector<sock_filter>> program_of(Role role, const char* architecture);

}  // namespace nuropb::sandbox
