#pragma once
// What the last failed system call of this thread says of its reason.

#include <cerrno>
#include <cstring>
#include <string>

namespace nuropb {

inline std::string errno_text() { return std::strerror(errno); }

}  // namespace nuropb
