#pragma once
// Resource usage of a process from /proc. Empty if /proc does not provide the value.

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace nuropb {

/// Resident memory in bytes of any process of this machine.
std::optional<std::uint64_t> resident_bytes(pid_t process);
/// Number of open file descriptors of this process. Costs a system call per descriptor.
std::optional<std::uint64_t> open_files();
/// This process's limit of open file descriptors.
std::uint64_t most_files();

}  // namespace nuropb
