#pragma once
// What a process costs the machine, as /proc has it. Nothing where /proc does not say.

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace nuropb {

/// Memory that a process has, in bytes; any process of this machine may be asked about.
std::optional<std::uint64_t> resident_bytes(pid_t process);
/// File descriptors that we have. Looks at each.
std::optional<std::uint64_t> open_files();
/// How many we may have.
std::uint64_t most_files();

}  // namespace nuropb
