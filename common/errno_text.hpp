#pragma once
// The text for errno of the calling thread.

#include <cerrno>
#include <cstring>
#include <string>

namespace nuropb {

inline std::string errno_text() { return std::strerror(errno); }

}  // namespace nuropb
