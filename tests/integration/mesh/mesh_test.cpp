// The mesh library against a real RabbitMQ, as client and as service. scripts/test names the broker:
// NUROPB_TEST_AMQP_URL.

#include <gtest/gtest.h>

#include <condition_variable>

#include "common/ids.hpp"
#include "meshd/mesh/api.hpp"
#include "tests/integration/mesh/settings.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;
using std::chrono::seconds;

/// A service with a unique name and a client, both on the broker.
class MeshTest : public ::testing::Test {
 protected:
  void SetUp() override {
    name_ = "mesh-test-" + random_hex32().substr(0, 8);
    host_ = std::make_unique<ServiceHost>(name_, "1");
    host_->method("add", {.parameters = {{"a", "number"}, {"b", "number"}}},
                  [](const Call& call) { return call.params["a"].get<int>() + call.params["b"].get<int>(); });
    host_->method("fail", {}, [](const Call&) -> json { throw std::runtime_error("boom"); });
    host_->method("refuse", {}, [](const Call&) -> json { throw CallError("NuropbValidationError", "not so"); });
    host_->method("context", {},
                  [](const Call& call) { return json{{"context", call.context}, {"trace_id", call.trace_id}}; });
    host_->method("again", {.any_parameters = true}, [this](const Call& call) -> json {
      ++again_calls_;
      if (call.params.value("for_ever", false) || !call.redelivered) throw CallAgain("later");
      return "second time";
    });
    host_->async_method("forget", {}, [](Call, Reply) {});
    host_->async_method("never", {}, [this](Call, Reply reply) {
      const std::lock_guard lock(mutex_);
      kept_.push_back(std::move(reply));
      noted_.notify_all();
    });
    host_->async_method("twice", {}, [](Call, Reply reply) {
      reply.result(1);
      reply.result(2);
      reply.error("NuropbException", "3");
    });
    host_->raw_method("echo", {.any_parameters = true}, [](std::string_view params) { return std::string(params); });
    host_->method("note", {.any_parameters = true}, [this](const Call& call) {
      const std::lock_guard lock(mutex_);
      notes_.push_back(call.params);
      noted_.notify_all();
      return nullptr;
    });
    host_->on_event([this](const Event& event) {
      const std::lock_guard lock(mutex_);
      notes_.push_back({{"topic", event.topic}, {"event", event.payload}});
      noted_.notify_all();
    });
    auto served = participant_settings(name_, Kind::service);
    served.event_bindings = {name_ + ".*"};
    service_ = std::make_unique<Api>(served);
    service_->serve(*host_);
    const auto up = service_->start();
    ASSERT_TRUE(up) << up.error().text();
    client_ = std::make_unique<Api>(participant_settings("client", Kind::client));
    const auto connected = client_->start();
    ASSERT_TRUE(connected) << connected.error().text();
  }
  Answer ask(const std::string& method, const json& params = json::object(), CallOptions options = {}) {
    auto future = client_->request(name_, method, params, std::move(options));
    EXPECT_EQ(future.wait_for(seconds(60)), std::future_status::ready) << method;
    return future.get();
  }
  json next_note() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(noted_.wait_for(lock, seconds(60), [&] { return !notes_.empty(); }));
    if (notes_.empty()) return nullptr;
    json note = notes_.front();
    notes_.erase(notes_.begin());
    return note;
  }
  static void expect_error(const Answer& answer, const std::string& name, const std::string& part) {
    ASSERT_FALSE(answer) << *answer;
    EXPECT_EQ(answer.error().name, name);
    EXPECT_NE(answer.error().description.find(part), std::string::npos) << answer.error().description;
  }

  std::string name_;
  std::atomic<int> again_calls_{0};
  std::vector<Reply> kept_;
  std::mutex mutex_;
  std::condition_variable noted_;
  std::vector<json> notes_;
  std::unique_ptr<ServiceHost> host_;
  std::unique_ptr<Api> client_, service_;
};

TEST_F(MeshTest, Results) {
  EXPECT_EQ(ask("add", {{"a", 2}, {"b", 40}}), Answer(json(42)));
  EXPECT_EQ(ask("echo", {{"x", {1, 2.5, nullptr, "é😀"}}}), Answer(json({{"x", {1, 2.5, nullptr, "é😀"}}})));
  EXPECT_EQ(ask("twice"), Answer(json(1))) << "one answer to a request";
}

