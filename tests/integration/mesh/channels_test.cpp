// What a broker may do to a living connection: close a channel, cancel a consumer, delete a queue, close the
// connection. Traffic comes back by itself, or the transport says why it can't.

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/integration/mesh/participant.hpp"
#include "tests/integration/mesh/private_broker.hpp"
#include "tests/integration/mesh/settings.hpp"

namespace nuropb::mesh {
namespace {

constexpr std::size_t largest_message = 1U << 20;

class Channels : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    broker_ =
        std::make_unique<PrivateBroker>("--config-line 'max_message_size = " + std::to_string(largest_message) + "'");
  }
  static void TearDownTestSuite() { broker_.reset(); }

  static TransportSettings settings(const std::string& name, Kind kind) {
    return participant_settings(name, kind, *amqp::parse_url(broker_->url()));
  }
  void SetUp() override {
    name_ = "channels-" + random_hex32().substr(0, 8);
    service_ = std::make_unique<Participant>(settings(name_, Kind::service));
    client_ = std::make_unique<Participant>(settings("client", Kind::client));
    for (auto* one : {service_.get(), client_.get()}) {
      const auto up = one->start();
      ASSERT_TRUE(up) << up.error().text();
    }
  }
  /// A request that the service gets; it stays unacknowledged.
  Incoming reaches_the_service() {
    const std::string id = random_hex32();
    EXPECT_EQ(client_->publish(MessageType::request, name_, "{}", id).outcome, Outcome::confirmed);
    Incoming out;
    EXPECT_TRUE(service_->sees([&](const auto& s) {
      const auto found =
          std::find_if(s.requests.begin(), s.requests.end(), [&](const Incoming& m) { return m.correlation_id == id; });
      if (found == s.requests.end()) return false;
      out = *found;
      return true;
    })) << "the service does not get its requests";
    return out;
  }
  /// Publishes an event until the client gets it.
  bool event_arrives(const std::string& topic) {
    for (int i = 0; i < tries; ++i) {
      const std::string id = random_hex32();
      service_->publish(MessageType::event, topic, "{}", id);
      if (client_->sees(
              [&](const auto& s) {
                return std::any_of(s.events.begin(), s.events.end(),
                                   [&](const Incoming& e) { return e.correlation_id == id; });
              },
              patience(i)))
        return true;
    }
    return false;
  }
  static std::size_t times(const Participant::Seen& seen, State state) {
    return static_cast<std::size_t>(
        std::count_if(seen.states.begin(), seen.states.end(), [&](const auto& s) { return s.first == state; }));
  }

  static std::unique_ptr<PrivateBroker> broker_;
  std::string name_;
  std::unique_ptr<Participant> service_, client_;
};
std::unique_ptr<PrivateBroker> Channels::broker_;

/// What the broker has against one participant of a connection, the other does not hear of.
TEST_F(Channels, AClosedChannelIsOnlyItsParticipants) {
  Participant first(settings(name_ + "-1", Kind::service)), second(first, settings(name_ + "-2", Kind::service));
  ASSERT_TRUE(first.start());
  EXPECT_EQ(second.publish(MessageType::request, name_, std::string(largest_message + 1, ' ')).outcome,
            Outcome::refused);
  EXPECT_EQ(first.publish(MessageType::request, name_, "{}").outcome, Outcome::confirmed);
  EXPECT_EQ(second.publish(MessageType::request, name_, "{}").outcome, Outcome::confirmed)
      << "its channel is opened again";
  EXPECT_EQ(first.seen().reports.size(), 1u);
  EXPECT_EQ(times(first.seen(), State::ready), 1u);
  EXPECT_EQ(first.transport.counters().channels_closed, 1u);
}

TEST_F(Channels, AClosedServiceChannelIsOpenedAgain) {
  // A broker that waits no longer than that for acknowledgements closes the channel: 406. It holds for channels that are
  // opened while it is so.
  service_.reset();
  broker_->run(
      "ctl eval 'application:set_env(rabbit, consumer_timeout, 200), application:set_env(rabbit, "
      "channel_tick_interval, 200).'");
  service_ = std::make_unique<Participant>(settings(name_, Kind::service));
  ASSERT_TRUE(service_->start());
  broker_->run("ctl eval 'application:set_env(rabbit, consumer_timeout, 1800000).'");
  const Incoming first = reaches_the_service();
  // What was unacknowledged comes again, on the new channel.
  ASSERT_TRUE(service_->sees([&](const auto& s) { return s.requests.size() == 2 && s.requests.back().redelivered; }));
  const auto again = service_->seen().requests.back();
  EXPECT_EQ(again.correlation_id, first.correlation_id);
  EXPECT_NE(again.delivery.epoch, first.delivery.epoch);
  // The old delivery is of no use and no harm now, nor is one that never was; the new one is acknowledged once.
  service_->transport.ack(first.delivery);
  service_->transport.ack({again.delivery.epoch, again.delivery.channel, 4711});
  service_->transport.ack(again.delivery);
  service_->transport.ack(again.delivery);
  service_->transport.ack(reaches_the_service().delivery);
  EXPECT_EQ(service_->seen().requests.size(), 3U);
  EXPECT_EQ(times(service_->seen(), State::away), 0U) << "the connection lived on";
}

