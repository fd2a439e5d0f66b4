#include "edge/net/head_rules.hpp"

#include "common/error_names.hpp"
#include "edge/net/allowed_hosts.hpp"

namespace nuropb::edge {

std::optional<HttpAnswer> HeadRules::refusal_of_host(const RequestHead& head) const {
  if (host_allowed(head.host(), hosts_)) return {};
  return refusal(421, error_name::authorization, "this host name is not one of this gateway's (listen.hosts)");
}

std::optional<IpAddress> HeadRules::client_of(const RequestHead& head, const IpAddress& sender) const {
  if (!client_is_in_header(sender)) return sender;
  const char* const name = header_ == ForwardedHeader::forwarded ? "Forwarded" : "X-Forwarded-For";
  return forwarded_for(header_, head.header(name), sender, proxies_);
}

HttpAnswer HeadRules::no_client() {
  return refusal(400, error_name::validation,
                 "the proxy does not state the client's address (listen.forwarded_header)");
}

std::string peer_text(const IpAddress& address, std::uint16_t port) {
  if (port == 0) return address.text();
  return (address.is_v4() ? address.text() : "[" + address.text() + "]") + ":" + std::to_string(port);
}

}  // namespace nuropb::edge
