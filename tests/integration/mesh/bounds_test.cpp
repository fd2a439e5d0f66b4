// The limits that a broker sets when a connection is opened (frame_max, channel_max, heartbeat), and messages that
// can't be sent: they must not cost the other users of the connection the connection.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <thread>

#include "meshd/mesh/topology.hpp"
#include "shm/unique_fd.hpp"
#include "tests/integration/mesh/participant.hpp"
#include "tests/integration/mesh/private_broker.hpp"
#include "tests/integration/mesh/settings.hpp"

namespace nuropb::mesh {
namespace {

constexpr std::size_t frame_max = 8192;  // the least that RabbitMQ 4 permits
constexpr unsigned heartbeat_s = 7;
constexpr std::size_t two_participants = channels(2) - 1;

/// A proxy to the broker that ends a connection once this many bytes have been sent to the broker over it.
class FragileWay {
 public:
  FragileWay(std::uint16_t to, std::size_t holds)
      : to_(to), holds_(holds), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_.get(), 8) != 0)
      throw std::runtime_error("no port");
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~FragileWay() {
    stop_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int broken() const { return broken_; }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }
  void serve() {
    while (!stop_) {
      const shm::UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
      if (!client) return;
      const shm::UniqueFd broker(::socket(AF_INET, SOCK_STREAM, 0));
      const sockaddr_in address = loopback(to_);
      if (::connect(broker.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
      carry(client.get(), broker.get());
    }
  }
  void carry(int client, int broker) {
    std::size_t gone = 0;
    std::array<char, 65'536> bytes;
    for (;;) {
      std::array<pollfd, 2> ends{{{client, POLLIN, 0}, {broker, POLLIN, 0}}};
      if (::poll(ends.data(), ends.size(), 100) < 0 || stop_) return;
      for (const auto& [from, to] : {std::pair(client, broker), std::pair(broker, client)}) {
        if (ends[from == client ? 0 : 1].revents == 0) continue;
        const ssize_t got = ::recv(from, bytes.data(), bytes.size(), 0);
        if (got <= 0 || ::send(to, bytes.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) != got) return;
        if (from == client && (gone += static_cast<std::size_t>(got)) > holds_) {
          ++broken_;
          return;
        }
      }
    }
  }
  std::uint16_t to_, port_ = 0;
  std::size_t holds_;
  std::atomic<bool> stop_{false};
  std::atomic<int> broken_{0};
  shm::UniqueFd listener_;
  std::thread thread_;
};

class Bounds : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    broker_ = std::make_unique<PrivateBroker>("--config-line 'frame_max = " + std::to_string(frame_max) +
                                              "' --config-line 'channel_max = " + std::to_string(two_participants) +
                                              "' --config-line 'heartbeat = " + std::to_string(heartbeat_s) + "'");
  }
  static void TearDownTestSuite() { broker_.reset(); }
  static amqp::Url url() { return *amqp::parse_url(broker_->url()); }
  static TransportSettings settings(const std::string& name, Kind kind) {
    auto out = participant_settings(name, kind, url());
    out.prefetch = 1000;  // nothing is acknowledged here
    return out;
  }
  static std::size_t times_away(Participant& of) {
    const auto states = of.seen().states;
    return static_cast<std::size_t>(
        std::count_if(states.begin(), states.end(), [](const auto& s) { return s.first == State::away; }));
  }
  static std::unique_ptr<PrivateBroker> broker_;
  const std::string name_ = "bounds-" + random_hex32().substr(0, 8);
};
std::unique_ptr<PrivateBroker> Bounds::broker_;

TEST_F(Bounds, BodiesOfAnySizeFitTheFramesOfTheBroker) {
  Participant service(settings(name_, Kind::service)), client(settings("client", Kind::client));
  ASSERT_TRUE(service.start());
  ASSERT_TRUE(client.start());
  const std::array<std::size_t, 9> sizes{0,      1,       frame_max - 9, frame_max - 8, frame_max - 7,
                                         16'384, 100'000, 1U << 20,      5U << 20};
  for (const std::size_t size : sizes) {
    std::string body(size, ' ');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>('a' + i % 23);
    const std::string id = random_hex32();
    ASSERT_EQ(client.publish(MessageType::request, name_, body, id).outcome, Outcome::confirmed) << size;
    ASSERT_TRUE(
        service.sees([&](const auto& s) { return !s.requests.empty() && s.requests.back().correlation_id == id; }));
    EXPECT_TRUE(service.seen().requests.back().body == body) << size;
  }
  EXPECT_EQ(times_away(client), 0U);
}

