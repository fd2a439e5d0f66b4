// The transport's thread: connecting, and the turns while connected. Sending is in transport_publish.cpp, the
// interpretation of messages in transport_messages.cpp.

#include "meshd/mesh/transport_loop.hpp"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>

#include "common/ids.hpp"

namespace nuropb::mesh {
namespace {

constexpr int frames_per_turn = 2048;
constexpr auto handover_look = milliseconds(5);  // polling interval of a handover
constexpr auto longest_sleep = milliseconds(1000);
constexpr auto coalescing_time = milliseconds(2);
// With fewer messages in flight there is no pause between turns, so that a few callers lose no time.
constexpr std::size_t busy = 16;
constexpr auto rest_for_each = std::chrono::microseconds(4);
constexpr auto longest_rest = std::chrono::microseconds(200);

std::string vhost_of(const TransportSettings& settings) {
  return settings.urls.empty() ? std::string("/") : settings.urls.front().vhost;
}

}  // namespace

TransportLoop::Participant::Participant(std::size_t n, const TransportSettings& shared, ParticipantSettings own,
                                        Transport::Callbacks c, std::shared_ptr<shm::UniqueFd> event,
                                        BrokerBounds& bounds)
    : number(n),
      settings(std::move(own)),
      callbacks(std::move(c)),
      topology(Topology::of(settings, vhost_of(shared), random_hex32().substr(0, 8),
                            {shared.dead_letter_queue, shared.service_queue_type})),
      inbox(std::make_shared<TransportInbox>(shared.queued_bytes, std::move(event))),
      events(shared.most_event_patterns),
      unconfirmed([this](Report&& r) {
        (r.outcome == Outcome::confirmed && r.type == MessageType::request ? confirmed_requests : something_ran) = true;
        if (callbacks.on_report) callbacks.on_report(std::move(r));
      }),
      trials_unconfirmed([this, &bounds](Report&& r) {
        // Whatever happens to it later, the broker has processed it without closing the channel.
        if (r.outcome == Outcome::confirmed || r.outcome == Outcome::not_delivered)
          bounds.took(r.type, r.routing_key, r.body_size);
        trials.settled(TrialQueue::source_of(r.type, r.source));
        inbox->left(TransportInbox::cost(r.body_size));
        something_ran = true;
        if (callbacks.on_report) callbacks.on_report(std::move(r));
      }) {}

TransportLoop::TransportLoop(TransportSettings settings)
    : settings_(std::move(settings)),
      bounds_(settings_.events_exchange),
      secret_(settings_.password_file),
      declarations_(0) {}

TransportLoop::~TransportLoop() {
  for (const auto& one : participants_) one->inbox->close();
}

TransportLoop::Participant& TransportLoop::add(ParticipantSettings settings, Transport::Callbacks callbacks) {
  if (thread_.joinable() || participants_.size() >= most_participants)
    std::abort();  // a programming mistake: nothing would be declared
  auto event = participants_.empty() ? nullptr : participants_.front()->inbox->event();
  participants_.push_back(std::make_unique<Participant>(participants_.size(), settings_, std::move(settings),
                                                        std::move(callbacks), std::move(event), bounds_));
  declarations_ = Declarations(participants_.size());
  channels_.assign(channels(participants_.size()), Channel{Assembler(settings_.largest_body), 0});
  return *participants_.back();
}

void TransportLoop::start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

Result<void> TransportLoop::wait_ready(milliseconds timeout) {
  std::unique_lock lock(state_mutex_);
  const bool settled =
      state_changed_.wait_for(lock, timeout, [&] { return state_ == State::ready || state_ == State::stopped; });
  if (settled && state_ == State::ready) return {};
  return failure(detail_.empty() ? "not connected in time" : detail_, "", "");
}

void TransportLoop::stop(milliseconds grace) {
  if (!thread_.joinable()) return;
  grace_ms_ = grace.count();
  for (const auto& one : participants_) one->inbox->stop();
  thread_.join();
}

State TransportLoop::state() const {
  const std::lock_guard lock(state_mutex_);
  return state_;
}

Transport::Counters TransportLoop::counters(const Participant& of) const {
  return {counts_.attempts,
          counts_.connections,
          counts_.handovers,
          counts_.refused_credentials,
          counts_.channels_closed,
          counts_.consumers_cancelled,
          of.patterns_refused,
          of.refusals.total(),
          counts_.addresses_passed_over,
          counts_.refused_size,
          counts_.refused_topic,
          counts_.refused_otherwise,
          counts_.refused_frame,
          counts_.refused_interrupted,
          counts_.queue_forms};
}

void TransportLoop::set_state(State state, const std::string& detail) {
  {
    const std::lock_guard lock(state_mutex_);
    if (state_ == state && detail_ == detail) return;
    state_ = state;
    detail_ = detail;
  }
  state_changed_.notify_all();
  for (const auto& one : participants_) {
    one->something_ran = true;
    if (one->callbacks.on_state) one->callbacks.on_state(state, detail);
  }
}

void TransportLoop::run() {
  bool handover = false;
  while (handover || (!ended_for_good_ && stop_at_ == SteadyTime::max())) {
    const auto connected = connect();
    Ended ended;
    if (connected) {
      const auto since = std::chrono::steady_clock::now();
      ended = serve();
      // A broker that accepts and then immediately closes connections must not be retried without a pause.
      if (std::chrono::steady_clock::now() - since > settings_.reconnect_max) failures_ = 0;
      else ++failures_;
      channels_lost(ended.error.text());
      handover = ended.handover;
      if (handover) continue;  // connect() closes the old connection
      connection_.reset();
      next_url_ = 0;
    } else {
      handover = false;
      connection_.reset();
      ended = {connected.error(), false};
      ++next_url_;
    }
    if (stop_at_ != SteadyTime::max()) break;
    ended_for_good_ = ended.permanent;
    set_state(ended.permanent ? State::stopped : State::away, ended.error.text());
    end_batch();
    if (!ended_for_good_) back_off(connected.has_value());
  }
  for (const auto& one : participants_) one->inbox->stop();  // from here on submit() returns false
  take_inbox();
  for (const auto& one : participants_) {
    for (Outgoing& message : one->trials.take_all())
      report(*one, std::move(message), Outcome::refused, "the transport is stopping");
    for (Outgoing& message : one->queue.take_all())
      report(*one, std::move(message), Outcome::refused, "the transport is stopping");
    one->inbox->close();
  }
  if (!ended_for_good_) set_state(State::stopped, "stopped");
  end_batch();
}

TransportLoop::Ended TransportLoop::serve() {
  for (;;) {
    take_inbox();
    run_timers();
    watch_secret();
    if (const auto done = write(); !done) return {done.error(), false};
    const auto more = read_frames();
    if (closed_) return *closed_;
    if (!more) return {more.error(), false};
    end_batch();
    if (stop_at_ != SteadyTime::max()) {
      const bool finished = verdicts_.empty() && all_of([](const Participant& one) {
                              return one.nothing_to_publish() && one.on_their_way() == 0 && one.settlements.empty();
                            });
      if (finished || std::chrono::steady_clock::now() >= stop_at_) {
        connection_->close();
        return {{"stopped", {}, {}}, false};
      }
    }
    if (handed_over()) return {{"the connection with new credentials takes over", {}, {}}, false, true};
    if (*more || std::exchange(look_again_, false) || rest()) continue;
    const bool handover = next_.connection || next_.opening.valid();
    const auto latest = std::chrono::steady_clock::now() + (handover           ? handover_look
                                                            : nothing_queued() ? longest_sleep
                                                                               : expiry_look);
    sleep(std::min(next_timer(latest), stop_at_),
          static_cast<short>((paused_ ? 0 : POLLIN) | (no_room_ ? POLLOUT : 0)));
  }
}

/// One turn without a connection.
void TransportLoop::wait_turn(SteadyTime until) {
  take_inbox();
  run_timers();
  for (const auto& one : participants_) {
    one->settlements.clear();  // the broker redelivers what was delivered on a lost connection
    expire_queued(*one);
  }
  end_batch();
  if (!nothing_queued()) until = std::min(until, std::chrono::steady_clock::now() + expiry_look);
  // A stop request arrived just now: its caller must not wait for the rest of a pause.
  if (stop_at_ != SteadyTime::max()) until = std::min(until, std::chrono::steady_clock::now() + milliseconds(5));
  sleep(next_timer(until), 0);
}

void TransportLoop::take_inbox() {
  paused_ = false;
  for (const auto& one : participants_) {
    TransportInbox::Work& work = one->work;
    one->inbox->take(work);
    for (Outgoing& message : work.messages) one->queue.push(std::move(message));
    one->settlements.insert(one->settlements.end(), work.settlements.begin(), work.settlements.end());
    for (auto& [when, post] : work.posts)
      timers_.emplace(when.value_or(SteadyTime::min()), [one = one.get(), what = std::move(post)] {
        what();
        one->something_ran = true;
      });
    paused_ = paused_ || work.paused;
    if (work.stop && stop_at_ == SteadyTime::max())
      stop_at_ = std::chrono::steady_clock::now() + milliseconds(grace_ms_.load());
  }
}

void TransportLoop::run_timers() {
  const auto now = std::chrono::steady_clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const auto node = timers_.extract(timers_.begin());
    node.mapped()();
  }
}

