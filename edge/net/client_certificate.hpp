#pragma once
// The verified client certificate of a TLS handshake, as the rest of an edge sees it. C++17, like stream.hpp.

#include <cstdint>
#include <string>

namespace nuropb::edge {

struct ClientCertificate {
  std::string name;  ///< selected by tls.client_name; empty: no verified certificate, or none with such a name
  /// Unix time of the earliest expiry in its verified chain.
  std::uint64_t valid_until = 0;
};

}  // namespace nuropb::edge
