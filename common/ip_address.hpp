#pragma once
// Addresses of clients and proxies, and sets of them as CIDR blocks. Pure.
//
// IPv4 addresses are kept in IPv6-mapped form (RFC 4291 section 2.5.5.2), so that an address is the same over a
// dual-stack socket and over an IPv4 socket.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nuropb {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  /// "10.0.0.1", "::1", "::ffff:10.0.0.1"; no port, no zone, no brackets.
  static std::optional<IpAddress> parse(std::string_view text);
  static IpAddress of_v4(const std::uint8_t* four);
  static IpAddress of_v6(const std::uint8_t* sixteen);

  [[nodiscard]] bool is_v4() const;
  /// An IPv4 address without the mapping.
  [[nodiscard]] std::string text() const;
  /// The unit in which clients are counted: an IPv4 address, or an IPv6 address's /64, which one host usually controls.
  [[nodiscard]] IpAddress host() const;

  bool operator==(const IpAddress& other) const { return bytes == other.bytes; }
  bool operator<(const IpAddress& other) const { return bytes < other.bytes; }
};

/// The address without its port: "10.0.0.7" for "10.0.0.7:4711", "::1" for "[::1]:4711"; an address without a port is
/// returned as it is.
inline std::string_view host_in_peer(std::string_view peer) {
  if (!peer.empty() && peer.front() == '[') return peer.substr(1, peer.find(']') - 1);
  return peer.find(':') == peer.rfind(':') ? peer.substr(0, peer.find(':')) : peer;
}

class AddressBlocks {
 public:
  /// Adds "10.0.0.0/8", "::1", "fd00::/8". Returns false if the text is not a block; bits after the prefix must be
  /// zero.
  bool add(std::string_view block);
  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] bool empty() const { return blocks_.empty(); }

 private:
  struct Block {
    IpAddress address;
    unsigned bits = 0;
  };
  std::vector<Block> blocks_;
};

}  // namespace nuropb