TEST_F(MeshTest, Errors) {
  expect_error(ask("nope"), "NuropbHandlingError", "Unknown method nope");
  expect_error(ask("_hidden"), "NuropbHandlingError", "Unknown method _hidden");
  expect_error(ask("fail"), "NuropbException", "Runtime exception calling " + name_ + ".fail:std::runtime_error: boom");
  expect_error(ask("refuse"), "NuropbValidationError", "not so");
  expect_error(ask("add", {{"a", 1}}), "NuropbValidationError", "missing its argument 'b'");
  expect_error(ask("add", {{"a", 1}, {"b", 2}, {"c", 3}}), "NuropbValidationError", "no argument 'c'");
  expect_error(ask("forget"), "NuropbHandlingError", "without an answer");
}

TEST_F(MeshTest, NobodyThere) {
  auto future = client_->request("no-such-" + name_, "m", json::object());
  ASSERT_EQ(future.wait_for(seconds(60)), std::future_status::ready);
  expect_error(future.get(), "NuropbNotDeliveredError", "not available. unable to call method m");
}

TEST_F(MeshTest, CallAgainOnceAndOnlyOnce) {
  EXPECT_EQ(ask("again"), Answer(json("second time")));
  EXPECT_EQ(again_calls_, 2);
  expect_error(ask("again", {{"for_ever", true}}), "NuropbCallAgainReject", "later");
  EXPECT_EQ(again_calls_, 4);
}

TEST_F(MeshTest, TimesOut) {
  CallOptions options;
  options.ttl = milliseconds(200);
  expect_error(ask("never", json::object(), options), "NuropbTimeoutError", "never");
}

TEST_F(MeshTest, ContextAndTraceIdArrive) {
  CallOptions options;
  options.context = {{"user_id", "ann"}};
  options.trace_id = "t-1";
  options.priority = 5;
  const auto answer = ask("context", json::object(), options);
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["context"], json({{"user_id", "ann"}}));
  EXPECT_EQ((*answer)["trace_id"], "t-1");
}

TEST_F(MeshTest, CommandsAndEvents) {
  ASSERT_TRUE(client_->command(name_, "note", {{"n", 1}}));
  EXPECT_EQ(next_note(), json({{"n", 1}}));
  ASSERT_TRUE(client_->publish_event(name_ + ".happened", {{"n", 2}}));
  EXPECT_EQ(next_note(), json({{"topic", name_ + ".happened"}, {"event", {{"n", 2}}}}));
}

TEST_F(MeshTest, Describe) {
  auto future = client_->describe(name_);
  ASSERT_EQ(future.wait_for(seconds(60)), std::future_status::ready);
  const auto answer = future.get();
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["service_name"], name_);
  EXPECT_TRUE((*answer)["methods"].contains("add"));
}

TEST_F(MeshTest, ManyAtATimeEachGetItsOwnAnswer) {
  constexpr int count = 20'000;
  std::atomic<int> right{0}, answered{0};
  std::promise<void> all;
  for (int i = 0; i < count; ++i) {
    client_->request(name_, "add", {{"a", i}, {"b", 1}}, {}, [&, i](Answer answer) {
      if (answer && *answer == i + 1) ++right;
      if (++answered == count) all.set_value();
    });
  }
  ASSERT_EQ(all.get_future().wait_for(seconds(120)), std::future_status::ready) << answered << " answered";
  EXPECT_EQ(right, count);
}

TEST_F(MeshTest, AMegabyteGoesThere) {
  const std::string text(1 << 20, 'x');
  const auto answer = ask("echo", {{"text", text}});
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["text"], text);
}

TEST_F(MeshTest, MoreThanASendBufferHoldsGoesInParts) {
  std::vector<std::future<Answer>> large, small;
  const std::string text(12 << 20, 'x');  // RabbitMQ 4 takes 16 MiB
  for (int i = 0; i < 2; ++i) {
    large.push_back(client_->request(name_, "echo", {{"text", text}, {"n", i}}));
    small.push_back(client_->request(name_, "add", {{"a", i}, {"b", 1}}));
  }
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(large[static_cast<std::size_t>(i)].wait_for(seconds(60)), std::future_status::ready);
    const auto answer = large[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(answer) << answer.error().description;
    EXPECT_TRUE(*answer == json({{"text", text}, {"n", i}}));
    EXPECT_EQ(small[static_cast<std::size_t>(i)].get(), Answer(json(i + 1)));
  }
}