TEST_F(Channels, AClosedPublishChannelReportsAndGoesOn) {
  // The broker closes the channel at the large one; what came before it may have arrived, that and the later ones can't.
  std::vector<Outgoing> messages(5);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    messages[i].type = MessageType::request;
    messages[i].routing_key = name_;
    messages[i].correlation_id = "m" + std::to_string(i);
    messages[i].body = std::string(i == 2 ? largest_message + 1 : 100, 'x');
  }
  ASSERT_EQ(client_->transport.submit(messages), 5U);
  ASSERT_TRUE(client_->sees([](const auto& s) { return s.reports.size() == 5; }));
  for (const auto& report : client_->seen().reports) {
    if (report.correlation_id == "m2") {
      EXPECT_EQ(report.outcome, Outcome::refused) << report.detail;
      EXPECT_NE(report.detail.find("larger than"), std::string::npos) << report.detail;
    } else if (report.correlation_id < "m2") {
      EXPECT_TRUE(report.outcome == Outcome::confirmed || report.outcome == Outcome::unknown) << report.detail;
    } else {
      EXPECT_TRUE(report.outcome == Outcome::confirmed || report.outcome == Outcome::refused)
          << report.correlation_id << report.detail;
    }
  }
  reaches_the_service();
  EXPECT_EQ(times(client_->seen(), State::away), 0U);
}

TEST_F(Channels, ADeletedQueueIsDeclaredAndConsumedAgain) {
  ASSERT_TRUE(client_->transport.bind_event(name_ + ".#"));
  ASSERT_TRUE(event_arrives(name_ + ".1"));
  broker_->run("ctl delete_queue nuropb-" + name_ + "-sq");
  EXPECT_TRUE([&] {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < until) {
      if (client_->publish(MessageType::request, name_, "{}").outcome == Outcome::confirmed) return true;
    }
    return false;
  }());
  reaches_the_service();
  broker_->run("ctl delete_queue " + client_->transport.response_queue());
  // An answer finds the queue again, once it is declared.
  EXPECT_TRUE([&] {
    for (int i = 0; i < tries; ++i) {
      service_->publish(MessageType::response, client_->transport.response_queue(), "{}");
      if (client_->sees([](const auto& s) { return !s.responses.empty(); }, patience(i))) return true;
    }
    return false;
  }());
  EXPECT_EQ(times(client_->seen(), State::away), 0U);
  EXPECT_EQ(times(service_->seen(), State::away), 0U);
}

TEST_F(Channels, ADeletedEventsQueueIsBoundAgain) {
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(client_->transport.bind_event(name_ + "." + std::to_string(i)));
  ASSERT_TRUE(event_arrives(name_ + ".299"));
  const std::string queues = broker_->output("ctl --quiet list_queues name");
  const auto at = queues.find("-eq\n");
  ASSERT_NE(at, std::string::npos) << queues;
  const auto line = queues.rfind('\n', at);
  broker_->run("ctl delete_queue " + queues.substr(line + 1, at + 3 - line - 1));
  EXPECT_TRUE(event_arrives(name_ + ".0"));
  EXPECT_TRUE(event_arrives(name_ + ".299"));
  EXPECT_EQ(times(client_->seen(), State::away), 0U);
}

TEST_F(Channels, AnOperatorClosesAllConnections) {
  ASSERT_TRUE(client_->transport.bind_event(name_ + ".kept"));
  ASSERT_TRUE(client_->transport.bind_event(name_ + ".dropped"));
  ASSERT_TRUE(event_arrives(name_ + ".dropped"));
  broker_->run("ctl close_all_connections maintenance");
  for (auto* one : {service_.get(), client_.get()}) {
    ASSERT_TRUE(one->sees([](const auto& s) { return times(s, State::away) >= 1; }));
    const auto states = one->seen().states;
    const auto away = std::find_if(states.begin(), states.end(), [](const auto& s) { return s.first == State::away; });
    EXPECT_NE(away->second.find("maintenance"), std::string::npos) << away->second;
  }
  client_->transport.unbind_event(name_ + ".dropped");
  for (auto* one : {service_.get(), client_.get()})
    ASSERT_TRUE(one->sees([](const auto& s) { return times(s, State::ready) >= 2; }));
  reaches_the_service();
  EXPECT_TRUE(event_arrives(name_ + ".kept"));
  client_->forget();
  service_->publish(MessageType::event, name_ + ".dropped", "{}");
  EXPECT_TRUE(event_arrives(name_ + ".kept"));
  const auto events = client_->seen().events;
  EXPECT_FALSE(std::any_of(events.begin(), events.end(), [&](const Incoming& e) {
    return e.routing_key == name_ + ".dropped";
  })) << "unbound while away";
}

