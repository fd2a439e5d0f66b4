#pragma once
// Client for a running meshd's admin socket (meshd/admin_socket.hpp).

#include <string>

#include "common/clock.hpp"
#include "common/result.hpp"

namespace nuropb::ctl {

/// The admin socket's key in that gateway.runtime_dir. The error names the file.
Result<std::string> admin_key(const std::string& runtime_dir);

/// Sends POST /operations/<name> with this JSON and returns the JSON of the response. The error says what failed: the
/// key cannot be read, meshd is not running, no response in time, or meshd's error.
Result<std::string> operate(const std::string& runtime_dir, const std::string& name, const std::string& body,
                            milliseconds timeout);

}  // namespace nuropb::ctl
