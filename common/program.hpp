#pragma once
// Common start-up and shutdown of the gateway's programs: the log, start-up errors, and the privileges that are
// dropped.

#include <string>

#include "common/config.hpp"
#include "common/result.hpp"
#include "common/sandbox.hpp"

namespace nuropb::program {

/// Exit code for faults that a restart cannot fix (sysexits.h EX_CONFIG). The launcher does not restart after it.
inline constexpr int permanent_fault = 78;

/// Opens the log and starts its writer. From here on SIGPIPE is ignored, and SIGHUP and SIGUSR2 stay pending until
/// allow_requests(). Returns false if the log cannot be opened, after reporting it on standard error.
bool begin(const std::string& name, const Config& config);

/// Unblocks SIGHUP and SIGUSR2, now that their handlers are installed. Signals that arrived meanwhile are delivered.
void allow_requests();

/// Logs the error. Returns the exit code.
int fail(const Error& error);

/// The last step of start-up: drops privileges, core dumps and the system calls that the role does not use.
Result<void> give_up(const Config::Hardening& settings, sandbox::Role role);

/// To be called after the event loop has ended: ignores further stop signals, so that the exit code stays that of an
/// orderly shutdown.
void ask_no_more();

}  // namespace nuropb::program
