#pragma once
// The host names under which clients may address this gateway (listen.hosts). Pure.

#include <string>
#include <string_view>
#include <vector>

namespace nuropb::edge {

/// "example.com" for "Example.com.:443"; the port is removed, an IPv6 address keeps its brackets. Empty if there is no
/// host.
std::string host_of(std::string_view header);
/// `allowed`: "app.example.com" is that host only, ".example.com" it and all subdomains; an empty list allows any host.
bool host_allowed(std::string_view header, const std::vector<std::string>& allowed);

}  // namespace nuropb::edge
