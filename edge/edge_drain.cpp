// How an edge ends, so that nobody is surprised:
//
//   serving ── SIGTERM ──► announcing ── drain.grace_ms ──► draining ── the last one gone, ──► finishing ── closing handshakes
//                          /readyz says no,                 no new      or drain.limit_ms      all that is    done, or over
//                          all goes on                      sockets                            left is closed
//
// While draining each socket works until its own moment has come: those lie at random over drain.spread_ms, so that
// consumers don't all come back at once. From then on it takes no new requests, and closes with its last answer; at once
// where its consumer can resume: meshd keeps the answers.

#include <signal.h>

#include <algorithm>
#include <random>

#include "common/close_codes.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"
#include "common/service_notice.hpp"
#include "edge/edge.hpp"

namespace nuropb::edge {
namespace {

constexpr auto drain_look = std::chrono::milliseconds(20);
constexpr auto close_grace = std::chrono::milliseconds(1500);
// Fewer sockets are not made to wait: what other edges take in so easily is no herd.
constexpr std::chrono::microseconds least_pause{2000};
constexpr const char* stopping_reason = "the gateway is stopping";

}  // namespace

void Edge::wait_for_signal() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    wait_for_signal();
    on_signal(signal);
  });
}

void Edge::on_signal(int signal) {
  if (phase_ >= Phase::draining) return;
  if (phase_ == Phase::announcing) {  // it was told before: whoever asks twice does not want to wait
    drain_timer_.cancel();
    return drain();
  }
  phase_ = Phase::announcing;
  ServiceNotice::ours().stopping();
  show_state();
  // SIGUSR2: a successor listens already, so that nobody has to be told first.
  const milliseconds grace(signal == SIGUSR2 ? 0 : config_.drain.grace_ms);
  if (grace == milliseconds(0)) return drain();
  log::info("stopping: /readyz says no from now on", {{"grace_ms", grace.count()}, {"sessions", sessions()}});
  drain_timer_.expires_after(grace);
  drain_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) drain();
  });
}

void Edge::drain() {
  phase_ = Phase::draining;
  listener_->stop();
  if (lines_) lines_->stop();
  if (backend_) backend_->stop();
  if (console_) console_->stop();
  using std::chrono::microseconds;
  const microseconds spread = std::min<microseconds>(milliseconds(config_.drain.spread_ms), least_pause * connections_);
  const auto now = clock_.now();
  drain_until_ = now + spread + milliseconds(config_.drain.limit_ms);
  std::mt19937_64 random(std::random_device{}());
  std::uniform_int_distribution<microseconds::rep> moment(0, spread.count());
  for (const ConsumerHandler* handler : handlers_) {
    if (handler) goodbyes_.push_back({now + microseconds(moment(random)), {handler->slot(), handler->serial()}});
  }
  std::sort(goodbyes_.begin(), goodbyes_.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  log::info("draining", {{"sessions", sessions()}, {"pending", pending_.size()}, {"spread_ms", spread.count() / 1000}});
  look_whether_drained();
}

void Edge::look_whether_drained() {
  const auto now = clock_.now();
  for (; !goodbyes_.empty() && goodbyes_.back().first <= now; goodbyes_.pop_back()) {
    const auto ref = goodbyes_.back().second;
    ConsumerHandler* const handler = find(ref.session);
    if (handler && handler->serial() == ref.serial && handler->state() != ConsumerHandler::State::closing)
      leaving_.insert(handler);
  }
  std::vector<ConsumerHandler*> done;
  std::copy_if(leaving_.begin(), leaving_.end(), std::back_inserter(done),
               [](ConsumerHandler* handler) { return handler->requests().count == 0 || handler->numbered(); });
  for (ConsumerHandler* handler : done) dismiss(*handler);
  if (phase_ == Phase::finishing) {
    if (connections_ == 0 || now >= drain_until_) return io_.stop();
  } else if (now >= drain_until_ || (goodbyes_.empty() && leaving_.empty() && backend_calls_.empty())) {
    finish();
  }
  drain_timer_.expires_after(drain_look);
  drain_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) look_whether_drained();
  });
}

void Edge::dismiss(ConsumerHandler& handler) {
  dismissed_ = &handler;
  handler.resume();  // what was held back is refused, not lost
  dismissed_ = nullptr;
  handler.close(close_code::going_away, stopping_reason);
}

void Edge::finish() {
  phase_ = Phase::finishing;
  drain_until_ = clock_.now() + close_grace;
  goodbyes_.clear();
  if (pending_.size() > 0) {
    log::warning("drain limit reached", {{"pending", pending_.size()}});
    const std::string error = unknown_outcome_json("the gateway is stopping; the request may have run");
    pending_.take_all([&](const PendingRequests::Taken& taken) {
      ConsumerHandler* const handler = find(taken.session);
      if (handler && !handler->numbered())
        end_pending(*handler, taken, error);  // else meshd has it, and answers whoever resumes
    });
  }
  fail_backend(503, unknown_outcome_json("the gateway is stopping; the call may have run"));
  const std::vector<ConsumerHandler*> all = handlers_;
  for (ConsumerHandler* handler : all) {
    if (handler) dismiss(*handler);
  }
}

}  // namespace nuropb::edge
