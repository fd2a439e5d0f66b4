#pragma once
// Runs Liveness with a timer. C++17, like websocket.hpp.
//
// A late timer means that this process or the machine was stopped, so messages from clients may be unread in their
// sockets. Deadlines are not applied then; the loop reads first, and the check is repeated shortly afterwards.

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "edge/net/liveness.hpp"

namespace nuropb::edge {

struct Pulse {
  Pulse(boost::asio::io_context& io, const Liveness::Limits& limits) : liveness(limits), timer(io) {}

  void watch(Liveness::Socket& socket) {
    liveness.watch(socket, std::chrono::steady_clock::now());
    go_on();
  }
  void go_on() {
    const auto next = liveness.next();
    if (ticking || next == Liveness::Time::max()) return;
    ticking = true;
    // Deadlines are often close together, so they are batched.
    const auto pause = read_first ? late : std::chrono::milliseconds(100);
    timer.expires_at(std::max(next, std::chrono::steady_clock::now() + pause));
    timer.async_wait([this](const boost::system::error_code& cancelled) {
      ticking = false;
      if (cancelled) return;
      const auto now = std::chrono::steady_clock::now();
      const bool stood_still = now - timer.expiry() > late && !read_first;
      read_first = stood_still;
      if (!stood_still) liveness.tick(now);
      go_on();
    });
  }

  Liveness liveness;
  boost::asio::steady_timer timer;
  bool ticking = false, read_first = false;
  static constexpr std::chrono::milliseconds late{1000};
};

}  // namespace nuropb::edge
