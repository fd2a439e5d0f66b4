// What a broker may do to a live connection: close a channel, cancel a consumer, delete a queue, close the connection.
// Traffic resumes by itself, or the transport reports why it can't.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

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
  /// A request that the service receives and does not acknowledge.
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
  /// The settings of a client that logs in as this user.
  static TransportSettings as(const std::string& user) {
    auto out = settings("client", Kind::client);
    out.urls[0].user = user;
    out.urls[0].password = "pw";
    return out;
  }
  /// A client whose user has these topic permissions, for writing and reading.
  std::unique_ptr<Participant> limited_client(const std::string& topics) {
    broker_->run("ctl --quiet add_user " + name_ + " pw");
    broker_->run("ctl --quiet set_permissions " + name_ + " '.*' '.*' '.*'");
    broker_->run("ctl --quiet set_topic_permissions " + name_ + " nuropb-events-exchange " + topics);
    auto out = std::make_unique<Participant>(as(name_));
    const auto up = out->start();
    EXPECT_TRUE(up) << (up ? std::string() : up.error().text());
    return out;
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

/// An error of one participant of a connection does not affect the other.
TEST_F(Channels, AClosedChannelIsOnlyItsParticipants) {
  Participant first(settings(name_ + "-1", Kind::service)), second(first, settings(name_ + "-2", Kind::service));
  ASSERT_TRUE(first.start());
  EXPECT_EQ(second.publish(MessageType::request, name_, std::string(largest_message + 1, ' ')).outcome,
            Outcome::refused);
  EXPECT_EQ(first.publish(MessageType::request, name_, "{}").outcome, Outcome::confirmed);
  EXPECT_EQ(second.publish(MessageType::request, name_, "{}").outcome, Outcome::confirmed);
  EXPECT_EQ(first.publish(MessageType::request, name_, std::string(largest_message + 1, ' ')).outcome, Outcome::refused)
      << "what the broker has said to one is known to all";
  EXPECT_EQ(first.seen().reports.size(), 2u);
  EXPECT_EQ(times(first.seen(), State::ready), 1u);
  EXPECT_EQ(first.transport.counters().channels_closed, 1u);
}

TEST_F(Channels, AClosedServiceChannelIsOpenedAgain) {
  // A broker closes a channel with 406 if a delivery is not acknowledged within consumer_timeout. That applies to
  // channels that are opened while it is set. From 4.3 on there is no timeout on classic queues (release notes of
  // RabbitMQ 4.3.0, "Consumer Timeout").
  if (const std::string version = broker_->output("ctl version"); std::stod(version) >= 4.3)
    GTEST_SKIP() << "RabbitMQ " << version << " closes no channel for this";
  service_.reset();
  broker_->run(
      "ctl eval 'application:set_env(rabbit, consumer_timeout, 200), application:set_env(rabbit, "
      "channel_tick_interval, 200).'");
  service_ = std::make_unique<Participant>(settings(name_, Kind::service));
  ASSERT_TRUE(service_->start());
  broker_->run("ctl eval 'application:set_env(rabbit, consumer_timeout, 1800000).'");
  const Incoming first = reaches_the_service();
  // The unacknowledged delivery is repeated on the new channel.
  ASSERT_TRUE(service_->sees([&](const auto& s) { return s.requests.size() == 2 && s.requests.back().redelivered; }));
  const auto again = service_->seen().requests.back();
  EXPECT_EQ(again.correlation_id, first.correlation_id);
  EXPECT_NE(again.delivery.epoch, first.delivery.epoch);
  // Acknowledging the old delivery, or one that never existed, has no effect; the new one is acknowledged once.
  service_->transport.ack(first.delivery);
  service_->transport.ack({again.delivery.epoch, again.delivery.channel, 4711});
  service_->transport.ack(again.delivery);
  service_->transport.ack(again.delivery);
  service_->transport.ack(reaches_the_service().delivery);
  EXPECT_EQ(service_->seen().requests.size(), 3U);
  EXPECT_EQ(times(service_->seen(), State::away), 0U) << "the connection lived on";
}

TEST_F(Channels, AMessageThatIsTooLargeForTheBrokerCostsItselfOnly) {
  service_.reset();
  auto roomy = settings(name_, Kind::service);
  roomy.prefetch = 2000;  // nothing is acknowledged here
  service_ = std::make_unique<Participant>(roomy);
  ASSERT_TRUE(service_->start());
  std::vector<Outgoing> messages(1000);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    messages[i].type = MessageType::request;
    messages[i].routing_key = name_;
    messages[i].correlation_id = "m" + std::to_string(i);
    messages[i].source = 100 + i % 10;
    messages[i].body = std::string(i % 100 == 2 ? largest_message + 1 + i : i % 7 == 0 ? 10'000 + i : 100, 'x');
  }
  ASSERT_EQ(client_->transport.submit(messages), 1000U);
  ASSERT_TRUE(client_->sees([](const auto& s) { return s.reports.size() == 1000; }));
  for (const auto& report : client_->seen().reports) {
    const bool too_large = report.correlation_id.ends_with("02") || report.correlation_id == "m2";
    ASSERT_EQ(report.outcome, too_large ? Outcome::refused : Outcome::confirmed) << report.detail;
    EXPECT_EQ(report.detail.find(std::to_string(largest_message)) != std::string::npos, too_large) << report.detail;
  }
  EXPECT_EQ(client_->transport.counters().channels_closed, 1U) << "the broker is asked once";
  EXPECT_EQ(client_->transport.counters().refused_size, 10U);
  ASSERT_TRUE(service_->sees([](const auto& s) { return s.requests.size() == 990; }));
  // The requests of each source arrived in their order.
  std::map<int, int> last;
  for (const auto& request : service_->seen().requests) {
    const int number = std::stoi(request.correlation_id.substr(1));
    EXPECT_GT(number, last.contains(number % 10) ? last[number % 10] : -1);
    last[number % 10] = number;
  }
  EXPECT_EQ(times(client_->seen(), State::away), 0U);
}

TEST_F(Channels, WhatIsAllowedIsTriedAndTakenUpToTheLastByte) {
  for (const std::size_t size : {std::size_t{5000}, largest_message / 2, largest_message - 1, largest_message})
    EXPECT_EQ(client_->publish(MessageType::request, name_, std::string(size, 'x')).outcome, Outcome::confirmed)
        << size;
  EXPECT_EQ(client_->publish(MessageType::request, name_, std::string(largest_message + 1, 'x')).outcome,
            Outcome::refused);
  EXPECT_EQ(client_->publish(MessageType::request, name_, std::string(largest_message, 'x')).outcome,
            Outcome::confirmed);
  EXPECT_EQ(client_->transport.counters().channels_closed, 1U);
}

/// A client may repeat what the broker refuses as often as it likes: the connection stays, and others' requests go on.
TEST_F(Channels, TopicsThatTheBrokerRefusesAgainAndAgain) {
  const auto limited = limited_client("'^mine' '.*'");
  std::vector<Outgoing> messages(600);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const bool request = i % 2 == 0;
    messages[i].type = request ? MessageType::request : MessageType::event;
    // Events of forbidden topics, half of them always the same, and of allowed ones.
    messages[i].routing_key = request      ? name_
                              : i % 3 == 0 ? "mine." + std::to_string(i)
                              : i % 4 == 1 ? "others"
                                           : "others." + std::to_string(i % 20);
    messages[i].correlation_id = std::to_string(i);
    messages[i].body = "{}";
    messages[i].source = request || i % 3 == 0 ? 100 + i : 200;
  }
  ASSERT_EQ(limited->transport.submit(messages), 600U);
  ASSERT_TRUE(limited->sees([](const auto& s) { return s.reports.size() == 600; }));
  for (const auto& report : limited->seen().reports) {
    const bool others = report.type == MessageType::event && report.routing_key.starts_with("others");
    ASSERT_EQ(report.outcome, others ? Outcome::refused : Outcome::confirmed) << report.routing_key << report.detail;
    EXPECT_EQ(report.detail.find("access to topic") != std::string::npos, others) << report.detail;
  }
  const auto counters = limited->transport.counters();
  EXPECT_LE(counters.channels_closed, 11U) << "once for each topic";
  EXPECT_EQ(counters.refused_topic, 200U);
  EXPECT_EQ(times(limited->seen(), State::away), 0U);
}

