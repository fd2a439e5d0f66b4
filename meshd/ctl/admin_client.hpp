#pragma once
// Asks a running meshd over its admin socket (meshd/admin_socket.hpp).

#include <string>

#include "common/clock.hpp"
#include "common/result.hpp"

namespace nuropb::ctl {

/// The key of the admin socket in that gateway.runtime_dir. The error names the file.
Result<std::string> admin_key(const std::string& runtime_dir);

/// POST /operations/<name> with this JSON; the answer's JSON. An error says why there is none: no key to be read, no meshd
/// there, no answer in time, or what meshd says is wrong.
Result<std::string> operate(const std::string& runtime_dir, const std::string& name, const std::string& body,
                            milliseconds timeout);

}  // namespace nuropb::ctl
