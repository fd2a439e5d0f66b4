#pragma once
// Asks a running meshd over its admin socket (meshd/admin_socket.hpp).

#include <string>

#include "common/clock.hpp"
#include "common/result.hpp"

namespace nuropb::ctl {

/// POST /operations/<name> with this JSON; the answer's JSON. An error says why there is none: no meshd there, no answer
/// in time, or what meshd says is wrong.
Result<std::string> operate(const std::string& admin_socket, const std::string& name, const std::string& body,
                            milliseconds timeout);

}  // namespace nuropb::ctl
