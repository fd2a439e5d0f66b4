#pragma once
// The settings of a participant from what a program usually knows: the broker's URL and its own name. Everything else
// has a default and can be changed afterwards (transport.hpp).

#include <string>
#include <string_view>

#include "common/result.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

/// A service that other instances of the same name share the work with; its instance id is random. `url` may be a list
/// separated by commas: the brokers of a cluster, tried in turn.
Result<TransportSettings> service_settings(std::string_view url, std::string service_name);
/// A participant that only asks.
Result<TransportSettings> client_settings(std::string_view url);

}  // namespace nuropb::mesh
