#pragma once
// Creates the chain of the configured authorizers.

#include <memory>

#include "common/config.hpp"
#include "meshd/auth/chain.hpp"
#include "meshd/auth/mesh_authorizer.hpp"

namespace nuropb::meshd {

struct Authorizers {
  std::unique_ptr<AuthorizerChain> chain;
  /// The "mesh" authorizer within the chain, if configured: the ring loop has to connect it.
  MeshAuthorizer* mesh = nullptr;
};

/// One of auth.authorizers by itself. It reads its files; it starts nothing. "mesh" can only ask once `make_authorizers` has made it.
Result<std::unique_ptr<Authorizer>> make_authorizer(const Config& config, const std::string& name);

/// An error names the setting or the file and what is wrong with it.
Result<Authorizers> make_authorizers(const Config& config);

}  // namespace nuropb::meshd
