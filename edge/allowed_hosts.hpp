#pragma once
// By which names this gateway may be called (listen.hosts). Pure.

#include <string>
#include <string_view>
#include <vector>

namespace nuropb::edge {

/// "example.com" of "Example.com.:443"; the port is left out, an IPv6 address keeps its brackets. Empty: no host.
std::string host_of(std::string_view header);
/// `allowed`: "app.example.com" is that host, ".example.com" it and all below; empty allows any.
bool host_allowed(std::string_view header, const std::vector<std::string>& allowed);

}  // namespace nuropb::edge
