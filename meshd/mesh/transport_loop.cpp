// The transport's thread: connecting, and the turns while connected. What messages mean is in transport_messages.cpp.

#include "meshd/mesh/transport_loop.hpp"

#include <poll.h>

#include <algorithm>
#include <exception>
#include <future>

namespace nuropb::mesh {
namespace {

constexpr std::size_t max_body = 64U << 20;
constexpr int frames_per_turn = 2048;
constexpr std::size_t max_unconfirmed = 65'536;     // published, and the broker has said nothing yet
constexpr auto expiry_look = milliseconds(100);     // how often queued messages are looked through while none can go
constexpr auto connect_look = milliseconds(5);      // how often a connection that is being opened is asked whether it is
constexpr std::size_t settlement_size = 64;         // of an acknowledgement on the wire, generously
constexpr auto longest_sleep = milliseconds(1000);
constexpr std::int64_t longest_expiration_ms = UINT32_MAX;  // RabbitMQ refuses more

std::vector<std::pair<std::string, std::string>> client_properties(const TransportSettings& settings) {
  return {{"product", "NuroPb gateway"}, {"version", NUROPB_VERSION}, {"protocol", std::string(protocol_version)}, {"platform", "C++"},
          {"name", settings.service_name}, {"instance_id", settings.instance_id}, {"client_only", settings.client_only ? "yes" : "no"}};
}

std::string vhost_of(const TransportSettings& settings) { return settings.urls.empty() ? std::string("/") : settings.urls.front().vhost; }

}  // namespace

TransportLoop::TransportLoop(TransportSettings settings, Transport::Callbacks callbacks)
    : settings_(std::move(settings)), callbacks_(std::move(callbacks)), topology_(Topology::of(settings_, vhost_of(settings_))),
      inbox_(std::make_shared<TransportInbox>(settings_.queued_bytes)), unconfirmed_([this](Report&& r) {
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
  inbox_->stop();
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
      const auto since = std::chrono::steady_clock::now();
      ended = serve();
      // A broker that takes us in and at once throws us out again must not be asked without a pause for ever.
      if (std::chrono::steady_clock::now() - since > settings_.reconnect_max) failures_ = 0;
      else ++failures_;
      unconfirmed_.lost(ended.error.text());
      connection_.reset();
      front_sent_.reset();  // what was incomplete was never routed: it goes again, whole
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
  inbox_->stop();  // from here on submit() says no
  take_inbox();
  for (Outgoing& message : queue_) report(std::move(message), Outcome::refused, "we are stopping");
  queue_.clear();
  inbox_->close();
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
  // rabbitmq-c waits for each answer of the broker here. Timers and deadlines must not, so it waits on a thread of its
  // own, which ends before anybody else touches the connection.
  using Opened = Result<std::unique_ptr<amqp::Connection>>;
  auto opening = std::async(std::launch::async, [this, &url, &options]() -> Opened {
    try {
      auto opened = amqp::Connection::open(url, options);
      if (!opened) return tl::unexpected(opened.error());
      auto connection = std::make_unique<amqp::Connection>(std::move(*opened));
      if (auto declared = declare(*connection, settings_, topology_); !declared) {
        declared.error().where = url.redacted() + ": " + declared.error().where;
        return tl::unexpected(declared.error());
      }
      return connection;
    } catch (const std::exception& e) {
      return failure(e.what(), url.redacted());
    }
  });
  while (opening.wait_for(milliseconds(0)) != std::future_status::ready) wait_turn(std::chrono::steady_clock::now() + connect_look);
  Opened opened = opening.get();
  if (!opened) return tl::unexpected(opened.error());
  connection_ = std::move(*opened);
  ++epoch_;
  blocked_ = false;
  closed_.reset();
  settlements_.clear();
  publish_frames_.reset();
  response_frames_.reset();
  service_frames_.reset();
  set_state(State::ready, "connected to " + url.redacted());
  return {};
}

TransportLoop::Ended TransportLoop::serve() {
  for (;;) {
    take_inbox();
    run_timers();
    if (const auto done = write(); !done) return {done.error(), false};
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
    const auto latest = std::chrono::steady_clock::now() + (queue_.empty() ? longest_sleep : expiry_look);
    sleep(std::min(next_timer(latest), stop_at_), static_cast<short>((paused_ ? 0 : POLLIN) | (no_room_ ? POLLOUT : 0)));
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
  while (std::chrono::steady_clock::now() < until && stop_at_ == SteadyTime::max()) wait_turn(until);
}

/// One turn without a connection.
void TransportLoop::wait_turn(SteadyTime until) {
  take_inbox();
  run_timers();
  settlements_.clear();  // deliveries of a connection that is gone come again
  expire_queued();
  end_batch();
  if (!queue_.empty()) until = std::min(until, std::chrono::steady_clock::now() + expiry_look);
  // Told to stop just now: whoever waits for that must not wait for the rest of a pause.
  if (stop_at_ != SteadyTime::max()) until = std::min(until, std::chrono::steady_clock::now() + milliseconds(5));
  sleep(next_timer(until), 0);
}

void TransportLoop::take_inbox() {
  inbox_->take(work_);
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

void TransportLoop::sleep(SteadyTime until, short watch_socket) {
  if (!inbox_->may_sleep()) return;
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - std::chrono::steady_clock::now());
  const auto ns = std::max<std::int64_t>(0, left.count());
  const timespec timeout{ns / 1'000'000'000, ns % 1'000'000'000};
  pollfd fds[2] = {{inbox_->fd(), POLLIN, 0}, {watch_socket != 0 && connection_ ? connection_->fd() : -1, watch_socket, 0}};
  ::ppoll(fds, 2, &timeout, nullptr);
  inbox_->awake();
}

/// Answers before acknowledgements: whoever dies in between gets the request again.
Result<void> TransportLoop::write() {
  no_room_ = false;
  if (queue_.empty() && settlements_.empty()) return paused_ ? connection_->heartbeat(std::chrono::steady_clock::now()) : Result<void>();
  const bool cork = queue_.size() + settlements_.size() > 1;
  if (cork) connection_->cork(true);
  auto done = publish_queued();
  if (done) done = settle_deliveries();
  if (done && paused_) done = connection_->heartbeat(std::chrono::steady_clock::now());
  if (cork) connection_->cork(false);
  return done;
}

Result<void> TransportLoop::settle_deliveries() {
  std::size_t settled = 0;
  Result<void> done;
  for (; settled < settlements_.size() && done; ++settled) {
    const auto& s = settlements_[settled];
    if (s.delivery.epoch != epoch_) continue;
    if (s.after > gone_) break;  // what was submitted before it is still queued
    if (!connection_->send_room(settlement_size)) {
      no_room_ = true;
      break;
    }
    if (s.verdict == TransportInbox::Verdict::ack) done = connection_->ack(s.delivery.channel, s.delivery.tag, s.multiple);
    else done = connection_->reject(s.delivery.channel, s.delivery.tag, s.verdict == TransportInbox::Verdict::requeue);
  }
  settlements_.erase(settlements_.begin(), settlements_.begin() + static_cast<std::ptrdiff_t>(settled));
  return done;
}

Result<void> TransportLoop::publish_queued() {
  const auto now = std::chrono::steady_clock::now();
  bool held = blocked_;
  while (!held && !queue_.empty()) {
    const auto gone = publish_front(now);
    if (!gone) return tl::unexpected(gone.error());
    held = !*gone;
  }
  if (held) expire_queued();
  return {};
}

/// True if the message at the front is off the queue, one way or the other; false if it has to wait.
Result<bool> TransportLoop::publish_front(SteadyTime now) {
  Outgoing& message = queue_.front();
  std::string expiration;
  if (message.deadline) {
    const auto left = std::chrono::duration_cast<milliseconds>(*message.deadline - now).count();
    if (left <= 0 && !front_sent_) {
      drop_front(Outcome::expired, "its time was up before it could be sent");
      return true;
    }
    expiration = std::to_string(std::clamp<std::int64_t>(left, 0, longest_expiration_ms));
  }
  const auto properties = to_properties(message, topology_.response_queue, expiration);
  const bool to_service = message.type == MessageType::request || message.type == MessageType::command;
  const std::string_view exchange = to_service                            ? std::string_view(settings_.rpc_exchange)
                                    : message.type == MessageType::event ? std::string_view(settings_.events_exchange)
                                                                          : std::string_view();
  const bool whole = message.body.size() + amqp::Connection::publish_overhead <= connection_->largest_write();
  if (!front_sent_) {
    if (const auto ok = amqp::Connection::publishable(message.routing_key, properties); !ok) {
      drop_front(Outcome::refused, ok.error().text());
      return true;
    }
    if (unconfirmed_.size() >= max_unconfirmed) return false;
    if (!connection_->send_room(amqp::Connection::publish_overhead + (whole ? message.body.size() : 0))) {
      no_room_ = true;
      return false;
    }
  }
  Result<void> sent;
  if (whole) {
    sent = connection_->publish(publish_channel, exchange, message.routing_key, to_service, properties, message.body);
  } else {
    if (!front_sent_) {
      sent = connection_->publish_head(publish_channel, exchange, message.routing_key, to_service, properties, message.body.size());
      if (!sent) return tl::unexpected(sent.error());
      front_sent_ = 0;
    }
    const auto part = connection_->publish_body(publish_channel, std::string_view(message.body).substr(*front_sent_));
    if (!part) return tl::unexpected(part.error());
    *front_sent_ += *part;
    if (*front_sent_ < message.body.size()) {
      no_room_ = true;
      return false;
    }
    front_sent_.reset();
  }
  // If the write failed, all of it may have gone nevertheless: it is on the way from here on.
  inbox_->left(TransportInbox::cost(message));
  unconfirmed_.published(std::move(message));
  queue_.pop_front();
  ++gone_;
  if (!sent) return tl::unexpected(sent.error());
  return true;
}

void TransportLoop::drop_front(Outcome outcome, const std::string& detail) {
  Outgoing message = std::move(queue_.front());
  queue_.pop_front();
  ++gone_;
  report(std::move(message), outcome, detail);
}

/// Looks through the whole queue, so not at every turn.
void TransportLoop::expire_queued() {
  const auto now = std::chrono::steady_clock::now();
  if (queue_.empty() || now < next_expiry_look_) return;
  next_expiry_look_ = now + expiry_look;
  // A message that has begun to go has to be finished.
  const auto first = queue_.begin() + (front_sent_ ? 1 : 0);
  const auto first_expired = std::stable_partition(first, queue_.end(), [&](const Outgoing& m) { return !m.deadline || *m.deadline > now; });
  std::vector<Outgoing> expired(std::make_move_iterator(first_expired), std::make_move_iterator(queue_.end()));
  queue_.erase(first_expired, queue_.end());
  gone_ += expired.size();
  for (Outgoing& message : expired) report(std::move(message), Outcome::expired, "its time was up before it could be sent");
}

void TransportLoop::report(Outgoing&& message, Outcome outcome, const std::string& detail) {
  inbox_->left(TransportInbox::cost(message));
  something_ran_ = true;
  if (!callbacks_.on_report) return;
  callbacks_.on_report({outcome, message.type, std::move(message.routing_key), std::move(message.correlation_id), message.tag, detail, {}});
}

/// True if there may be more to read at once.
Result<bool> TransportLoop::read_frames() {
  if (paused_) return false;  // heartbeats go out all the same: write()
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
  if (!something_ran_) return;
  something_ran_ = false;
  if (callbacks_.on_batch_end) callbacks_.on_batch_end();
}

}  // namespace nuropb::mesh
