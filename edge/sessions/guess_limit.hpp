#pragma once
// Rate limit per address for wrong tokens and keys. An attempt is charged when it is made and refunded when the secret
// was right, so guessing without waiting for the results gains nothing.
//
//   may_ask() ──► false: the address is over its limit, so the secret is not checked
//       │ true
//       └──► accepted(): refunded; the secret is remembered, and passes even while its address is over the limit
//
// So clients behind one address (NAT) that were authenticated recently are not affected while others there guess.
// Secrets are stored as keyed hashes, and both tables are bounded. Owner thread: the edge's io_context.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string_view>
#include <unordered_set>

#include "common/clock.hpp"
#include "common/ip_address.hpp"
#include "common/sip_hash.hpp"

namespace nuropb::edge {

class GuessLimit {
 public:
  static constexpr std::size_t most_hosts = 65'536, most_remembered = 16'384;

  /// Attempts per second, and the burst after a quiet time. `per_second` 0: no limit.
  GuessLimit(std::uint32_t per_second, std::uint32_t at_once) : per_second_(per_second), at_once_(at_once) {}

  /// `host`: an IP address without a port; all other texts count as one host.
  [[nodiscard]] bool may_ask(std::string_view host, std::string_view secret, SteadyTime now);
  void accepted(std::string_view host, std::string_view secret);

  [[nodiscard]] std::size_t hosts() const { return full_at_.size(); }

 private:
  void remember(std::string_view secret);

  std::uint32_t per_second_, at_once_;
  SipHash hash_;
  // When each host's budget is full again; ordered, because clients choose their addresses.
  std::map<IpAddress, SteadyTime> full_at_;
  std::size_t sweep_at_ = 1024;
  std::unordered_set<std::size_t> good_;  // hashes with our own key
  std::deque<std::size_t> good_order_;
};

}  // namespace nuropb::edge
