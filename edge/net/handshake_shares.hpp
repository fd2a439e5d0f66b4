#pragma once
// Connections in their handshake, by address. When all places are in use, the address with the most of them loses its
// oldest one in favour of a client from another address, so silent connections from one address keep no other client
// out. An address with no more of them than the newcomer's own loses none; otherwise two clients would evict each
// other.
//
// C++17, like door.hpp. One thread.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "common/ip_address.hpp"

namespace nuropb::edge {

class HandshakeShares {
 public:
  /// Represents a connection in its handshake for its lifetime, which may exceed that of the HandshakeShares.
  using Place = std::shared_ptr<void>;

  HandshakeShares() : counts_(std::make_shared<Counts>()) {}

  /// `give_way` closes the connection and releases its place.
  [[nodiscard]] Place enter(const IpAddress& address, std::function<void()> give_way) {
    const IpAddress host = address.host();
    const std::uint64_t id = ++counts_->last;
    counts_->grow(host, [&](auto& places) { places.emplace(id, std::move(give_way)); });
    return std::shared_ptr<void>(
        nullptr, [counts = counts_, host, id](void*) { counts->grow(host, [&](auto& places) { places.erase(id); }); });
  }

  /// Makes room for a newcomer from this address; returns false if no connection has to give way.
  bool make_room(const IpAddress& newcomer) {
    if (counts_->by_size.empty()) return false;
    const auto [most, host] = *counts_->by_size.rbegin();
    const auto own = counts_->hosts.find(newcomer.host());
    if (most <= 1 + (own == counts_->hosts.end() ? 0 : own->second.size())) return false;
    const auto give_way = counts_->hosts[host].begin()->second;  // a copy, because the call destroys the place
    ++gave_way_;
    give_way();
    return true;
  }

  [[nodiscard]] std::uint64_t gave_way() const { return gave_way_; }

 private:
  struct Counts {
    using Places = std::map<std::uint64_t, std::function<void()>>;  // oldest first
    template <class Change>
    void grow(const IpAddress& host, Change&& change) {
      Places& places = hosts[host];
      if (!places.empty()) by_size.erase({places.size(), host});
      change(places);
      if (places.empty()) hosts.erase(host);
      else by_size.insert({places.size(), host});
    }
    std::map<IpAddress, Places> hosts;  // ordered, because clients choose their IPv6 addresses
    std::set<std::pair<std::size_t, IpAddress>> by_size;
    std::uint64_t last = 0;
  };
  std::shared_ptr<Counts> counts_;
  std::uint64_t gave_way_ = 0;
};

}  // namespace nuropb::edge
