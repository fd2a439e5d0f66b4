// Randomized test of the election: a model of etcd, of three instances, and of all failures between them.
// election_test.cpp has the intended behaviour of each case.

#include "meshd/mesh/election.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

namespace nuropb::mesh {
namespace {

using E = Election;
using S = ContainerState;
using namespace std::chrono_literals;

const Error away{"connection refused", "http://etcd", ""};

/// Instances and an etcd that randomly loses responses, forgets leases and becomes unavailable. Invariants: never two
/// leaders, no instance consumes before the mesh was configured, and in quiet times there is a leader.
class Chance {
 public:
  explicit Chance(unsigned seed) : random_(seed) {
    for (int i = 0; i < 3; ++i) instances_.push_back(std::make_unique<One>("i" + std::to_string(i)));
  }

  void run() {
    for (auto& each : instances_) act(*each, each->election.start(clock_.now()));
    for (int step = 0; step < 4000; ++step) {
      const bool quiet = step % 1000 >= 700;
      if (!quiet && chance(3)) etcd_there_ = !etcd_there_;
      if (quiet) etcd_there_ = true;
      lossy_ = !quiet;
      clock_.advance(milliseconds(std::uniform_int_distribution<int>(1, 400)(random_)));
      for (auto& each : instances_) {
        if (!quiet && chance(5)) restart(*each);
        act(*each, each->election.tick(clock_.now()));
        check();
        deliver(*each);
      }
      expire();
      for (auto& each : instances_) deliver(*each);
      check();
      if (step % 1000 == 999) {
        ASSERT_EQ(leaders(), 1) << "after a quiet time";
        for (auto& each : instances_) ASSERT_TRUE(each->consumes) << each->id;
      }
    }
  }

 private:
  struct One {
    explicit One(std::string name) : id(std::move(name)), election(settings()) {}
    [[nodiscard]] E::Settings settings() const { return {id, false, 3s, 100ms, 1s}; }
    std::string id;
    Election election;
    std::vector<E::Event> heard;
    bool watches = false;
    bool consumes = false;
  };
  struct Key {
    std::string leader;
    std::int64_t lease;
  };

  bool chance(int percent) { return std::uniform_int_distribution<int>(0, 99)(random_) < percent; }
  int leaders() const {
    int count = 0;
    for (const auto& each : instances_) count += each->election.leads();
    return count;
  }
  void check() const { ASSERT_LE(leaders(), 1); }
  void restart(One& one) {  // as after a SIGKILL: its lease still exists at etcd
    one.election = Election(one.settings());
    one.heard.clear();
    one.watches = one.consumes = false;
    act(one, one.election.start(clock_.now()));
  }
  void deliver(One& one) {
    for (auto& event : std::exchange(one.heard, {})) act(one, one.election.handle(event, clock_.now()));
  }
  void tell(const E::Event& event) {
    for (auto& each : instances_) {
      if (each->watches) each->heard.push_back(event);
    }
  }
  void expire() {
    std::erase_if(leases_, [&](const auto& lease) { return clock_.now() >= lease.second; });
    if (key_ && !leases_.contains(key_->lease)) {
      key_.reset();
      ++revision_;
      tell(E::LeaderGone{});
    }
  }
  using Doing = E::EtcdFailed::Doing;
  /// Whether the request arrives, and whether its response does.
  bool arrives(One& one, Doing doing) {
    if (etcd_there_ && !(lossy_ && chance(10))) return true;
    one.heard.push_back(E::EtcdFailed{doing, away});
    return false;
  }
  void answer(One& one, Doing doing, E::Event event) {
    if (lossy_ && chance(10)) one.heard.push_back(E::EtcdFailed{doing, away});
    else one.heard.push_back(std::move(event));
  }
  void act(One& one, const std::vector<E::Action>& actions) {
    for (const auto& each : actions) std::visit([&](const auto& action) { act_on(one, action); }, each);
  }
  void act_on(One& one, const E::Grant&) {
    if (!arrives(one, Doing::grant)) return;
    leases_[++last_lease_] = clock_.now() + 3s;
    answer(one, Doing::grant, E::Granted{last_lease_, 3s, clock_.now()});
  }
  void act_on(One& one, const E::KeepAlive& action) {
    if (!arrives(one, Doing::keep_alive)) return;
    const auto found = leases_.find(action.lease);
    if (found != leases_.end()) found->second = clock_.now() + 3s;
    answer(one, Doing::keep_alive, E::KeptAlive{action.lease, found == leases_.end() ? 0s : 3s, clock_.now()});
  }
  void act_on(One& one, const E::Nominate& action) {
    if (!arrives(one, Doing::nominate)) return;
    if (!leases_.contains(action.lease))
      return one.heard.push_back(E::EtcdFailed{Doing::nominate, {"lease not found", "", ""}});
    if (!key_) {
      key_ = Key{one.id, action.lease};
      ++revision_;
      tell(E::LeaderIs{one.id, action.lease});
    }
    answer(one, Doing::nominate,
           E::Nominated{action.lease, key_->lease == action.lease, key_->leader, config_ok_, revision_});
  }
  void act_on(One& one, const E::Watch&) {
    std::erase_if(one.heard, [](const E::Event& event) {
      return std::holds_alternative<E::LeaderGone>(event) || std::holds_alternative<E::LeaderIs>(event) ||
             std::holds_alternative<E::ConfigOk>(event);
    });
    one.watches = etcd_there_;
    if (!etcd_there_) return one.heard.push_back(E::WatchEnded{away});
    // What has changed since the response it was based on.
    if (key_) one.heard.push_back(E::LeaderIs{key_->leader, key_->lease});
    else one.heard.push_back(E::LeaderGone{});
    one.heard.push_back(E::ConfigOk{config_ok_});
  }
  void act_on(One& one, const E::StopWatch&) { one.watches = false; }
  void act_on(One& one, const E::Configure&) {
    if (lossy_ && chance(50)) {
      one.heard.push_back(E::Configured{failure("connection refused")});
    } else {
      configured_ = true;
      one.heard.push_back(E::Configured{});
    }
  }
  void act_on(One& one, const E::Publish& action) {
    if (!arrives(one, Doing::publish)) return;
    const bool ours = key_ && key_->lease == action.lease;
    ASSERT_TRUE(configured_);
    if (ours) config_ok_ = true;
    if (ours) tell(E::ConfigOk{true});
    answer(one, Doing::publish, E::Published{ours});
  }
  void act_on(One& one, const E::MayConsume&) {
    ASSERT_TRUE(config_ok_) << "the mesh was not reported as configured";
    ASSERT_FALSE(one.consumes) << "said twice";
    one.consumes = true;
  }
  void act_on(One&, const E::Entered&) {}
  void act_on(One&, const E::Trouble&) {}
  void act_on(One&, const E::Recovered&) {}
  void act_on(One&, const E::Revoke&) {}

  std::mt19937 random_;
  ManualClock clock_;
  std::vector<std::unique_ptr<One>> instances_;
  std::map<std::int64_t, SteadyTime> leases_;
  std::int64_t last_lease_ = 0, revision_ = 1;
  std::optional<Key> key_;
  bool config_ok_ = false, configured_ = false, etcd_there_ = true, lossy_ = true;
};

TEST(Election, NeverTwoLeadersWhateverHappens) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chance(seed).run();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace nuropb::mesh
