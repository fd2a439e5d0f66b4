// The mesh library while its broker dies, hangs and runs out of memory. Callers never block, every request ends exactly
// once, and traffic resumes by itself.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <thread>

#include "common/ids.hpp"
#include "meshd/amqp/connection.hpp"
#include "meshd/mesh/api.hpp"
#include "tests/integration/mesh/private_broker.hpp"
#include "tests/integration/mesh/settings.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using std::chrono::steady_clock;

bool eventually(const std::function<bool()>& holds, seconds limit = seconds(90)) {
  const auto until = steady_clock::now() + limit;
  while (!holds()) {
    if (steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return true;
}

/// Sends requests continuously, a few at a time, and records the outcome of each. Answers may arrive after its end.
class Traffic {
 public:
  Traffic(Api& client, std::string service, int at_a_time) : client_(client), service_(std::move(service)) {
    for (int i = 0; i < at_a_time; ++i) ask();
  }
  /// Waits until every request that was sent has ended.
  void stop() {
    books_->stopped = true;
    EXPECT_TRUE(eventually([&] { return books_->ended == books_->begun; }))
        << books_->begun - books_->ended << " requests have no outcome";
    EXPECT_EQ(books_->wrong, 0);
  }
  bool flows(int more = 50) {
    const int goal = books_->right + more;
    return eventually([&] { return books_->right >= goal; });
  }
  [[nodiscard]] int refused() const { return books_->refused; }

 private:
  struct Books {
    std::atomic<int> begun{0}, ended{0}, right{0}, refused{0}, wrong{0};
    std::atomic<bool> stopped{false};
  };
  void ask() {
    const int number = ++books_->begun;
    CallOptions options;
    options.ttl = seconds(5);
    client_.request(service_, "echo", {{"n", number}}, options, [this, number, books = books_](Answer answer) {
      ++books->ended;
      if (answer && *answer == json{{"n", number}}) ++books->right;
      else if (!answer &&
               (answer.error().name == "NuropbTimeoutError" || answer.error().name == "NuropbTransportError" ||
                answer.error().name == "NuropbNotDeliveredError"))
        ++books->refused;
      else ++books->wrong;
      if (!books->stopped) ask();
    });
  }
  Api& client_;
  std::string service_;
  std::shared_ptr<Books> books_ = std::make_shared<Books>();
};

class Outage : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { broker_ = std::make_unique<PrivateBroker>(); }
  static void TearDownTestSuite() { broker_.reset(); }

  static TransportSettings settings(const std::string& name, Kind kind) {
    auto out = participant_settings(name, kind, *amqp::parse_url(broker_->url()));
    out.heartbeat_s = 60;  // a broker that hangs is noticed where that is asked for only
    return out;
  }
  void SetUp() override {
    name_ = "outage-" + random_hex32().substr(0, 8);
    host_ = std::make_unique<ServiceHost>(name_, "1");
    host_->raw_method("echo", {.any_parameters = true}, [](std::string_view params) { return std::string(params); });
    service_ = std::make_unique<Api>(settings(name_, Kind::service));
    service_->serve(*host_);
    const auto up = service_->start();
    ASSERT_TRUE(up) << up.error().text();
    client_ = std::make_unique<Api>(settings("client", Kind::client));
    const auto connected = client_->start();
    ASSERT_TRUE(connected) << connected.error().text();
  }
  Answer ask(const json& params, milliseconds ttl) {
    CallOptions options;
    options.ttl = ttl;
    return client_->request(name_, "echo", params, options).get();
  }
  /// A request that can't be answered now ends at its own deadline, whatever the broker does.
  void expect_prompt_timeout() {
    const auto begun = steady_clock::now();
    const auto answer = ask({{"late", true}}, milliseconds(300));
    const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().name, "NuropbTimeoutError") << answer.error().description;
    EXPECT_LT(took, milliseconds(15'000)) << "the broker is away for as long as this test wants";
  }
  [[nodiscard]] State state() const { return client_->transport().state(); }

  static std::unique_ptr<PrivateBroker> broker_;
  std::string name_;
  std::unique_ptr<ServiceHost> host_;
  std::unique_ptr<Api> service_, client_;
};
std::unique_ptr<PrivateBroker> Outage::broker_;

TEST_F(Outage, KilledAndStartedUnderTraffic) {
  Traffic traffic(*client_, name_, 50);
  ASSERT_TRUE(traffic.flows(500));
  broker_->run("kill");
  ASSERT_TRUE(eventually([&] { return state() == State::away; }));
  expect_prompt_timeout();
  broker_->run("start");
  EXPECT_TRUE(eventually([&] { return state() == State::ready; }));
  EXPECT_TRUE(traffic.flows()) << "after " << traffic.refused() << " refusals";
  traffic.stop();
}

TEST_F(Outage, WhatHasTimeWaitsForTheBroker) {
  broker_->run("stop");
  ASSERT_TRUE(eventually([&] { return state() == State::away; }));
  CallOptions patient;
  patient.ttl = seconds(60);
  auto answer = client_->request(name_, "echo", {{"n", 1}}, patient);
  broker_->run("start");
  ASSERT_EQ(answer.wait_for(seconds(90)), std::future_status::ready);
  const auto got = answer.get();
  // The service may reconnect a moment after us: then no queue is bound, and that is reported.
  if (!got) EXPECT_EQ(got.error().name, "NuropbNotDeliveredError") << got.error().description;
  else EXPECT_EQ(*got, json({{"n", 1}}));
  EXPECT_TRUE(eventually([&] { return ask({{"n", 2}}, seconds(10)).has_value(); }));
}

TEST_F(Outage, HungBrokerHoldsUpNobody) {
  ASSERT_TRUE(ask({{"n", 0}}, seconds(30)));
  broker_->run("suspend");
  // Much more than all buffers between the two ends hold, in messages that are each larger than a single write.
  std::vector<std::future<Answer>> waiting;
  const std::string filler(3 << 20, 'x');
  auto longest = steady_clock::duration::zero();
  for (int i = 0; i < 16; ++i) {
    CallOptions options;
    options.ttl = milliseconds(1000 + 20 * i);
    const auto begun = steady_clock::now();
    waiting.push_back(client_->request(name_, "echo", {{"filler", filler}}, options));
    longest = std::max(longest, steady_clock::now() - begun);
  }
  EXPECT_LT(longest, milliseconds(5000)) << "a caller had to wait";
  expect_prompt_timeout();
  for (auto& answer : waiting) {
    ASSERT_EQ(answer.wait_for(seconds(60)), std::future_status::ready) << "the transport's thread is stuck in a write";
    const auto got = answer.get();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().name, "NuropbTimeoutError");
  }
  EXPECT_EQ(state(), State::ready) << "two heartbeats are not over";
  broker_->run("resume");
  const auto after = ask({{"n", 1}}, seconds(30));
  EXPECT_EQ(after, Answer(json({{"n", 1}}))) << "the rest of what had begun has to go first, whole";
  EXPECT_EQ(state(), State::ready);
}

TEST_F(Outage, SilentBrokerIsNoticed) {
  auto quick = settings("quick", Kind::client);
  quick.heartbeat_s = 1;
  quick.connect_timeout = milliseconds(2000);
  Api api(quick);
  ASSERT_TRUE(api.start());
  broker_->run("suspend");
  EXPECT_TRUE(eventually([&] { return api.transport().state() == State::away; }));
  broker_->run("resume");
  EXPECT_TRUE(eventually([&] { return api.transport().state() == State::ready; }));
}

TEST_F(Outage, PausedReaderStaysConnected) {
  auto quick = settings("paused", Kind::client);
  quick.heartbeat_s = 1;
  Api api(quick);
  ASSERT_TRUE(api.start());
  api.transport().pause_deliveries(true);
  // A second connection sends no heartbeats at all: once the broker has closed it, it would have closed ours, too.
  amqp::ConnectionSettings silent;
  silent.heartbeat_s = 1;
  const auto mute = amqp::Connection::open(quick.urls.front(), silent);
  ASSERT_TRUE(mute) << mute.error().text();
  EXPECT_TRUE(eventually([&] {
    char bytes[64];
    const auto got = ::recv(mute->fd(), bytes, sizeof bytes, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
  }));
  api.transport().pause_deliveries(false);
  CallOptions options;
  options.ttl = seconds(30);
  EXPECT_EQ(api.request(name_, "echo", {{"n", 1}}, options).get(), Answer(json({{"n", 1}})));
  EXPECT_EQ(api.transport().state(), State::ready);
}

TEST_F(Outage, BrokerWithoutMemory) {
  broker_->run("ctl set_vm_memory_high_watermark 0.00001");
  // RabbitMQ blocks a connection when it publishes.
  EXPECT_TRUE(eventually([&] { return !ask({{"n", 0}}, milliseconds(200)) && state() == State::blocked; }));
  expect_prompt_timeout();
  CallOptions patient;
  patient.ttl = seconds(60);
  auto answer = client_->request(name_, "echo", {{"n", 1}}, patient);
  broker_->run("ctl set_vm_memory_high_watermark 0.4");
  ASSERT_EQ(answer.wait_for(seconds(90)), std::future_status::ready);
  EXPECT_EQ(answer.get(), Answer(json({{"n", 1}})));
  EXPECT_EQ(state(), State::ready);
}

}  // namespace
}  // namespace nuropb::mesh
