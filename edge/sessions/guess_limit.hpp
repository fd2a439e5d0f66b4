#pragma once
// How often one address may show a token, or a key, that turns out to be wrong. A guess is paid for when it is made, and paid
// back when it was right, so a guesser that does not wait for the answers gains nothing.
//
//   may_ask() ──► false: the address is held back, and nobody is asked about what it shows
//       │ true
//       └──► accepted(): paid back; the secret is remembered, and passes even while its address is held back
//
// So people behind one address (NAT) who have been here lately go on while somebody among them guesses. Secrets are
// remembered as keyed hashes, and both tables are bounded. Owner thread: the edge's io_context.

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

  /// Guesses a second, and how many at once after a quiet time. 0 a second: any number.
  GuessLimit(std::uint32_t per_second, std::uint32_t at_once) : per_second_(per_second), at_once_(at_once) {}

  /// `host`: an IP address, without a port; what is none counts as one and the same host.
  [[nodiscard]] bool may_ask(std::string_view host, std::string_view secret, SteadyTime now);
  void accepted(std::string_view host, std::string_view secret);

  [[nodiscard]] std::size_t hosts() const { return full_at_.size(); }

 private:
  void remember(std::string_view secret);

  std::uint32_t per_second_, at_once_;
  SipHash hash_;
  std::map<IpAddress, SteadyTime>
      full_at_;  // when each will be as if it had never guessed; ordered: outsiders choose them
  std::size_t sweep_at_ = 1024;
  std::unordered_set<std::size_t> good_;  // of our own keyed hashes
  std::deque<std::size_t> good_order_;
};

}  // namespace nuropb::edge