SteadyTime TransportLoop::next_timer(SteadyTime latest) const {
  return timers_.empty() ? latest : std::min(latest, timers_.begin()->first);
}

void TransportLoop::sleep(SteadyTime until, short watch_socket) {
  scheduling_.tick();
  const bool soon = coalesce_until_ != SteadyTime::max();
  until = std::min(until, coalesce_until_);
  // If one inbox has news, the turn continues at once; the others then only get an unnecessary wake-up.
  if (!all_of([soon](const Participant& one) { return one.inbox->may_sleep(soon); })) return wake();
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - std::chrono::steady_clock::now());
  const auto ns = std::max<std::int64_t>(0, left.count());
  const timespec timeout{ns / 1'000'000'000, ns % 1'000'000'000};
  pollfd fds[2] = {{participants_.front()->inbox->fd(), POLLIN, 0},
                   {watch_socket != 0 && connection_ ? connection_->fd() : -1, watch_socket, 0}};
  ::ppoll(fds, 2, &timeout, nullptr);
  wake();
}

void TransportLoop::wake() {
  for (const auto& one : participants_) one->inbox->awake();
}

bool TransportLoop::nothing_queued() const {
  return all_of([](const Participant& one) { return one.nothing_to_publish(); });
}

/// Returns true if there may be more to read at once.
Result<bool> TransportLoop::read_frames() {
  if (paused_) return false;  // write() sends heartbeats in any case
  for (int i = 0; i < frames_per_turn; ++i) {
    amqp_frame_t frame;
    const auto got = connection_->next_frame(frame);
    if (!got) return tl::unexpected(got.error());
    if (!*got) return false;
    if (const auto handled = on_frame(frame); !handled) return tl::unexpected(handled.error());
    if (closed_) return false;
  }
  return true;
}

