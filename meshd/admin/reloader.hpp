#pragma once
// Reads the files again that may change while meshd runs: tokens, backends' keys, keys of gateways, the policy; and applies them to
// the sessions that there are. What can't be read leaves what was loaded before in force. Owner thread: the event loop.

#include <memory>
#include <string>

#include "common/config.hpp"
#include "meshd/auth/authorizer.hpp"
#include "meshd/peer_keys.hpp"
#include "meshd/sessions/session_manager.hpp"
#include "meshd/snorky/snorky_gateway.hpp"
#include "meshd/workers/worker_port.hpp"

namespace nuropb::meshd {

class Reloader {
 public:
  /// `peer_keys`: nullptr if the gateways of this service share no key.
  Reloader(const Config& config, Authorizer& authorizer, std::shared_ptr<PeerKeys> peer_keys, SnorkyGateway& snorky,
           SessionManager& sessions, WorkerPort& workers)
      : config_(config),
        authorizer_(authorizer),
        peer_keys_(std::move(peer_keys)),
        snorky_(snorky),
        sessions_(sessions),
        workers_(workers) {}

  /// What could not be read; empty: all of it could.
  std::string reload();

 private:
  const Config& config_;
  Authorizer& authorizer_;
  std::shared_ptr<PeerKeys> peer_keys_;
  SnorkyGateway& snorky_;
  SessionManager& sessions_;
  WorkerPort& workers_;
};

}  // namespace nuropb::meshd
