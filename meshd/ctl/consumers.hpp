#pragma once
// nuropb-ctl sessions, send, kick: what the gateway's own methods do (meshd/operations.hpp), by hand.

#include <cstdint>
#include <string>
#include <vector>

#include "common/config.hpp"

namespace nuropb::ctl {

struct Sessions {
  std::string user, cursor;
  std::uint64_t limit = 100;
  bool count = false, json = false;
  std::string handler = "websocket";  ///< whose consumers: common/handler_kinds.hpp
};

/// Whom send and kick are for: one of the three.
struct Whom {
  std::string session;
  std::vector<std::string> users;
  bool all = false;
  std::string handler = "websocket";
};
struct Send {
  Whom whom;
  std::string message;  ///< JSON, or "-": from standard input
  bool json = false;
};
struct Kick {
  Whom whom;
  std::uint32_t code = 1000;
  std::string reason;
  bool json = false;
};

/// Each returns the exit code: 0 done; 1 it could not be done, or not everybody answered; 2 wrong arguments;
/// 3 nobody was there.
int sessions(const Config& config, const Sessions& options);
int send(const Config& config, const Send& options);
int kick(const Config& config, const Kick& options);

}  // namespace nuropb::ctl
