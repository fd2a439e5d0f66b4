#pragma once
// The gateway's own methods on the mesh: what other services may have it do with its consumers. Each is described by
// nuropb_describe, and refused with NuropbAuthorizationError unless the policy's [[controller]] rules allow the caller.
//
// Calls arrive on the transport's thread; they are judged and run on the ring loop's, and answered when all edges and
// gateways have said what became of them. A gateway's service queue is shared by all gateways of the service, so any of
// them may get the call; it reaches the sessions of all.

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
  std::function<const Policy&()> policy;                    ///< the one in force; asked on the ring loop's thread
  std::function<void(std::function<void()>)> on_ring_loop;  ///< runs it there; drops it when the loop has ended
};

/// Before the transport starts.
void add_controller_methods(mesh::ServiceHost& host, ControllerParts parts);

/// Whether a gateway of our own service asks, and so a client of it. Pure.
bool is_a_gateway_of(const Config& config, const mesh::Call& call);

/// Who calls, by what the call says of itself: the context's user id, claims and roles, and the service whose response
/// queue is to be answered. As true as whoever may publish to the broker; the contexts of consumers are the gateway's
/// own. Pure.
ControllerCaller controller_caller(const mesh::Call& call, const Config::Auth& keys);

}  // namespace nuropb::meshd
