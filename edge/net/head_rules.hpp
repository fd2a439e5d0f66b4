#pragma once
// What the head of a request has to say beside its syntax: for which host it is, and, behind a trusted proxy, which client sends it.
// A proxy sends requests of many clients over one connection, so this is decided for each request. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/http/answer.hpp"
#include "common/http/request_head.hpp"
#include "common/ip_address.hpp"
#include "edge/net/forwarded.hpp"

namespace nuropb::edge {

class HeadRules {
 public:
  /// `hosts`: allowed_hosts.hpp. `header`: where `proxies` state their client's address.
  HeadRules(std::vector<std::string> hosts, ForwardedHeader header, AddressBlocks proxies)
      : hosts_(std::move(hosts)), header_(header), proxies_(std::move(proxies)) {}

  /// The refusal of a request for a host that is not one of this gateway's.
  [[nodiscard]] std::optional<HttpAnswer> refusal_of_host(const RequestHead& head) const;
  /// Whether a header says who the client is, since `sender` is a trusted proxy.
  [[nodiscard]] bool client_is_in_header(const IpAddress& sender) const {
    return header_ != ForwardedHeader::none && proxies_.contains(sender);
  }
  /// The client's address; `sender` if the head names no other one. Empty if the proxy does not state it (answer with
  /// no_client()).
  [[nodiscard]] std::optional<IpAddress> client_of(const RequestHead& head, const IpAddress& sender) const;
  [[nodiscard]] static HttpAnswer no_client();

 private:
  std::vector<std::string> hosts_;
  ForwardedHeader header_;
  AddressBlocks proxies_;
};

/// "10.0.0.7:4711", "[::1]:4711"; without the port if it is 0.
std::string peer_text(const IpAddress& address, std::uint16_t port);

}  // namespace nuropb::edge
