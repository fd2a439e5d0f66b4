#pragma once
// Addresses of consumers and proxies, and sets of them as CIDR blocks. Pure.
//
// IPv4 is kept in its IPv6-mapped form (RFC 4291 section 2.5.5.2), so that an address that arrives over a dual-stack
// socket is the same as over an IPv4 one.

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
  /// What counts as one consumer: an IPv4 address, or the /64 that an IPv6 host commands as a whole.
  [[nodiscard]] IpAddress host() const;

  bool operator==(const IpAddress& other) const { return bytes == other.bytes; }
  bool operator<(const IpAddress& other) const { return bytes < other.bytes; }
};

/// The address of a peer as texts name it: "10.0.0.7" of "10.0.0.7:4711", "::1" of "[::1]:4711", and one without a port itself.
inline std::string_view host_in_peer(std::string_view peer) {
  if (!peer.empty() && peer.front() == '[') return peer.substr(1, peer.find(']') - 1);
  return peer.find(':') == peer.rfind(':') ? peer.substr(0, peer.find(':')) : peer;
}

class AddressBlocks {
 public:
  /// "10.0.0.0/8", "::1", "fd00::/8". False if it is no such block; bits behind the prefix have to be zero.
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
