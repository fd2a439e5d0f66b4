// The transport's thread: connecting, and the turns while connected. What messages mean is in transport_messages.cpp.

#include "meshd/mesh/transport_loop.hpp"

#include <poll.h>

#include <algorithm>

namespace nuropb::mesh {
namespace {

constexpr std::size_t max_body = 64U << 20;
constexpr int frames_per_turn = 2048;
constexpr auto expiry_look = milliseconds(100);     // how often queued messages are looked through while none can go
constexpr auto room_look = milliseconds(2);         // how soon the send buffer is asked again when it was full
constexpr auto longest_sleep = milliseconds(1000);

std::vector<std::pair<std::string, std::string>> client_properties(const TransportSettings& settings) {
  return {{"product", "NuroPb gateway"}, {"version", NUROPB_VERSION}, {"protocol", std::string(protocol_version)}, {"platform", "C++"},
          {"name", settings.service_name}, {"instance_id", settings.instance_id}, {"client_only", settings.client_only ? "yes" : "no"}};
}

std::string vhost_of(const TransportSettings& settings) { return settings.urls.empty() ? std::string("/") : settings.urls.front().vhost; }

}  // namespace

TransportLoop::TransportLoop(TransportSettings settings, Transport::Callbacks callbacks)
    : settings_(std::move(settings)), callbacks_(std::move(callbacks)), topology_(Topology::of(settings_, vhost_of(settings_))),
      inbox_(settings_.queued_bytes), unconfirmed_([this](Report&& r) {
        something_ran_ = true;
        if (callbacks_.on_report) callbacks_.on_report(std::move(r));
      }),
      publish_frames_(max_body), response_frames_(max_body), service_frames_(max_body) {}

void TransportLoop::start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

Result<void> TransportLoop::wait_ready(milliseconds timeout) {
  std::unique_lock lock(state_mutex_);
  const bool settled = state_changed_.wait_for(lock, timeout, [&] { return state_ == State::ready || state_ == State::stopped; });
  if (settled && state_ == State::ready) return {};
  return failure(detail_.empty() ? "not connected in time" : detail_, "", "");
}

void TransportLoop::stop(milliseconds grace) {
  if (!thread_.joinable()) return;
  grace_ms_ = grace.count();
  inbox_.stop();
  thread_.join();
}

State TransportLoop::state() const {
  const std::lock_guard lock(state_mutex_);
  return state_;
}

void TransportLoop::set_state(State state, const std::string& detail) {
  {
    const std::lock_guard lock(state_mutex_);
    if (state_ == state && detail_ == detail) return;
    state_ = state;
    detail_ = detail;
  }
  state_changed_.notify_all();
  something_ran_ = true;
  if (callbacks_.on_state) callbacks_.on_state(state, detail);
}

void TransportLoop::run() {
  while (!ended_for_good_ && stop_at_ == SteadyTime::max()) {
    const auto connected = connect();
    Ended ended;
    if (connected) {
      failures_ = 0;
      ended = serve();
      unconfirmed_.lost(ended.error.text());
      connection_.reset();
      next_url_ = 0;
    } else {
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
  for (Outgoing& message : queue_) report(std::move(message), Outcome::refused, "we are stopping");
  queue_.clear();
  take_inbox();
  for (Outgoing& message : queue_) report(std::move(message), Outcome::refused, "we are stopping");
  queue_.clear();
  if (!ended_for_good_) set_state(State::stopped, "stopped");
  end_batch();
}

Result<void> TransportLoop::connect() {
  if (settings_.urls.empty()) return failure("no broker is named", "amqp.urls");
  const amqp::Url& url = settings_.urls[next_url_ % settings_.urls.size()];
  amqp::ConnectionSettings options;
  options.heartbeat_s = settings_.heartbeat_s;
  options.timeout = settings_.connect_timeout;
  options.ca_file = settings_.ca_file;
  options.certificate_file = settings_.certificate_file;
  options.key_file = settings_.key_file;
  options.verify_peer = settings_.verify_peer;
  options.properties = client_properties(settings_);
  auto opened = amqp::Connection::open(url, options);
  if (!opened) return tl::unexpected(opened.error());
  connection_ = std::make_unique<amqp::Connection>(std::move(*opened));
  ++epoch_;
  blocked_ = false;
  closed_.reset();
  settlements_.clear();
  publish_frames_.reset();
  response_frames_.reset();
  service_frames_.reset();
  if (auto declared = declare(*connection_, settings_, topology_); !declared) {
    declared.error().where = url.redacted() + ": " + declared.error().where;
    return declared;
  }
  set_state(State::ready, "connected to " + url.redacted());
  return {};
}

TransportLoop::Ended TransportLoop::serve() {
  for (;;) {
    take_inbox();
    run_timers();
    settle_deliveries();
    if (const auto done = publish_queued(); !done) return {done.error(), false};
    const auto more = read_frames();
    if (closed_) return *closed_;
    if (!more) return {more.error(), false};
    end_batch();
    if (stop_at_ != SteadyTime::max()) {
      const bool finished = queue_.empty() && unconfirmed_.size() == 0 && settlements_.empty();
      if (finished || std::chrono::steady_clock::now() >= stop_at_) {
        connection_->close();
        return {{"stopped", {}, {}}, false};
      }
    }
    if (*more) continue;
    auto latest = std::chrono::steady_clock::now() + longest_sleep;
    if (!queue_.empty()) latest = std::chrono::steady_clock::now() + (blocked_ ? expiry_look : room_look);
    sleep(std::min(next_timer(latest), stop_at_), !paused_);
  }
}

void TransportLoop::back_off(bool after_success) {
  // Doubling with jitter, so that many gateways don't come back to a broker in one herd. The other addresses of the
  // list are tried at once the first time round.
  if (!after_success) ++failures_;
  const bool next_of_list = !after_success && failures_ < settings_.urls.size();
  const unsigned doublings = std::min(failures_, 16U);
  auto pause = std::min<milliseconds>(settings_.reconnect_max, settings_.reconnect_min * (1LL << doublings) / 2);
  if (next_of_list) pause = milliseconds(0);
  pause = pause / 2 + milliseconds(std::uniform_int_distribution<std::int64_t>(0, std::max<std::int64_t>(1, pause.count() / 2))(jitter_));
  const auto until = std::chrono::steady_clock::now() + pause;
  while (std::chrono::steady_clock::now() < until && stop_at_ == SteadyTime::max()) {
    take_inbox();
    run_timers();
    settlements_.clear();  // deliveries of a connection that is gone come again
    expire_queued();
    end_batch();
    auto latest = until;
    if (!queue_.empty()) latest = std::min(latest, std::chrono::steady_clock::now() + expiry_look);
    sleep(next_timer(latest), false);
  }
}

void TransportLoop::take_inbox() {
  inbox_.take(work_);
  for (Outgoing& message : work_.messages) queue_.push_back(std::move(message));
  settlements_.insert(settlements_.end(), work_.settlements.begin(), work_.settlements.end());
  for (auto& [when, work] : work_.posts) timers_.emplace(when.value_or(SteadyTime::min()), std::move(work));
  paused_ = work_.paused;
  if (work_.stop && stop_at_ == SteadyTime::max()) stop_at_ = std::chrono::steady_clock::now() + milliseconds(grace_ms_.load());
}

void TransportLoop::run_timers() {
  const auto now = std::chrono::steady_clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const auto node = timers_.extract(timers_.begin());
    node.mapped()();
    something_ran_ = true;
  }
}

SteadyTime TransportLoop::next_timer(SteadyTime latest) const {
  return timers_.empty() ? latest : std::min(latest, timers_.begin()->first);
}

void TransportLoop::sleep(SteadyTime until, bool watch_socket) {
  if (!inbox_.may_sleep()) return;
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - std::chrono::steady_clock::now());
  const auto ns = std::max<std::int64_t>(0, left.count());
  const timespec timeout{ns / 1'000'000'000, ns % 1'000'000'000};
  pollfd fds[2] = {{inbox_.fd(), POLLIN, 0}, {watch_socket && connection_ ? connection_->fd() : -1, POLLIN, 0}};
  ::ppoll(fds, 2, &timeout, nullptr);
  inbox_.awake();
}

void TransportLoop::settle_deliveries() {
  for (const auto& s : settlements_) {
    if (s.delivery.epoch != epoch_) continue;
    if (s.verdict == TransportInbox::Verdict::ack) (void)connection_->ack(s.delivery.channel, s.delivery.tag, s.multiple);
    else (void)connection_->reject(s.delivery.channel, s.delivery.tag, s.verdict == TransportInbox::Verdict::requeue);
  }
  settlements_.clear();
}

Result<void> TransportLoop::publish_queued() {
  if (queue_.empty()) return {};
  if (blocked_) {
    expire_queued();
    return {};
  }
  const auto now = std::chrono::steady_clock::now();
  const bool cork = queue_.size() > 1;
  if (cork) connection_->cork(true);
  Result<void> done;
  while (!queue_.empty() && done) {
    Outgoing& message = queue_.front();
    std::string expiration;
    if (message.deadline) {
      const auto left = std::chrono::duration_cast<milliseconds>(*message.deadline - now);
      if (left.count() <= 0) {
        report(std::move(message), Outcome::expired, "its time was up before it could be sent");
        queue_.pop_front();
        continue;
      }
      expiration = std::to_string(left.count());
    }
    if (!connection_->send_room(message.body.size())) break;
    const bool to_service = message.type == MessageType::request || message.type == MessageType::command;
    const std::string_view exchange = to_service                            ? std::string_view(settings_.rpc_exchange)
                                      : message.type == MessageType::event ? std::string_view(settings_.events_exchange)
                                                                            : std::string_view();
    done = connection_->publish(publish_channel, exchange, message.routing_key, to_service,
                                to_properties(message, topology_.response_queue, expiration), message.body);
    // Even if the write failed, part of it may have gone: it is on the way from here on.
    inbox_.left(TransportInbox::cost(message));
    unconfirmed_.published(std::move(message));
    queue_.pop_front();
  }
  if (cork) connection_->cork(false);
  return done;
}

void TransportLoop::expire_queued() {
  if (queue_.empty()) return;
  const auto now = std::chrono::steady_clock::now();
  const auto first_expired = std::stable_partition(queue_.begin(), queue_.end(), [&](const Outgoing& m) { return !m.deadline || *m.deadline > now; });
  for (auto at = first_expired; at != queue_.end(); ++at) report(std::move(*at), Outcome::expired, "its time was up before it could be sent");
  queue_.erase(first_expired, queue_.end());
}

void TransportLoop::report(Outgoing&& message, Outcome outcome, const std::string& detail) {
  inbox_.left(TransportInbox::cost(message));
  something_ran_ = true;
  if (!callbacks_.on_report) return;
  callbacks_.on_report({outcome, message.type, std::move(message.routing_key), std::move(message.correlation_id), message.tag, detail, {}});
}

/// True if there may be more to read at once.
Result<bool> TransportLoop::read_frames() {
  // While paused one frame a turn is read all the same: heartbeats have to be seen, and are sent in passing.
  const int budget = paused_ ? 1 : frames_per_turn;
  for (int i = 0; i < budget; ++i) {
    amqp_frame_t frame;
    const auto got = connection_->next_frame(frame);
    if (!got) return tl::unexpected(got.error());
    if (!*got) return false;
    if (const auto handled = on_frame(frame); !handled) return tl::unexpected(handled.error());
    if (closed_) return false;
  }
  return !paused_;
}

void TransportLoop::end_batch() {
  if (!something_ran_) return;
  something_ran_ = false;
  if (callbacks_.on_batch_end) callbacks_.on_batch_end();
}

}  // namespace nuropb::mesh
