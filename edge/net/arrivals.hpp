#pragma once
// Limits the number of connections, in total and per host, and the rate of new ones. Each edge counts its own: the
// kernel spreads connections over the edges of one port evenly enough, so nothing needs to be shared. One thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "common/ip_address.hpp"
#include "edge/net/handshake_shares.hpp"

namespace nuropb::edge {

class Arrivals {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Limits {
    std::uint32_t connections = 10'000;
    std::uint32_t per_host = 0;    ///< 0: no limit
    std::uint32_t per_second = 0;  ///< 0: no limit; also the burst that is allowed after a quiet time
  };
  enum class Verdict { welcome, too_many, too_fast };

  explicit Arrivals(const Limits& limits)
      : limits_(limits), counts_(std::make_shared<Counts>()), allowance_(limits.per_second) {}

  Verdict judge(Time now) {
    if (counts_->all >= limits_.connections) return Verdict::too_many;
    if (limits_.per_second == 0) return Verdict::welcome;
    const double rate = limits_.per_second;
    if (last_ != Time()) allowance_ += std::chrono::duration<double>(now - last_).count() * rate;
    last_ = now;
    if (allowance_ > rate) allowance_ = rate;
    if (allowance_ < 1.0) return Verdict::too_fast;
    allowance_ -= 1.0;
    return Verdict::welcome;
  }

  /// Counts one connection for the lifetime of the returned ticket, which may outlive this object.
  [[nodiscard]] std::shared_ptr<void> enter() { return std::make_shared<Ticket>(counts_); }

  /// Counts the ticket's connection for this host; returns false if the host is at its limit.
  bool belongs_to(const std::shared_ptr<void>& ticket, const IpAddress& address) {
    if (limits_.per_host == 0) return true;
    const IpAddress host = address.host();
    std::uint32_t& count = counts_->by_host[host];
    if (count >= limits_.per_host) return false;
    ++count;
    auto* const own = static_cast<Ticket*>(ticket.get());
    own->leave_host();
    own->host = host;
    own->counted = true;
    return true;
  }

  /// Connections whose handshake is in progress.
  HandshakeShares& handshakes() { return handshakes_; }
  [[nodiscard]] std::size_t connections() const { return counts_->all; }
  [[nodiscard]] std::size_t hosts() const { return counts_->by_host.size(); }

 private:
  struct Counts {
    std::size_t all = 0;
    std::map<IpAddress, std::uint32_t> by_host;  // ordered, because clients choose their IPv6 addresses
  };
  struct Ticket {
    explicit Ticket(std::shared_ptr<Counts> c) : counts(std::move(c)) { ++counts->all; }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket() {
      --counts->all;
      leave_host();
    }
    void leave_host() {
      if (!counted) return;
      counted = false;
      const auto found = counts->by_host.find(host);
      if (found != counts->by_host.end() && --found->second == 0) counts->by_host.erase(found);
    }
    std::shared_ptr<Counts> counts;
    IpAddress host;
    bool counted = false;
  };

  Limits limits_;
  HandshakeShares handshakes_;
  std::shared_ptr<Counts> counts_;
  double allowance_;
  Time last_{};
};

}  // namespace nuropb::edge
