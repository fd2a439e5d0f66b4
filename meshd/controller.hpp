#pragma once
// The gateway's own methods on the mesh, by which other services act on its clients. Each is described by
// nuropb_describe, and refused with NuropbAuthorizationError unless the policy's [[controller]] rules allow the caller.
//
// Calls arrive on the transport's thread; they are authorized and executed on the ring loop's thread, and answered when
// all edges and gateways have reported. All gateways of a service share its queue, so any of them may get the call; it
// reaches the sessions of all.

#include <functional>
#include <string>

#include "common/config.hpp"
#include "meshd/mesh/service_host.hpp"
#include "meshd/policy.hpp"
#include "meshd/pushes.hpp"

namespace nuropb::meshd {

struct ControllerParts {
  const Config& config;
  Pushes& pushes;
  std::function<const Policy&()> policy;  ///< the current policy; called on the ring loop's thread
  /// Runs work on the ring loop's thread; drops it when the loop has ended.
  std::function<void(std::function<void()>)> on_ring_loop;
};

/// To be called before the transport starts.
void add_controller_methods(mesh::ServiceHost& host, ControllerParts parts);

/// Whether the caller is a gateway of our own service, so that the call comes from a client. Pure.
bool is_a_gateway_of(const Config& config, const mesh::Call& call);

/// The caller as the call itself describes it: user id, claims and roles from the context, and the service that owns
/// the response queue. It is only as trustworthy as the programs that may publish to the broker; contexts of clients
/// are written by the gateway. Pure.
ControllerCaller controller_caller(const mesh::Call& call, const Config::Auth& keys);

}  // namespace nuropb::meshd
