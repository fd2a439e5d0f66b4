#pragma once
// How the gateway's programs begin and end: the log, what is said where one can't start, and what it gives up once it has.

#include <string>

#include "common/config.hpp"
#include "common/result.hpp"
#include "common/sandbox.hpp"

namespace nuropb::program {

/// The exit code (sysexits.h EX_CONFIG) where starting again would end the same way; the launcher knows it.
inline constexpr int permanent_fault = 78;

/// Opens the log and starts its writer; a broken socket, and signals that come before their handlers, end nothing from
/// here on. False where the log can't be opened, which was said on standard error.
bool begin(const std::string& name, const Config& config);

/// SIGHUP and SIGUSR2, those that came meanwhile included: there are handlers for them by now.
void allow_requests();

/// Logs it. The exit code.
int fail(const Error& error);

/// The end of the start: privileges, core dumps and system calls that the role has no use for.
Result<void> give_up(const Config::Hardening& settings, sandbox::Role role);

/// The loop has ended: who asks once more makes no other end of it, and the exit code stays that of an orderly one.
void ask_no_more();

}  // namespace nuropb::program
