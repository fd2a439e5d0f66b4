#include "edge/sessions/drain_controller.hpp"

#include <signal.h>

#include <algorithm>
#include <iterator>
#include <random>

#include "common/close_codes.hpp"
#include "common/log.hpp"
#include "common/service_notice.hpp"
#include "edge/sessions/consumer_handler.hpp"
#include "edge/sessions/pending_requests.hpp"
#include "edge/sessions/session_slots.hpp"

namespace nuropb::edge {
namespace {

constexpr auto check_interval = std::chrono::milliseconds(20);
constexpr auto close_grace = std::chrono::milliseconds(1500);
// Of a few sockets none is made to wait: other edges have no trouble with so few new connections at once.
constexpr std::chrono::microseconds least_pause{2000};
constexpr const char* stopping_reason = "the gateway is stopping";

}  // namespace

DrainController::DrainController(const Config::Drain& config, boost::asio::io_context& io, const Clock& clock,
                                 const SessionSlots& slots, const PendingRequests& pending, Callbacks callbacks)
    : config_(config),
      signals_(io, SIGTERM, SIGINT, SIGUSR2),
      timer_(io),
      clock_(clock),
      slots_(slots),
      pending_(pending),
      callbacks_(std::move(callbacks)) {}

void DrainController::wait_for_signal() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    wait_for_signal();
    on_signal(signal);
  });
}

void DrainController::on_signal(int signal) {
  if (phase_ >= Phase::draining) return;
  if (phase_ == Phase::announcing) {  // a second signal means that the sender does not want to wait
    timer_.cancel();
    return drain();
  }
  phase_ = Phase::announcing;
  ServiceNotice::ours().stopping();
  callbacks_.on_announced();
  // SIGUSR2: a successor listens already, so load balancers need no time to find another edge.
  const milliseconds grace(signal == SIGUSR2 ? 0 : config_.grace_ms);
  if (grace == milliseconds(0)) return drain();
  log::info("stopping: /readyz says no from now on", {{"grace_ms", grace.count()}, {"sessions", slots_.sessions()}});
  timer_.expires_after(grace);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) drain();
  });
}

void DrainController::drain() {
  phase_ = Phase::draining;
  callbacks_.stop_listening();
  using std::chrono::microseconds;
  const microseconds spread =
      std::min<microseconds>(milliseconds(config_.spread_ms), least_pause * slots_.connections());
  const auto now = clock_.now();
  until_ = now + spread + milliseconds(config_.limit_ms);
  std::mt19937_64 random(std::random_device{}());
  std::uniform_int_distribution<microseconds::rep> moment(0, spread.count());
  for (const ConsumerHandler* handler : slots_.all()) {
    if (handler) schedule_.push_back({now + microseconds(moment(random)), handler->ref()});
  }
  std::sort(schedule_.begin(), schedule_.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  log::info("draining",
            {{"sessions", slots_.sessions()}, {"pending", pending_.size()}, {"spread_ms", spread.count() / 1000}});
  check();
}

void DrainController::check() {
  const auto now = clock_.now();
  for (; !schedule_.empty() && schedule_.back().first <= now; schedule_.pop_back()) {
    ConsumerHandler* const handler = slots_.find(schedule_.back().second);
    if (handler && handler->state() != ConsumerHandler::State::closing) leaving_.insert(handler);
  }
  std::vector<ConsumerHandler*> done;
  std::copy_if(leaving_.begin(), leaving_.end(), std::back_inserter(done),
               [](ConsumerHandler* handler) { return handler->relayed().requests.count == 0 || handler->numbered(); });
  for (ConsumerHandler* handler : done) dismiss(*handler);
  if (phase_ == Phase::finishing) {
    if ((slots_.connections() == 0 && !callbacks_.calls_pending()) || now >= until_) return callbacks_.on_drained();
  } else if (now >= until_ || (schedule_.empty() && leaving_.empty() && !callbacks_.calls_pending())) {
    finish();
  }
  timer_.expires_after(check_interval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) check();
  });
}

void DrainController::dismiss(ConsumerHandler& handler) {
  dismissed_ = &handler;
  handler.resume();  // paused messages are refused rather than lost
  dismissed_ = nullptr;
  handler.close(close_code::going_away, stopping_reason);
}

void DrainController::finish() {
  phase_ = Phase::finishing;
  until_ = clock_.now() + close_grace;
  schedule_.clear();
  if (pending_.size() > 0) log::warning("drain limit reached", {{"pending", pending_.size()}});
  callbacks_.interrupt_all();
  const std::vector<ConsumerHandler*> all = slots_.all();
  for (ConsumerHandler* handler : all) {
    if (handler) dismiss(*handler);
  }
}

}  // namespace nuropb::edge
