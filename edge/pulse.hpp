#pragma once
// Liveness, run by a timer. C++17, as websocket.hpp.

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "edge/liveness.hpp"

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
    // Many deadlines lie close together: not a wake-up for each.
    timer.expires_at(std::max(next, std::chrono::steady_clock::now() + std::chrono::milliseconds(100)));
    timer.async_wait([this](const boost::system::error_code& cancelled) {
      ticking = false;
      if (cancelled) return;
      liveness.tick(std::chrono::steady_clock::now());
      go_on();
    });
  }

  Liveness liveness;
  boost::asio::steady_timer timer;
  bool ticking = false;
};

}  // namespace nuropb::edge
