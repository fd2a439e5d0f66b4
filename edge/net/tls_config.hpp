#pragma once
// [tls] of the settings, for the edge that uses it and for a check that starts nothing.

#include "common/config.hpp"
#include "edge/net/tls.hpp"

namespace nuropb::edge {

/// Without a reader of its own: files are read directly.
TlsSettings tls_settings(const Config::Tls& config);

/// Loads each certificate with its key, and the authorities of clients, as an edge does when it starts. Prints and logs nothing.
ConfigFindings check_tls(const Config& config);

}  // namespace nuropb::edge
