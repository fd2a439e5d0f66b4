#pragma once
// A participant's settings from what a program usually knows: the broker's URL and its own name. Everything else has a
// default and can be changed afterwards (transport.hpp).

#include <string>
#include <string_view>

#include "common/result.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

/// Settings of a service that shares its work with other instances of the same name; its instance id is random. `url`
/// may be a comma-separated list: the brokers of a cluster, tried in turn.
Result<TransportSettings> service_settings(std::string_view url, std::string service_name);
/// Settings of a participant that only sends requests.
Result<TransportSettings> client_settings(std::string_view url);

}  // namespace nuropb::mesh
