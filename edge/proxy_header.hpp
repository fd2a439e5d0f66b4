#pragma once
// The PROXY protocol's header, versions 1 and 2 (haproxy.org, proxy-protocol.txt), by which a proxy on TCP level says
// whose connection it passes on. Pure; read only from listen.trusted_proxies.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/ip_address.hpp"

namespace nuropb::edge {

struct ProxyHeader {
  enum class What {
    incomplete,  ///< `wanted` more bytes at most may be read: what follows the header belongs to the consumer
    complete,
    rubbish,
  } what = What::rubbish;
  std::size_t wanted = 0;
  /// Nothing where the proxy speaks for itself (LOCAL, UNKNOWN): a health check.
  std::optional<IpAddress> source;
  std::uint16_t port = 0;
};

/// Longer ones are rubbish; version 2 allows 64 KiB of extensions that nobody here reads.
inline constexpr std::size_t max_proxy_header = 4096;

ProxyHeader parse_proxy_header(std::string_view bytes);

}  // namespace nuropb::edge