void TransportLoop::end_batch() {
  const bool waited = coalesce_until_ != SteadyTime::max() && std::chrono::steady_clock::now() >= coalesce_until_;
  if (waited) coalesce_until_ = SteadyTime::max();
  for (const auto& one : participants_) {
    if (one->confirmed_requests && !one->something_ran && !waited) {
      expect_more();
      continue;
    }
    const bool ran = std::exchange(one->something_ran, false);
    const bool confirmed = std::exchange(one->confirmed_requests, false);
    if ((ran || confirmed) && one->callbacks.on_batch_end) one->callbacks.on_batch_end();
  }
}

void TransportLoop::expect_more() {
  if (coalesce_until_ == SteadyTime::max()) coalesce_until_ = std::chrono::steady_clock::now() + coalescing_time;
}

/// Returns true after a pause.
bool TransportLoop::rest() {
  std::size_t on_their_way = 0;
  for (const auto& one : participants_) on_their_way += one->on_their_way();
  const bool moved = std::exchange(moved_, false);
  if (!moved || on_their_way < busy || no_room_) return false;
  const timespec pause{
      0, std::chrono::nanoseconds(std::min<std::chrono::microseconds>(longest_rest, rest_for_each * on_their_way))
             .count()};
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
  return true;
}

}  // namespace nuropb::mesh
