#pragma once
// What the rest of an edge knows of the certificate that a client has shown in its TLS handshake. C++17, as stream.hpp is.

#include <cstdint>
#include <string>

namespace nuropb::edge {

struct ClientCertificate {
  std::string name;  ///< by tls.client_name; empty: there is no verified certificate, or none with such a name
  std::uint64_t valid_until = 0;  ///< Unix time; the earliest end in its verified chain
};

}  // namespace nuropb::edge
