#include "meshd/mesh/service_container.hpp"

#include <algorithm>
#include <exception>

#include "common/log.hpp"

namespace nuropb::mesh {
namespace {

using Failed = Election::EtcdFailed;
constexpr std::size_t max_heard = 1000;

SteadyTime now() { return std::chrono::steady_clock::now(); }

/// Converts exceptions (out of memory, no more threads) into an error like any other.
template <class Call>
auto attempt(Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& e) { return failure(e.what()); }
}

Result<void> start_thread(std::thread& thread, auto work) {
  return attempt([&]() -> Result<void> {
    thread = std::thread(std::move(work));
    return {};
  });
}

Election::Settings election_settings(const ServiceContainer::Settings& settings) {
  Election::Settings out;
  out.instance_id = settings.instance_id;
  out.standalone = settings.etcd.urls.empty();
  out.lease = settings.lease;
  out.retry_max = std::clamp<milliseconds>(settings.lease / 3, milliseconds(500), milliseconds(5000));
  return out;
}

}  // namespace

ServiceContainer::ServiceContainer(Settings settings, Callbacks callbacks)
    : settings_(std::move(settings)),
      callbacks_(std::move(callbacks)),
      etcd_(settings_.etcd, settings_.prefix),
      election_(election_settings(settings_)) {}

ServiceContainer::~ServiceContainer() { stop(); }

ContainerState ServiceContainer::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void ServiceContainer::start() {
  if (settings_.etcd.urls.empty()) act(election_.start(now()));
  else if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void ServiceContainer::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stop_) return;
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  } else if (election_.state() != ContainerState::startup) {
    act(election_.stop(now()));
    act(election_.stopped());
  }
}

void ServiceContainer::run() {
  act(election_.start(now()));
  for (;;) {
    std::deque<Heard> heard;
    {
      std::unique_lock lock(mutex_);
      // Bounded, because wait_until overflows with the clock's maximum.
      const SteadyTime until = std::min(election_.next_tick(), now() + std::chrono::minutes(1));
      changed_.wait_until(lock, until, [&] { return stop_ || !heard_.empty(); });
      if (stop_) break;
      heard.swap(heard_);
    }
    for (const Heard& each : heard) {
      if (each.watch != 0 && each.watch != watch_number_) continue;  // from a watch that has been ended
      act(election_.handle(each.event, now()));
    }
    act(election_.tick(now()));
  }
  act(election_.stop(now()));
  end_watch();
  if (set_up_thread_.joinable()) set_up_thread_.join();
  act(election_.stopped());
}

void ServiceContainer::hear(Election::Event event, unsigned watch) {
  {
    const std::lock_guard lock(mutex_);
    // A watch that floods us with events is ended; reading the state again shows the result.
    if (watch != 0 && heard_.size() == max_heard)
      event = Election::WatchEnded{{"etcd sends events faster than they can be processed", {}, {}}};
    if (watch != 0 && heard_.size() > max_heard) return;
    heard_.push_back({std::move(event), watch});
  }
  changed_.notify_all();
}

void ServiceContainer::act(std::vector<Election::Action>&& actions) {
  for (const Election::Action& each : actions) std::visit([this](const auto& action) { act_on(action); }, each);
}

// ── calls to etcd ──

void ServiceContainer::act_on(const Election::Grant&) {
  const SteadyTime asked_at = now();
  const auto lease = attempt([&] { return etcd_.grant(settings_.lease.count() / 1000); });
  if (lease) hear(Election::Granted{lease->id, milliseconds(lease->ttl_s * 1000), asked_at});
  else hear(Failed{Failed::Doing::grant, lease.error()});
}

void ServiceContainer::act_on(const Election::KeepAlive& action) {
  const SteadyTime asked_at = now();
  const auto kept = attempt([&] { return etcd_.keep_alive(action.lease); });
  if (kept) hear(Election::KeptAlive{action.lease, milliseconds(kept->ttl_s * 1000), asked_at});
  else hear(Failed{Failed::Doing::keep_alive, kept.error()});
}

void ServiceContainer::act_on(const Election::Nominate& action) {
  const auto done = attempt([&] { return etcd_.nominate(settings_.instance_id, action.lease); });
  if (done) hear(Election::Nominated{action.lease, done->ours, done->leader, done->config_ok, done->revision});
  else hear(Failed{Failed::Doing::nominate, done.error()});
}

void ServiceContainer::act_on(const Election::Publish& action) {
  const auto done = attempt([&] { return etcd_.publish(action.lease); });
  if (done) hear(Election::Published{*done});
  else hear(Failed{Failed::Doing::publish, done.error()});
}

void ServiceContainer::act_on(const Election::Revoke& action) {
  const auto done = attempt([&] { return etcd_.revoke(action.lease); });
  if (!done) log::warning("the lease could not be revoked and will expire", {{"reason", done.error().text()}});
}

void ServiceContainer::act_on(const Election::Watch& action) {
  end_watch();
  const unsigned number = ++watch_number_;
  auto opened = attempt([&] { return etcd_.watch(action.from_revision); });
  if (!opened) return hear(Election::WatchEnded{opened.error()}, number);
  watch_ = std::move(*opened);
  const auto started = start_thread(watch_thread_, [this, number, watch = watch_] {
    for (;;) {
      const auto events = attempt([&] { return watch->next(); });
      if (!events) return hear(Election::WatchEnded{events.error()}, number);
      for (const auto& event : *events) {
        if (const auto* put = std::get_if<etcd::LeaderPut>(&event))
          hear(Election::LeaderIs{put->leader, put->lease}, number);
        else if (const auto* config = std::get_if<etcd::ConfigPut>(&event))
          hear(Election::ConfigOk{config->ok}, number);
        else hear(Election::LeaderGone{}, number);
      }
    }
  });
  if (!started) hear(Election::WatchEnded{started.error()}, number);
}

void ServiceContainer::act_on(const Election::StopWatch&) {
  end_watch();
  ++watch_number_;
}

void ServiceContainer::end_watch() {
  if (watch_) watch_->cancel();
  if (watch_thread_.joinable()) watch_thread_.join();
  watch_.reset();
}

// ── the broker, and callbacks ──

void ServiceContainer::act_on(const Election::Configure&) {
  if (set_up_thread_.joinable()) set_up_thread_.join();  // has reported its result: only one runs at a time
  const auto started =
      start_thread(set_up_thread_, [this] { hear(Election::Configured{attempt(settings_.configure)}); });
  if (!started) hear(Election::Configured{started});
}

void ServiceContainer::act_on(const Election::MayConsume&) {
  if (callbacks_.on_may_consume) callbacks_.on_may_consume();
}

void ServiceContainer::act_on(const Election::Entered& action) {
  {
    const std::lock_guard lock(mutex_);
    state_ = action.state;
  }
  log::info("container " + std::string(name_of(action.state)),
            {{"from", name_of(action.from)}, {"detail", action.detail}, {"prefix", settings_.prefix}});
  if (callbacks_.on_state) callbacks_.on_state(action.state, action.detail);
}

void ServiceContainer::act_on(const Election::Trouble& action) {
  log::warning(action.what + ", trying again", {{"reason", action.why.text()}, {"state", name_of(election_.state())}});
}

void ServiceContainer::act_on(const Election::Recovered& action) {
  log::info("etcd is available again", {{"detail", action.detail}});
}

}  // namespace nuropb::mesh
