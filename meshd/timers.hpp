#pragma once
// The timers of one event loop. They follow a Clock, so that a test that advances its clock determines when they fire.
//
// One Asio timer waits for the earliest of them. With a SystemClock it fires when that one is due; with a ManualClock,
// the test calls run_due() after each step.
//
// Owner thread: the event loop's.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <set>
#include <utility>

#include "common/clock.hpp"

namespace nuropb::meshd {

class Timers {
 public:
  Timers(boost::asio::io_context& io, const Clock& clock) : clock_(clock), wait_(io) {}

  /// One timer. Destroying it cancels it; it must not outlive its Timers.
  class Timer {
   public:
    explicit Timer(Timers& timers) : timers_(timers) {}
    ~Timer() { cancel(); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// Runs `work` once, at `when` or soon after. Replaces this timer's earlier schedule.
    void at(SteadyTime when, std::function<void()> work);
    void after(std::chrono::steady_clock::duration wait, std::function<void()> work);
    void cancel();
    [[nodiscard]] bool armed() const { return static_cast<bool>(work_); }

   private:
    friend Timers;
    Timers& timers_;
    SteadyTime when_{};
    std::function<void()> work_;  // empty: not armed
  };

  /// Runs what is due by the clock, in the order of the times.
  void run_due();
  /// When the next timer is due; SteadyTime::max() if no timer is armed.
  [[nodiscard]] SteadyTime next() const { return armed_.empty() ? SteadyTime::max() : armed_.begin()->first; }

 private:
  void wait();

  const Clock& clock_;
  std::set<std::pair<SteadyTime, Timer*>> armed_;
  boost::asio::steady_timer wait_;
  SteadyTime waits_until_ = SteadyTime::max();
};

}  // namespace nuropb::meshd