TEST_F(MeshTest, WhatAMQPCannotCarryIsRefusedAndHarmsNobody) {
  CallOptions options;
  options.trace_id = std::string(200'000, 't');
  expect_error(ask("add", {{"a", 1}, {"b", 1}}, options), "NuropbTransportError", "headers");
  auto future = client_->request(std::string(300, 's'), "m", json::object());
  ASSERT_EQ(future.wait_for(seconds(60)), std::future_status::ready);
  expect_error(future.get(), "NuropbTransportError", "255 bytes");
  options.trace_id.clear();
  options.ttl = std::chrono::hours(24 * 365);
  EXPECT_EQ(ask("add", {{"a", 1}, {"b", 1}}, options), Answer(json(2))) << "a longer expiration than RabbitMQ takes";
  EXPECT_EQ(client_->transport().state(), State::ready);
}

TEST_F(MeshTest, StoppingEndsEveryRequest) {
  auto future = client_->request(name_, "never", json::object());
  {
    // A request that was not yet published would be refused with a definite answer.
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(noted_.wait_for(lock, seconds(60), [&] { return !kept_.empty(); }));
  }
  client_->stop();
  ASSERT_EQ(future.wait_for(seconds(60)), std::future_status::ready);
  const auto answer = future.get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().name, "NuropbTransportError");
  EXPECT_TRUE(answer.error().outcome_unknown);
}

TEST_F(MeshTest, TheSameInstanceTwiceIsRefusedWithTheReason) {
  auto twin = participant_settings(name_, Kind::service);
  twin.instance_id = "fixed";
  twin.reconnect_max = milliseconds(2000);
  Api first(twin), second(twin);
  ASSERT_TRUE(first.start());
  const std::string wanted = "instance id 'fixed' is running";
  const auto refused = reason_with(second.transport(), second.start(milliseconds(2000)), wanted);
  EXPECT_NE(refused.find(wanted), std::string::npos) << refused;
  for (int i = 0; second.transport().counters().attempts < 2 && i < tries; ++i)
    EXPECT_FALSE(second.transport().wait_ready(milliseconds(500)));
  const auto attempts = second.transport().counters().attempts;
  EXPECT_GE(attempts, 2u);
  EXPECT_LE(attempts, 8u) << "pauses grow";
  first.stop();
  EXPECT_TRUE(second.transport().wait_ready(milliseconds(60'000))) << "a spare takes over";
}

TEST(MeshConnection, SaysWhatIsWrong) {
  struct Row {
    const char* name;
    std::function<void(amqp::Url&)> change;
    const char* part;
  };
  for (const Row& row :
       {Row{"password", [](amqp::Url& url) { url.password = "hunter2"; }, "user or password refused"},
        Row{"vhost", [](amqp::Url& url) { url.vhost = "no-such-vhost"; }, "vhost 'no-such-vhost' has to exist"},
        Row{"port", [](amqp::Url& url) { url.port = 1; }, "is a broker listening there?"},
        Row{"host", [](amqp::Url& url) { url.host = "no-such-host.invalid"; }, "can't be resolved"},
        Row{"tls", [](amqp::Url& url) { url.tls = true; }, "TLS"}}) {
    auto wrong = participant_settings("x", Kind::client);
    row.change(wrong.urls[0]);
    wrong.connect_timeout = milliseconds(1000);
    Api api(wrong);
    const auto refused = reason_with(api.transport(), api.start(milliseconds(1500)), row.part);
    EXPECT_NE(refused.find(row.part), std::string::npos) << row.name << ": " << refused;
    EXPECT_EQ(refused.find("hunter2"), std::string::npos);
  }
}

TEST(MeshConnection, TheNextUrlOfTheListIsTried) {
  auto two = participant_settings("x", Kind::client);
  two.urls.insert(two.urls.begin(), two.urls[0]);
  two.urls[0].port = 1;
  Api api(two);
  const auto up = api.start();
  EXPECT_TRUE(up) << up.error().text();
}

}  // namespace
}  // namespace nuropb::mesh