TEST_F(Channels, EventsOfAShortAbsenceAreWaiting) {
  ASSERT_TRUE(client_->transport.bind_event(name_ + ".kept"));
  ASSERT_TRUE(event_arrives(name_ + ".kept"));
  client_->transport.pause_deliveries(true);
  client_->forget();
  broker_->run("ctl close_all_connections maintenance");
  client_->transport.pause_deliveries(false);
  service_->publish(MessageType::event, name_ + ".kept", R"("in between")");
  EXPECT_TRUE(client_->sees([](const auto& s) {
    return std::any_of(s.events.begin(), s.events.end(), [](const Incoming& e) { return e.body == R"("in between")"; });
  }));
}

TEST_F(Channels, WhatIsRefusedForGoodEndsWithTheReason) {
  // May not publish to the default exchange, so answers are refused: 403.
  broker_->run("ctl --quiet add_user " + name_ + " pw");
  broker_->run("ctl --quiet set_permissions " + name_ + " '^nuropb-.*' '^nuropb-.*' '^nuropb-.*'");
  auto poor = settings("client", Kind::client);
  poor.urls[0].user = name_;
  poor.urls[0].password = "pw";
  Participant participant(poor);
  ASSERT_TRUE(participant.start());
  participant.publish(MessageType::response, client_->transport.response_queue(), "{}");
  ASSERT_TRUE(
      participant.sees([](const auto& s) { return !s.states.empty() && s.states.back().first == State::stopped; }));
  EXPECT_NE(participant.seen().states.back().second.find("ACCESS_REFUSED"), std::string::npos)
      << participant.seen().states.back().second;
  EXPECT_EQ(participant.publish(MessageType::event, "t", "{}").outcome, Outcome::refused);
  EXPECT_EQ(times(participant.seen(), State::ready), 1U) << "no loop";
}

TEST_F(Channels, ATopicThatTheBrokerRefusesEndsItsEventOnly) {
  broker_->run("ctl --quiet add_user " + name_ + " pw");
  broker_->run("ctl --quiet set_permissions " + name_ + " '.*' '.*' '.*'");
  broker_->run("ctl --quiet set_topic_permissions " + name_ + " nuropb-events-exchange '^mine' '.*'");
  auto limited = settings("client", Kind::client);
  limited.urls[0].user = name_;
  limited.urls[0].password = "pw";
  client_ = std::make_unique<Participant>(limited);
  ASSERT_TRUE(client_->start());
  EXPECT_EQ(client_->publish(MessageType::event, "mine.1", "{}").outcome, Outcome::confirmed);
  const auto report = client_->publish(MessageType::event, "others.1", "{}");
  EXPECT_EQ(report.outcome, Outcome::refused);
  EXPECT_NE(report.detail.find("others.1"), std::string::npos) << report.detail;
  EXPECT_EQ(client_->publish(MessageType::event, "mine.2", "{}").outcome, Outcome::confirmed);
  reaches_the_service();
  EXPECT_EQ(times(client_->seen(), State::away), 0U);
}

TEST_F(Channels, APatternThatTheBrokerRefusesIsSaidAndTheRestGoesOn) {
  broker_->run("ctl --quiet add_user " + name_ + " pw");
  broker_->run("ctl --quiet set_permissions " + name_ + " '.*' '.*' '.*'");
  broker_->run("ctl --quiet set_topic_permissions " + name_ + " nuropb-events-exchange '.*' '^" + name_ + "'");
  auto limited = settings("client", Kind::client);
  limited.urls[0].user = name_;
  limited.urls[0].password = "pw";
  client_ = std::make_unique<Participant>(limited);
  ASSERT_TRUE(client_->start());
  ASSERT_TRUE(client_->transport.bind_event(name_ + ".a"));
  ASSERT_TRUE(client_->transport.bind_event("secrets.#"));
  ASSERT_TRUE(client_->transport.bind_event(name_ + ".b"));
  ASSERT_TRUE(client_->sees([](const auto& s) { return !s.refused.empty(); }));
  EXPECT_EQ(client_->seen().refused.front().first, "secrets.#");
  EXPECT_NE(client_->seen().refused.front().second.find("ACCESS_REFUSED"), std::string::npos);
  EXPECT_TRUE(event_arrives(name_ + ".a"));
  EXPECT_TRUE(event_arrives(name_ + ".b"));
  EXPECT_EQ(client_->seen().refused.size(), 1U);
  EXPECT_EQ(times(client_->seen(), State::away), 0U);
  reaches_the_service();
}

}  // namespace
}  // namespace nuropb::mesh
