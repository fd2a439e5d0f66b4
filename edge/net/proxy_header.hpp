#pragma once
// The PROXY protocol's header, versions 1 and 2 (haproxy.org, proxy-protocol.txt), with which a TCP-level proxy sends
// the client's address. Pure; only read from listen.trusted_proxies.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/ip_address.hpp"

namespace nuropb::edge {

struct ProxyHeader {
  enum class What {
    incomplete,  ///< at most `wanted` more bytes may be read, because the client's data follows the header
    complete,
    rubbish,
  } what = What::rubbish;
  std::size_t wanted = 0;
  /// Empty if the proxy connects on its own behalf (LOCAL, UNKNOWN): a health check.
  std::optional<IpAddress> source;
  std::uint16_t port = 0;
};

/// Longer headers are rejected; version 2 allows 64 KiB of extensions, which are not used here.
inline constexpr std::size_t max_proxy_header = 4096;

ProxyHeader parse_proxy_header(std::string_view bytes);

}  // namespace nuropb::edge