/// A header frame can't be split.
TEST_F(Bounds, HeadersThatFitNoFrameAreRefusedByName) {
  Participant client(settings("client", Kind::client));
  ASSERT_TRUE(client.start());
  for (const std::size_t body : {2U, 1U << 20U}) {
    Outgoing message;
    message.type = MessageType::event;
    message.routing_key = "t";
    message.correlation_id = std::to_string(body);
    message.trace_id = std::string(frame_max, 't');
    message.body = std::string(body, ' ');
    ASSERT_TRUE(client.transport.submit(std::move(message)));
  }
  ASSERT_TRUE(client.sees([](const auto& s) { return s.reports.size() == 2; }));
  for (const auto& report : client.seen().reports) {
    EXPECT_EQ(report.outcome, Outcome::refused);
    EXPECT_NE(report.detail.find("headers"), std::string::npos) << report.detail;
  }
  EXPECT_EQ(client.transport.counters().refused_frame, 2U);
  EXPECT_EQ(client.publish(MessageType::event, "t", "{}").outcome, Outcome::confirmed);
  EXPECT_EQ(times_away(client), 0U);
}

TEST_F(Bounds, AsManyChannelsAsTheBrokerAllows) {
  Participant first(settings(name_, Kind::service)), second(first, settings(name_ + "-2", Kind::service));
  ASSERT_TRUE(first.start());
  // All of them are used.
  for (auto* one : {&first, &second}) {
    ASSERT_TRUE(one->transport.bind_event(name_ + ".#"));
    ASSERT_TRUE(one->sees([](const auto& s) { return s.bound.size() == 1; }));
    EXPECT_EQ(one->publish(MessageType::event, name_ + ".a", std::string(100'000, ' ')).outcome, Outcome::confirmed);
  }
  EXPECT_EQ(times_away(first), 0U);
  first.transport.stop();
  Participant one(settings(name_, Kind::service)), two(one, settings(name_ + "-2", Kind::service)),
      three(one, settings(name_ + "-3", Kind::service));
  const std::string reason = reason_with(one.transport, one.start(milliseconds(500)), "channels");
  EXPECT_NE(reason.find("the broker allows 12 channels on a connection, and 18 are needed"), std::string::npos)
      << reason;
}

TEST_F(Bounds, TheHeartbeatThatWasAgreedCounts) {
  amqp::ConnectionSettings slow;
  slow.heartbeat_s = 60;
  auto connection = amqp::Connection::open(url(), slow);
  ASSERT_TRUE(connection) << connection.error().text();
  unsigned timeout_ms = 0;
  socklen_t size = sizeof timeout_ms;
  ASSERT_EQ(::getsockopt(connection->fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, &size), 0);
  EXPECT_EQ(timeout_ms, heartbeat_s * 2000);
  EXPECT_EQ(connection->frame_max(), frame_max);
  EXPECT_EQ(connection->channel_max(), two_participants);
}

/// A message that ends the connection each time it is sent, because of the broker's memory or a proxy's limit.
TEST_F(Bounds, AMessageThatCannotBeWrittenIsGivenUpAndTheRestGoesOn) {
  FragileWay way(url().port, 1U << 20U);
  auto through = settings("client", Kind::client);
  through.urls[0].port = way.port();
  Participant service(settings(name_, Kind::service)), client(through);
  ASSERT_TRUE(service.start());
  ASSERT_TRUE(client.start());
  Outgoing poison;
  poison.type = MessageType::request;
  poison.routing_key = name_;
  poison.correlation_id = "poison";
  poison.body = std::string(32U << 20U, 'x');
  poison.source = 99;
  ASSERT_TRUE(client.transport.submit(std::move(poison)));
  ASSERT_TRUE(client.sees([](const auto& s) { return s.reports.size() == 1; }));
  const auto report = client.seen().reports.front();
  EXPECT_EQ(report.outcome, Outcome::refused);
  EXPECT_NE(report.detail.find("while it was being written"), std::string::npos) << report.detail;
  EXPECT_EQ(client.publish(MessageType::request, name_, "{}").outcome, Outcome::confirmed);
  EXPECT_EQ(way.broken(), 2);
  EXPECT_EQ(client.transport.counters().refused_interrupted, 1U);
  ASSERT_TRUE(service.sees([](const auto& s) { return !s.requests.empty(); }));
  EXPECT_EQ(service.seen().requests.front().body, "{}");
}

}  // namespace
}  // namespace nuropb::mesh
