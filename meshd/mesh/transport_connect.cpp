// The transport's thread: connecting, pausing between attempts, and handing over to a connection with new credentials.
//
// rabbitmq-c blocks for each answer of the broker while it opens, declares and closes. Timers and deadlines must not be
// delayed, so it blocks on a thread of its own, which ends before the connection is used elsewhere.

#include <algorithm>
#include <exception>

#include "common/log.hpp"
#include "meshd/mesh/transport_loop.hpp"

namespace nuropb::mesh {
namespace {

constexpr auto connect_look = milliseconds(5);  // polling interval for a connection that is being opened
// How long a connection may finish its work before it is replaced by one with new credentials: first requests at
// services, then unconfirmed messages.
constexpr auto service_grace = std::chrono::seconds(10);
constexpr auto confirm_grace = std::chrono::seconds(5);

}  // namespace

/// Opens a connection and logs in; nothing is declared yet.
void TransportLoop::begin_opening(amqp::Url url) {
  ++counts_.attempts;
  next_.url = std::move(url);
  next_.opening =
      std::async(std::launch::async, [url = next_.url, options = connection_settings(settings_)]() -> Opened {
        try {
          auto opened = amqp::Connection::open(url, options);
          if (!opened) return tl::unexpected(opened.error());
          return std::make_unique<amqp::Connection>(std::move(*opened));
        } catch (const std::exception& e) { return failure(e.what(), url.redacted()); }
      });
}

template <class Value>
Value TransportLoop::turn_until(std::future<Value>& ready) {
  while (ready.wait_for(milliseconds(0)) != std::future_status::ready)
    wait_turn(std::chrono::steady_clock::now() + connect_look);
  return ready.get();
}

/// What one participant's refusal teaches applies to all of them. Runs while nothing else uses the topologies: on the
/// transport's thread, or on the declaring thread, which the former waits for.
bool TransportLoop::learn(const amqp::Step& refused, const std::string& said) {
  std::optional<std::string> lesson;
  for (const auto& one : participants_) {
    if (auto learned = one->learn(refused, said)) lesson = std::move(learned);
  }
  if (lesson) {
    ++counts_.queue_forms;
    log::warning(*lesson, {{"during", refused.text()}, {"reason", said}});
  }
  return lesson.has_value();
}

/// Declares on the connection that is being opened. Returns true if the broker closed it and another form is declared
/// next time.
Result<bool> TransportLoop::declare_all() {
  // RabbitMQ closes the connection when a channel above its channel_max is opened, which would be as late as the first
  // event binding.
  const std::size_t needed = channels(participants_.size()) - 1;
  if (const std::size_t most = next_.connection->channel_max(); most != 0 && most < needed)
    return failure("the broker allows " + std::to_string(most) + " channels on a connection, and " +
                       std::to_string(needed) + " are needed",
                   "channel_max", "raise channel_max in rabbitmq.conf");
  const auto learns = [this](const amqp::Step& refused, const std::string& said) { return learn(refused, said); };
  for (const auto& one : participants_) {
    const auto done = declare(*next_.connection, one->number, settings_, one->settings, one->topology, learns);
    if (!done) return tl::unexpected(done.error());
    if (done->again) return true;
    one->service_again_at = done->service ? SteadyTime::max() : std::chrono::steady_clock::now() + lost_node_pause;
  }
  return false;
}

/// Logs once per set of addresses, however often the connection is made again.
void TransportLoop::note_passed_over(const amqp::Connection& connection) {
  const auto& now = connection.passed_over();
  counts_.addresses_passed_over += now.size();
  if (now == passed_over_) return;
  passed_over_ = now;
  if (now.empty())
    return log::info("all addresses of the broker's name that are tried respond again",
                     {{"url", next_.url.redacted()}});
  std::string list;
  for (const std::string& one : now) list += (list.empty() ? "" : ", ") + one;
  log::warning("some addresses of the broker's name do not respond; another one did",
               {{"url", next_.url.redacted()}, {"addresses", list}, {"hint", "is the name still right?"}});
}

Result<void> TransportLoop::connect() {
  if (settings_.urls.empty()) return failure("no broker is configured", "amqp.urls");
  if (!next_.connection && !next_.opening.valid()) {
    amqp::Url url = settings_.urls[next_url_ % settings_.urls.size()];
    if (secret_.named()) {
      auto secret = secret_.read();
      if (!secret) return tl::unexpected(secret.error());
      url.password = std::move(*secret);
    }
    begin_opening(std::move(url));
  }
  if (!next_.connection) {
    Opened opened = turn_until(next_.opening);
    if (!opened) {
      if (secret_.named() && opened.error().what.find("refused:") != std::string::npos)
        opened.error().hint = "is the password in " + secret_.path() + " still valid?";
      return tl::unexpected(opened.error());
    }
    next_.connection = std::move(*opened);
  }
  note_passed_over(*next_.connection);
  const bool handover = connection_ != nullptr;
  // During a handover the old connection holds the exclusive consumer of our response queue until it is closed.
  auto declaring = std::async(std::launch::async, [this, old = std::move(connection_)]() mutable -> Result<bool> {
    try {
      if (old) old->close();
      old.reset();
      return declare_all();
    } catch (const std::exception& e) { return failure(e.what(), "declaring"); }
  });
  const auto declared = turn_until(declaring);
  Next next = std::exchange(next_, {});
  // Retries at once, and at most once per lesson (QueueForms).
  if (declared && *declared) return connect();
  if (!declared) {
    Error why = declared.error();
    for (const auto& one : participants_) {
      if (on_lost_node(why.what) && why.where.find(one->topology.response_queue) != std::string::npos)
        one->move_response_queue();
      if (why.what.find("timed out") != std::string::npos && one->unanswered(why.where))
        why.hint = "the node of that queue may be down; the next attempt does without the queue";
    }
    why.where = next.url.redacted() + ": " + why.where;
    return tl::unexpected(why);
  }
  ++counts_.connections;
  if (handover) {
    ++counts_.handovers;
    log::info("the connection to the broker now uses new credentials", {{"file", secret_.path()}});
  }
  connection_ = std::move(next.connection);
  url_ = std::move(next.url);
  blocked_ = false;
  closed_.reset();
  for (const auto& one : participants_) one->settlements.clear();
  channels_fresh();
  set_state(State::ready, "connected to " + url_.redacted());
  return {};
}

void TransportLoop::back_off(bool after_success) {
  // Doubles the pause, with jitter, so that many gateways do not reconnect to a broker at the same time. In the first
  // round the other addresses of the list are tried without a pause.
  if (!after_success) ++failures_;
  const bool next_of_list = !after_success && failures_ < settings_.urls.size();
  const unsigned doublings = std::min(failures_, 16U);
  auto pause = std::min<milliseconds>(settings_.reconnect_max, settings_.reconnect_min * (1LL << doublings) / 2);
  if (next_of_list) pause = milliseconds(0);
  pause = pause / 2 + milliseconds(std::uniform_int_distribution<std::int64_t>(
                          0, std::max<std::int64_t>(1, pause.count() / 2))(jitter_));
  const auto begun = std::chrono::steady_clock::now();
  const auto until = begun + pause;
  for (auto now = begun; now < until && stop_at_ == SteadyTime::max(); now = std::chrono::steady_clock::now()) {
    if (secret_.named() && now - begun > settings_.reconnect_min && secret_.changed())
      return;  // refused credentials may be valid now
    wait_turn(secret_.named() ? std::min(until, now + settings_.password_look) : until);
  }
}

/// Checks the password file for changes, and drives the connection that was started because of one.
void TransportLoop::watch_secret() {
  if (!secret_.named()) return;
  const auto now = std::chrono::steady_clock::now();
  if (next_.opening.valid()) {
    if (next_.opening.wait_for(milliseconds(0)) != std::future_status::ready) return;
    Opened opened = next_.opening.get();
    if (!opened) {
      // The old credentials may stay valid for long, so the connection is kept.
      ++counts_.refused_credentials;
      log::warning("new credentials can't be used; the connection with the old ones is kept",
                   {{"file", secret_.path()}, {"reason", opened.error().text()}});
      next_ = {};
      secret_look_at_ = now + settings_.reconnect_max;
      return;
    }
    next_.connection = std::move(*opened);
    drain_until_ = now + service_grace;
    holding_ = false;
    for (const auto& one : participants_) {
      if (!one->settings.client_only && one->service_again_at == SteadyTime::max())
        declarations_.add(one->channel(service_channel), amqp::Step::cancel("service"));
    }
    return;
  }
  if (next_.connection) {
    (void)next_.connection->heartbeat(now);  // if it is lost, declaring will fail
    const bool late = now > drain_until_;
    if (!holding_ && (late || (verdicts_.empty() && all_of([this](const Participant& one) {
                                 const std::uint16_t channel = one.channel(service_channel);
                                 return channels_[channel].unsettled.empty() && declarations_.settled(channel);
                               })))) {
      holding_ = true;
      drain_until_ = now + confirm_grace;
    }
    return;
  }
  if (now < secret_look_at_) return;
  secret_look_at_ = now + settings_.password_look;
  if (blocked_ || paused_ || stop_at_ != SteadyTime::max() || (!secret_.changed() && !secret_pending_)) return;
  auto secret = secret_.read();
  secret_pending_ = !secret;
  if (!secret) {
    ++counts_.refused_credentials;
    log::warning("new credentials can't be read; the connection with the old ones is kept",
                 {{"file", secret_.path()}, {"reason", secret.error().text()}});
    secret_look_at_ = now + settings_.reconnect_max;
    return;
  }
  if (*secret == url_.password) return;
  secret_pending_ = true;  // until it has been handed over
  amqp::Url url = url_;
  url.password = std::move(*secret);
  begin_opening(std::move(url));
}

/// Whether the connection has finished its work, or its time is over.
bool TransportLoop::handed_over() {
  if (!next_.connection || !holding_) return false;
  if (all_of([](const Participant& one) { return one.on_their_way() == 0 && !one.trials.written; })) return true;
  const auto now = std::chrono::steady_clock::now();
  if (paused_ || blocked_) drain_until_ = now + confirm_grace;  // confirms cannot arrive, or we do not read them
  return now > drain_until_;
}

}  // namespace nuropb::mesh
