#include "meshd/mesh/election.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nuropb::mesh {
namespace {

using E = Election;
using S = ContainerState;
using namespace std::chrono_literals;

template <class Wanted>
const Wanted* find(const std::vector<E::Action>& actions) {
  for (const auto& each : actions) {
    if (const auto* found = std::get_if<Wanted>(&each)) return found;
  }
  return nullptr;
}

/// One instance, with the test in the role of etcd and broker.
struct Instance {
  ManualClock clock;
  Election election{E::Settings{"me", false, 15s, 200ms, 5s}};
  std::vector<E::Action> actions;

  template <class Event>
  Instance& hear(Event event) {
    actions = election.handle(event, clock.now());
    return *this;
  }
  Instance& pass(milliseconds time) {
    clock.advance(time);
    actions = election.tick(clock.now());
    return *this;
  }
  template <class Wanted>
  const Wanted* asks() const {
    return find<Wanted>(actions);
  }

  Instance& start() {
    actions = election.start(clock.now());
    return *this;
  }
  Instance& granted() { return hear(E::Granted{7, 15s, clock.now()}); }
  Instance& elected(bool config_ok = false) {
    return start().granted().hear(E::Nominated{7, true, "me", config_ok, 10});
  }
  Instance& led_by(const std::string& other, bool config_ok) {
    return start().granted().hear(E::Nominated{7, false, other, config_ok, 10});
  }
  Instance& leading() { return elected().hear(E::Configured{}).hear(E::Published{true}); }
};

const Error away{"connection refused", "http://etcd", ""};

TEST(Election, WithoutEtcdItStandsAloneAndConsumesAtOnce) {
  Election election({"me", true});
  const auto actions = election.start(SteadyTime{});
  EXPECT_EQ(election.state(), S::running_standalone);
  EXPECT_TRUE(find<E::MayConsume>(actions));
  EXPECT_FALSE(find<E::Grant>(actions));
  EXPECT_EQ(election.next_tick(), SteadyTime::max());
  EXPECT_FALSE(find<E::Revoke>(election.stop(SteadyTime{})));
  election.stopped();
  EXPECT_EQ(election.state(), S::shutdown);
}

TEST(Election, TheFirstIsElectedConfiguresPublishesAndOnlyThenConsumes) {
  Instance one;
  one.start();
  EXPECT_EQ(one.election.state(), S::startup_leader_election);
  EXPECT_TRUE(one.asks<E::Grant>());
  one.granted();
  ASSERT_TRUE(one.asks<E::Nominate>());
  EXPECT_EQ(one.asks<E::Nominate>()->lease, 7);
  one.hear(E::Nominated{7, true, "me", false, 10});
  EXPECT_EQ(one.election.state(), S::startup_leader_decided);
  ASSERT_TRUE(one.asks<E::Watch>());
  EXPECT_EQ(one.asks<E::Watch>()->from_revision, 11);
  EXPECT_TRUE(one.asks<E::Configure>());
  EXPECT_FALSE(one.asks<E::MayConsume>());
  one.hear(E::Configured{});
  EXPECT_TRUE(one.asks<E::Publish>());
  EXPECT_FALSE(one.asks<E::MayConsume>());
  one.hear(E::Published{true});
  EXPECT_EQ(one.election.state(), S::running_leader);
  EXPECT_TRUE(one.asks<E::MayConsume>());
}

TEST(Election, AFollowerWaitsForTheLeadersWord) {
  Instance one;
  one.led_by("other", false);
  EXPECT_EQ(one.election.state(), S::startup_leader_decided);
  EXPECT_FALSE(one.asks<E::MayConsume>());
  one.hear(E::ConfigOk{false});
  EXPECT_FALSE(one.asks<E::MayConsume>());
  one.hear(E::ConfigOk{true});
  EXPECT_EQ(one.election.state(), S::running_follower);
  EXPECT_TRUE(one.asks<E::MayConsume>());
  EXPECT_EQ(one.election.leader(), "other");
}

TEST(Election, AFollowerConsumesAtOnceWhereTheWordWasGivenBefore) {
  Instance one;
  one.led_by("other", true);
  EXPECT_EQ(one.election.state(), S::running_follower);
  EXPECT_TRUE(one.asks<E::MayConsume>());
}

TEST(Election, AFollowerTakesOverAndConfiguresAnew) {
  Instance one;
  one.led_by("other", true).hear(E::LeaderGone{});
  EXPECT_TRUE(one.asks<E::Nominate>());
  EXPECT_EQ(one.election.state(), S::running_follower);
  one.hear(E::Nominated{7, true, "me", true, 20});
  EXPECT_EQ(one.election.state(), S::taking_leadership);
  EXPECT_TRUE(one.asks<E::Configure>());
  EXPECT_EQ(one.asks<E::Watch>()->from_revision, 21);
  one.hear(E::Configured{}).hear(E::Published{true});
  EXPECT_EQ(one.election.state(), S::running_leader);
  EXPECT_FALSE(one.asks<E::MayConsume>()) << "that was said before";
}

TEST(Election, TheLeaderDiesBeforeItsWordAndTheNextGivesIt) {
  Instance one;
  one.led_by("other", false).hear(E::LeaderGone{}).hear(E::Nominated{7, true, "me", false, 20});
  EXPECT_EQ(one.election.state(), S::startup_leader_decided);
  EXPECT_TRUE(one.asks<E::Configure>());
  one.hear(E::Configured{}).hear(E::Published{true});
  EXPECT_EQ(one.election.state(), S::running_leader);
  EXPECT_TRUE(one.asks<E::MayConsume>());
}

TEST(Election, ItsOwnFormerLifeIsAnotherLeader) {
  Instance one;
  one.led_by("me", true);
  EXPECT_FALSE(one.election.leads());
  EXPECT_EQ(one.election.state(), S::running_follower);
}

TEST(Election, TheLeaseIsKeptAliveAThirdIn) {
  Instance one;
  one.leading();
  EXPECT_FALSE(one.pass(4900ms).asks<E::KeepAlive>());
  ASSERT_TRUE(one.pass(100ms).asks<E::KeepAlive>());
  EXPECT_FALSE(one.pass(100ms).asks<E::KeepAlive>()) << "one at a time";
  one.hear(E::KeptAlive{7, 15s, one.clock.now()});
  EXPECT_EQ(one.election.next_tick(), one.clock.now() + 5s);
}

TEST(Election, EtcdAwayForLessThanTheLeaseChangesNothing) {
  Instance one;
  one.leading().pass(5s).hear(E::EtcdFailed{E::EtcdFailed::Doing::keep_alive, away});
  EXPECT_TRUE(one.asks<E::Trouble>());
  EXPECT_TRUE(one.asks<E::StopWatch>());
  EXPECT_EQ(one.election.state(), S::running_leader);
  for (int i = 0; i < 5; ++i) {
    one.pass(1600ms);
    EXPECT_TRUE(one.election.leads());
    if (one.asks<E::Nominate>()) one.hear(E::EtcdFailed{E::EtcdFailed::Doing::nominate, away});
    EXPECT_FALSE(one.asks<E::Trouble>()) << "told once";
    one.hear(E::EtcdFailed{E::EtcdFailed::Doing::keep_alive, away});
    EXPECT_FALSE(one.asks<E::Trouble>()) << "told once";
  }
  one.pass(1500ms);
  ASSERT_TRUE(one.asks<E::KeepAlive>());
  one.hear(E::KeptAlive{7, 15s, one.clock.now()});
  one.pass(5s);
  ASSERT_TRUE(one.asks<E::Nominate>());
  one.hear(E::Nominated{7, true, "me", true, 30});
  EXPECT_TRUE(one.asks<E::Recovered>());
  EXPECT_EQ(one.election.state(), S::running_leader);
  EXPECT_FALSE(one.asks<E::Configure>()) << "it never ceased to lead";
}

TEST(Election, PastItsLeaseALeaderFollowsByItsOwnClock) {
  Instance one;
  one.leading().pass(5s).hear(E::EtcdFailed{E::EtcdFailed::Doing::keep_alive, away}).pass(9999ms);
  EXPECT_TRUE(one.election.leads());
  one.pass(1ms);
  EXPECT_FALSE(one.election.leads());
  EXPECT_EQ(one.election.state(), S::running_follower);
  EXPECT_TRUE(one.asks<E::Grant>() || one.pass(5s).asks<E::Grant>());
  one.granted().hear(E::Nominated{7, true, "me", true, 40});
  EXPECT_EQ(one.election.state(), S::taking_leadership);
}

TEST(Election, TheLeaseCountsFromWhenItWasAskedFor) {
  Instance one;
  one.start();
  const auto asked = one.clock.now();
  one.clock.advance(4s);
  one.hear(E::Granted{7, 15s, asked}).hear(E::Nominated{7, true, "me", true, 1});
  one.pass(10'999ms);
  EXPECT_TRUE(one.election.leads());
  one.pass(1ms);
  EXPECT_FALSE(one.election.leads());
}

TEST(Election, ALeaseThatEtcdForgotIsLostAtOnce) {
  Instance one;
  one.leading().pass(5s).hear(E::KeptAlive{7, 0s, one.clock.now()});
  EXPECT_FALSE(one.election.leads());
  EXPECT_TRUE(one.pass(0ms).asks<E::Grant>());
}

TEST(Election, AnotherHoldsTheKeyAndTheLeaderSteps) {
  Instance one;
  one.leading().hear(E::LeaderIs{"other", 99});
  EXPECT_EQ(one.election.state(), S::running_follower);
  EXPECT_EQ(one.election.leader(), "other");
}

TEST(Election, ItsOwnKeyDeletedByHandIsTakenAgain) {
  Instance one;
  one.leading().hear(E::LeaderGone{}).hear(E::Nominated{7, true, "me", true, 50});
  EXPECT_EQ(one.election.state(), S::running_leader);
  EXPECT_FALSE(one.asks<E::Configure>());
}

TEST(Election, WatchEndsAndTheElectionIsLookedAtAgain) {
  Instance one;
  one.led_by("other", true).hear(E::WatchEnded{away});
  EXPECT_EQ(one.election.state(), S::running_follower);
  EXPECT_TRUE(one.pass(200ms).asks<E::Nominate>());
  EXPECT_TRUE(one.hear(E::Nominated{7, false, "third", true, 60}).asks<E::Watch>());
  EXPECT_EQ(one.election.leader(), "third");
}

TEST(Election, TheBrokerIsConfiguredAgainInGrowingPausesAndToldOnce) {
  Instance one;
  one.elected();
  milliseconds pause = 200ms;
  for (int i = 0; i < 8; ++i) {
    one.hear(E::Configured{failure("connection refused", "amqp://x")});
    EXPECT_EQ(one.asks<E::Trouble>() != nullptr, i == 0);
    EXPECT_FALSE(one.pass(pause - 1ms).asks<E::Configure>());
    if (one.asks<E::KeepAlive>()) one.hear(E::KeptAlive{7, 15s, one.clock.now()});
    EXPECT_TRUE(one.pass(1ms).asks<E::Configure>());
    if (one.asks<E::KeepAlive>()) one.hear(E::KeptAlive{7, 15s, one.clock.now()});
    pause = std::min<milliseconds>(2 * pause, 5s);
  }
  one.hear(E::Configured{failure("user or password refused", "amqp://x")});
  EXPECT_TRUE(one.asks<E::Trouble>()) << "another trouble";
}

TEST(Election, ASetUpThatOutlivedItsLeadershipServesTheNext) {
  Instance one;
  one.elected().hear(E::LeaderIs{"other", 99});
  EXPECT_FALSE(one.election.leads());
  one.hear(E::LeaderGone{}).hear(E::Nominated{7, true, "me", false, 70});
  EXPECT_FALSE(one.asks<E::Configure>()) << "one is still under way";
  EXPECT_TRUE(one.hear(E::Configured{}).asks<E::Publish>());
}

TEST(Election, ASetUpThatEndsAfterLeadershipIsNotPublished) {
  Instance one;
  one.elected().hear(E::LeaderIs{"other", 99}).hear(E::Configured{});
  EXPECT_FALSE(one.asks<E::Publish>());
  EXPECT_TRUE(one.hear(E::LeaderGone{}).hear(E::Nominated{7, true, "me", false, 80}).asks<E::Configure>());
}

TEST(Election, PublishingIsTriedAgain) {
  Instance one;
  one.elected().hear(E::Configured{}).hear(E::EtcdFailed{E::EtcdFailed::Doing::publish, away});
  EXPECT_TRUE(one.pass(200ms).asks<E::Publish>());
  EXPECT_TRUE(one.hear(E::Published{false}).pass(400ms).asks<E::Publish>());
}

TEST(Election, AnswersOfAnotherLeaseAreNothing) {
  Instance one;
  one.start().granted().hear(E::Nominated{6, true, "me", true, 10});
  EXPECT_EQ(one.election.state(), S::startup_leader_election);
  one.hear(E::Nominated{7, false, "other", true, 10}).hear(E::KeptAlive{6, 0s, one.clock.now()});
  EXPECT_FALSE(one.asks<E::StopWatch>());
}

TEST(Election, StoppingGivesTheLeaseBackAndHearsNothingMore) {
  Instance one;
  one.leading();
  const auto actions = one.election.stop(one.clock.now());
  ASSERT_TRUE(find<E::Revoke>(actions));
  EXPECT_TRUE(find<E::StopWatch>(actions));
  EXPECT_TRUE(one.hear(E::LeaderGone{}).actions.empty());
  EXPECT_TRUE(one.pass(1h).actions.empty());
  EXPECT_TRUE(one.election.stop(one.clock.now()).empty());
  EXPECT_TRUE(find<E::Entered>(one.election.stopped()));
  EXPECT_EQ(one.election.state(), S::shutdown);
}

TEST(Election, EtcdAwayAtTheStartIsTriedAgainForEver) {
  Instance one;
  one.start();
  for (int i = 0; i < 50; ++i) {
    one.hear(E::EtcdFailed{E::EtcdFailed::Doing::grant, away});
    EXPECT_EQ(one.asks<E::Trouble>() != nullptr, i == 0);
    EXPECT_TRUE(one.pass(5s).asks<E::Grant>());
  }
  EXPECT_EQ(one.election.state(), S::startup_leader_election);
}

TEST(Election, NamesAreThoseOfTheOriginal) {
  const std::set<std::string> names{
      "startup",        "startup-leader-election", "startup-leader-decided", "taking-leadership",
      "running-leader", "running-follower",        "running-standalone",     "stopping",
      "shutdown"};
  std::set<std::string> ours;
  for (int i = 0; i <= static_cast<int>(S::shutdown); ++i) ours.insert(name_of(static_cast<S>(i)));
  EXPECT_EQ(ours, names);
}

}  // namespace
}  // namespace nuropb::mesh
