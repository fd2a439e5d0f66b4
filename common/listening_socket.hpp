#pragma once
// Creates listening TCP sockets. It is the only place that does, so that all listeners of the gateway behave alike.

#include <cstdint>
#include <string>

#include "common/result.hpp"

namespace nuropb {

struct ListenAt {
  std::string address;  ///< an IP address; "::" listens on both families, whatever net.ipv6.bindv6only says
  std::uint16_t port = 0;
  int backlog = 128;
  /// Other processes of the gateway listen on the same port, and the kernel distributes connections among them
  /// (SO_REUSEPORT).
  bool shared = false;
};

/// The descriptor, non-blocking and close-on-exec. The error is the kernel's reason alone.
Result<int> listening_socket(const ListenAt& at);

}  // namespace nuropb