TEST_F(Channels, EventsMayNotBePublishedAtAll) {
  broker_->run("ctl --quiet add_user " + name_ + " pw");
  broker_->run("ctl --quiet set_permissions " + name_ +
               " '.*' '^(nuropb-rpc-exchange|nuropb-.*-rq|nuropb-.*-eq)$' '.*'");
  Participant poor(as(name_));
  ASSERT_TRUE(poor.start());
  for (const char* topic : {"a", "b", "a"}) {
    const auto report = poor.publish(MessageType::event, topic, "{}");
    EXPECT_EQ(report.outcome, Outcome::refused);
    EXPECT_NE(report.detail.find("nuropb-events-exchange"), std::string::npos) << report.detail;
  }
  EXPECT_EQ(poor.publish(MessageType::request, name_, "{}").outcome, Outcome::confirmed) << "that goes on";
  EXPECT_EQ(times(poor.seen(), State::stopped), 0U);
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
  // Responses reach the queue once it is declared again.
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
  // The queue has survived the connection with its bindings. The removed pattern is unbound when the client consumes
  // again; from then on its events do not arrive.
  EXPECT_TRUE([&] {
    for (int i = 0; i < tries; ++i) {
      const std::string id = random_hex32();
      service_->publish(MessageType::event, name_ + ".dropped", "{}", id);
      if (!event_arrives(name_ + ".kept")) return false;
      const auto events = client_->seen().events;
      if (std::none_of(events.begin(), events.end(), [&](const Incoming& e) { return e.correlation_id == id; }))
        return true;
    }
    return false;
  }()) << "unbound while away";
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
  // The user may not publish to the default exchange, so responses are refused: 403.
  broker_->run("ctl --quiet add_user " + name_ + " pw");
  broker_->run("ctl --quiet set_permissions " + name_ + " '^nuropb-.*' '^nuropb-.*' '^nuropb-.*'");
  Participant participant(as(name_));
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
  client_ = limited_client("'^mine' '.*'");
  EXPECT_EQ(client_->publish(MessageType::event, "mine.1", "{}").outcome, Outcome::confirmed);
  const auto report = client_->publish(MessageType::event, "others.1", "{}");
  EXPECT_EQ(report.outcome, Outcome::refused);
  EXPECT_NE(report.detail.find("others.1"), std::string::npos) << report.detail;
  EXPECT_EQ(client_->publish(MessageType::event, "mine.2", "{}").outcome, Outcome::confirmed);
  reaches_the_service();
  EXPECT_EQ(times(client_->seen(), State::away), 0U);
}

