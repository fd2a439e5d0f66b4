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

/// An error names the setting or the file and what is wrong with it.
Result<Authorizers> make_authorizers(const Config& config);

}  // namespace nuropb::meshd
