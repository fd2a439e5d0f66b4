#include "meshd/mesh/election.hpp"

#include <algorithm>
#include <utility>

namespace nuropb::mesh {

const char* name_of(ContainerState state) {
  switch (state) {
    case ContainerState::startup: return "startup";
    case ContainerState::startup_leader_election: return "startup-leader-election";
    case ContainerState::startup_leader_decided: return "startup-leader-decided";
    case ContainerState::taking_leadership: return "taking-leadership";
    case ContainerState::running_leader: return "running-leader";
    case ContainerState::running_follower: return "running-follower";
    case ContainerState::running_standalone: return "running-standalone";
    case ContainerState::stopping: return "stopping";
    case ContainerState::shutdown: break;
  }
  return "shutdown";
}

std::vector<Election::Action> Election::take() { return std::exchange(out_, {}); }

bool Election::with_etcd() const {
  return !settings_.standalone && state_ != ContainerState::startup && state_ != ContainerState::stopping &&
         state_ != ContainerState::shutdown;
}

milliseconds Election::pause(unsigned failures) const {
  return std::min<milliseconds>(settings_.retry_max, settings_.retry_min * (1LL << std::min(failures, 16U)));
}

void Election::enter(ContainerState state, const std::string& detail) {
  out_.emplace_back(Entered{state, state_, detail});
  state_ = state;
}

void Election::consume() {
  if (std::exchange(may_consume_, true)) return;
  out_.emplace_back(MayConsume{});
}

std::vector<Election::Action> Election::start(SteadyTime) {
  if (state_ != ContainerState::startup) return take();
  if (settings_.standalone) {
    enter(ContainerState::running_standalone, "no etcd is configured");
    consume();
  } else {
    enter(ContainerState::startup_leader_election, "");
    connect();
  }
  return take();
}

std::vector<Election::Action> Election::stop(SteadyTime) {
  if (state_ == ContainerState::stopping || state_ == ContainerState::shutdown) return take();
  enter(ContainerState::stopping, "");
  link_ = Link::off;
  leads_ = false;
  duty_ = Duty::none;
  if (!settings_.standalone) out_.emplace_back(StopWatch{});
  if (const auto lease = std::exchange(lease_, std::nullopt)) out_.emplace_back(Revoke{*lease});
  return take();
}

std::vector<Election::Action> Election::stopped() {
  if (state_ != ContainerState::shutdown) enter(ContainerState::shutdown, "");
  return take();
}

std::vector<Election::Action> Election::handle(const Event& event, SteadyTime now) {
  if (with_etcd()) std::visit([&](const auto& each) { on(each, now); }, event);
  return take();
}

std::vector<Election::Action> Election::tick(SteadyTime now) {
  if (!with_etcd()) return take();
  if (lease_ && now >= lease_ends_) lose_lease("it could not be kept alive in time", now);
  if (lease_ && !keeping_alive_ && now >= keep_alive_at_) {
    keeping_alive_ = true;
    out_.emplace_back(KeepAlive{*lease_});
  }
  if (link_ == Link::waiting && now >= retry_at_) connect();
  if (duty_ == Duty::waiting && now >= duty_at_) configure();
  if (duty_ == Duty::to_publish && now >= duty_at_) publish();
  return take();
}

SteadyTime Election::next_tick() const {
  SteadyTime next = SteadyTime::max();
  if (!with_etcd()) return next;
  if (lease_) next = std::min(next, keeping_alive_ ? lease_ends_ : std::min(lease_ends_, keep_alive_at_));
  if (link_ == Link::waiting) next = std::min(next, retry_at_);
  if (duty_ == Duty::waiting || duty_ == Duty::to_publish) next = std::min(next, duty_at_);
  return next;
}

// ── communication with etcd ──

void Election::connect() {
  if (lease_) return nominate();
  link_ = Link::granting;
  out_.emplace_back(Grant{});
}

void Election::nominate() {
  link_ = Link::nominating;
  out_.emplace_back(Nominate{*lease_});
}

void Election::wait(const std::string& what, const Error& why, SteadyTime now) {
  if (!std::exchange(troubled_, true)) out_.emplace_back(Trouble{what, why});
  link_ = Link::waiting;
  retry_at_ = now + pause(failures_++);
}

void Election::lose_lease(const std::string& why, SteadyTime now) {
  lease_.reset();
  keeping_alive_ = false;
  out_.emplace_back(StopWatch{});
  if (leads_) step_down("the lease is lost: " + why);
  leader_.clear();
  // While etcd is unavailable the current pause continues; otherwise there is nothing to wait for.
  if (link_ == Link::waiting) return;
  link_ = Link::waiting;
  retry_at_ = now;
}

void Election::on(const Granted& event, SteadyTime now) {
  if (link_ != Link::granting) return;
  lease_ = event.lease;
  ttl_ = event.ttl;
  lease_ends_ = event.asked_at + ttl_;
  keep_alive_at_ = now + ttl_ / 3;
  keeping_alive_ = false;
  nominate();
}

void Election::on(const KeptAlive& event, SteadyTime now) {
  if (event.lease != lease_) return;
  keeping_alive_ = false;
  if (event.ttl <= milliseconds(0)) return lose_lease("etcd no longer knows it", now);
  lease_ends_ = std::max(lease_ends_, event.asked_at + event.ttl);
  keep_alive_at_ = now + ttl_ / 3;
}

void Election::on(const Nominated& event, SteadyTime) {
  if (link_ != Link::nominating || event.lease != lease_) return;
  link_ = Link::watching;
  failures_ = 0;
  if (std::exchange(troubled_, false))
    out_.emplace_back(Recovered{event.ours ? "the leader key is ours" : "leader is " + event.leader});
  // Starts right after the response's revision, so that nothing in between is missed.
  out_.emplace_back(Watch{event.revision + 1});
  config_ok_ = event.config_ok;
  decide(event.ours, event.leader);
}

void Election::on(const LeaderIs& event, SteadyTime) {
  if (link_ != Link::watching) return;
  leader_ = event.leader;
  if (leads_ && event.lease != lease_) step_down(event.leader + " leads now");
}

void Election::on(const LeaderGone&, SteadyTime) {
  if (link_ != Link::watching) return;
  leader_.clear();
  nominate();
}

void Election::on(const ConfigOk& event, SteadyTime) {
  if (link_ != Link::watching) return;
  config_ok_ = event.ok;
  go_on();
}

void Election::on(const WatchEnded& event, SteadyTime now) {
  if (link_ == Link::watching) wait("the watch on etcd ended", event.why, now);
}

void Election::on(const EtcdFailed& event, SteadyTime now) {
  switch (event.doing) {
    case EtcdFailed::Doing::grant:
      if (link_ == Link::granting) wait("no lease from etcd", event.why, now);
      break;
    case EtcdFailed::Doing::nominate:
      if (link_ == Link::nominating) wait("no election at etcd", event.why, now);
      break;
    case EtcdFailed::Doing::keep_alive:
      keeping_alive_ = false;
      keep_alive_at_ = now + std::max<milliseconds>(ttl_ / 10, milliseconds(50));
      // A server that does not answer here may have left the watch hanging, too.
      if (link_ == Link::watching) {
        out_.emplace_back(StopWatch{});
        wait("the lease can't be kept alive at etcd", event.why, now);
      }
      break;
    case EtcdFailed::Doing::publish:
      if (duty_ != Duty::publishing) break;
      duty_ = Duty::to_publish;
      duty_at_ = now + pause(duty_failures_++);
      break;
  }
}

// ── leadership and its consequences ──

void Election::decide(bool ours, const std::string& leader) {
  leader_ = ours ? settings_.instance_id : leader;
  std::string detail = ours ? "elected as leader" : "leader is " + leader;
  if (!ours && leader == settings_.instance_id) detail += ", an earlier run of this instance: until that lease expires";
  if (state_ == ContainerState::startup_leader_election) {
    leads_ = ours;
    enter(ContainerState::startup_leader_decided, detail);
  } else if (ours && !leads_) {
    leads_ = true;
    if (state_ == ContainerState::running_follower) enter(ContainerState::taking_leadership, detail);
  } else if (!ours && leads_) {
    step_down(detail);
  }
  go_on();
}

void Election::step_down(const std::string& why) {
  leads_ = false;
  duty_ = Duty::none;
  if (state_ == ContainerState::running_leader || state_ == ContainerState::taking_leadership)
    enter(ContainerState::running_follower, why);
}

void Election::go_on() {
  if (leads_) {
    if (duty_ == Duty::none) configure();
  } else if (config_ok_ && state_ == ContainerState::startup_leader_decided) {
    enter(ContainerState::running_follower, leader_.empty() ? "no leader is known" : "leader is " + leader_);
    consume();
  }
}

void Election::configure() {
  duty_ = Duty::configuring;
  if (std::exchange(configuring_, true)) return;  // a run from an earlier leadership is sufficient
  out_.emplace_back(Configure{});
}

void Election::publish() {
  duty_ = Duty::publishing;
  out_.emplace_back(Publish{*lease_});
}

void Election::on(const Configured& event, SteadyTime now) {
  configuring_ = false;
  if (duty_ != Duty::configuring) return;
  if (!event.done) {
    const std::string told = std::exchange(duty_told_, event.done.error().text());
    if (told != duty_told_) out_.emplace_back(Trouble{"the mesh can't be configured", event.done.error()});
    duty_ = Duty::waiting;
    duty_at_ = now + pause(duty_failures_++);
    return;
  }
  duty_failures_ = 0;
  duty_told_.clear();
  publish();
}

void Election::on(const Published& event, SteadyTime now) {
  if (duty_ != Duty::publishing) return;
  if (!event.ours) {
    // The watch will report the key's owner, or that it is free.
    duty_ = Duty::to_publish;
    duty_at_ = now + pause(duty_failures_++);
    return;
  }
  duty_ = Duty::done;
  duty_failures_ = 0;
  config_ok_ = true;
  enter(ContainerState::running_leader, "the mesh is configured");
  consume();
}

}  // namespace nuropb::mesh
