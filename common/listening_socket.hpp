#pragma once
// A TCP socket that listens: the one place that makes them, so that all listeners of the gateway behave alike.

#include <cstdint>
#include <string>

#include "common/result.hpp"

namespace nuropb {

struct ListenAt {
  std::string address;  ///< an IP address; "::" is every address of both families, whatever net.ipv6.bindv6only says
  std::uint16_t port = 0;
  int backlog = 128;
  /// Further processes of ours listen on the same port, and the kernel spreads connections over them.
  bool shared = false;
};

/// Its descriptor, non-blocking and close-on-exec. The error is the kernel's reason alone.
Result<int> listening_socket(const ListenAt& at);

}  // namespace nuropb
