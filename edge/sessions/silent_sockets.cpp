#include "edge/sessions/silent_sockets.hpp"

#include <algorithm>
#include <map>

#include "common/close_codes.hpp"
#include "common/ip_address.hpp"
#include "edge/sessions/consumer_handler.hpp"
#include "edge/sessions/socket_limits.hpp"

namespace nuropb::edge {

bool SilentSockets::make_room(std::string_view peer) {
  if (sockets_.size() < most_) return true;
  const auto host_of = [](std::string_view text) {
    const auto address = IpAddress::parse(text);
    return address ? address->host() : IpAddress();
  };
  struct Silent {
    std::size_t count = 0;
    ConsumerHandler* oldest = nullptr;
  };
  std::map<IpAddress, Silent> by_host;  // ordered: clients choose their addresses
  for (ConsumerHandler* const one : sockets_) {
    Silent& of = by_host[host_of(one->host())];
    ++of.count;
    if (!of.oldest || one->serial() < of.oldest->serial()) of.oldest = one;
  }
  const std::size_t own = by_host[host_of(host_in_peer(peer))].count;
  const auto most = std::max_element(by_host.begin(), by_host.end(),
                                     [](const auto& a, const auto& b) { return a.second.count < b.second.count; });
  if (most->second.count <= own + 1) return false;
  ConsumerHandler* const oldest = most->second.oldest;
  ++gave_way_;
  limits_.log_closed(*oldest, "auth.first_message_waiting");
  oldest->close(close_code::authorize_timeout, "no authorize message yet, and other clients wait");
  return true;
}

}  // namespace nuropb::edge
