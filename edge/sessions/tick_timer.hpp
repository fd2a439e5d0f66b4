#pragma once
// One timer for all that waits for its time to come to an end: requests, paused messages, calls of backends. It runs only while
// something waits, so an idle edge sleeps.
//
// Owner thread: the edge's io_context.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <utility>

#include "common/clock.hpp"

namespace nuropb::edge {

class TickTimer {
 public:
  struct Callbacks {
    std::function<bool()> anything_waits;
    std::function<void(SteadyTime now)> on_tick;
  };

  TickTimer(boost::asio::io_context& io, const Clock& clock, milliseconds tick, Callbacks callbacks)
      : timer_(io), clock_(clock), tick_(tick), callbacks_(std::move(callbacks)) {}

  /// To be called whenever something begins to wait.
  void arm() {
    if (!armed_) start();
  }

 private:
  void start() {
    if (!callbacks_.anything_waits()) return;
    armed_ = true;
    timer_.expires_after(tick_);
    timer_.async_wait([this](const boost::system::error_code& error) {
      armed_ = false;
      if (error) return;
      callbacks_.on_tick(clock_.now());
      arm();
    });
  }

  boost::asio::steady_timer timer_;
  const Clock& clock_;
  milliseconds tick_;
  Callbacks callbacks_;
  bool armed_ = false;
};

}  // namespace nuropb::edge