TEST_F(Channels, APatternThatTheBrokerRefusesIsSaidAndTheRestGoesOn) {
  client_ = limited_client("'.*' '^" + name_ + "'");
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

/// Events are consumed on another channel than patterns are bound on, so no event is lost while one bind after the
/// other is refused.
TEST_F(Channels, EventsGoOnWhilePatternsAreRefused) {
  client_ = limited_client("'.*' '^" + name_ + "'");
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(client_->transport.bind_event(name_ + "." + std::to_string(i)));
  ASSERT_TRUE(client_->sees([](const auto& s) { return s.bound.size() == 300; }));
  client_->forget();
  std::size_t published = 0;
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(client_->transport.bind_event("secrets." + std::to_string(i)));
    for (int k = 0; k < 10; ++k, ++published)
      ASSERT_EQ(service_->publish(MessageType::event, name_ + "." + std::to_string(k), "{}").outcome,
                Outcome::confirmed);
  }
  ASSERT_TRUE(client_->transport.bind_event(name_ + ".more"));
  ASSERT_TRUE(client_->sees([](const auto& s) { return s.refused.size() == 30 && s.bound.size() == 1; }));
  EXPECT_TRUE(client_->sees([&](const auto& s) { return s.events.size() == published; }))
      << client_->seen().events.size() << " of " << published;
  EXPECT_EQ(client_->seen().bound, std::vector<std::string>{name_ + ".more"}) << "nothing else was bound again";
  const auto closed = client_->transport.counters().channels_closed;
  ASSERT_TRUE(client_->transport.bind_event("secrets.7"));
  ASSERT_TRUE(client_->sees([](const auto& s) { return s.refused.size() == 31; }));
  EXPECT_EQ(client_->transport.counters().channels_closed, closed) << "the broker is not asked again";
  EXPECT_EQ(times(client_->seen(), State::away), 0U);
}

}  // namespace
}  // namespace nuropb::mesh
