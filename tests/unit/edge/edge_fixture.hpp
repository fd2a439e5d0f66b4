#pragma once
// A whole edge between a real WebSocket and the rings, with the test in the role of meshd.

#include "edge/edge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "common/log.hpp"
#include "tests/unit/edge/consumer.hpp"
#include "tests/unit/edge/ring_side.hpp"

namespace nuropb::edge {

using nlohmann::json;
using records::CredentialKind;
using records::Type;
using ::testing::HasSubstr;

inline std::string call(std::string_view trace_id, std::string_view method = "echo", std::string_view extra = "") {
  return R"({"type":"request","payload":{"service":"demo","method":")" + std::string(method) +
         R"(","params":{"x":1},"trace_id":")" + std::string(trace_id) + "\"" + std::string(extra) + "}}";
}

inline std::string command(std::string_view trace_id, std::string_view more_params = "") {
  return R"({"type":"command","payload":{"service":"demo","method":"note","params":{"x":1)" + std::string(more_params) +
         R"(},"trace_id":")" + std::string(trace_id) + "\"}}";
}

class EdgeTest : public ::testing::Test {
 protected:
  EdgeTest() {
    std::string name = (std::filesystem::temp_directory_path() / "nuropb-edge-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
    folder_ = name;
    config_.listen.port = 0;
    config_.limits.message_bytes = 16 * 1024;
    config_.drain.limit_ms = 200;
    (void)log::configure({"edge", log::Level::error, log::Format::text, ""});
  }
  ~EdgeTest() override {
    if (thread_.joinable()) { EXPECT_EQ(stop(), 0); }
    std::filesystem::remove_all(folder_);
  }

  std::string path() const { return folder_ + "/meshd.sock"; }
  void start() {
    edge_ = std::make_unique<Edge>(config_, [path = path()] { return shm::ControlChannel::connect(path); });
    ASSERT_TRUE(edge_->start());
    port_ = edge_->port();
    auto ended = std::make_shared<std::promise<int>>();
    ended_ = ended->get_future();
    thread_ = std::thread([this, ended] { ended->set_value(edge_->run()); });
  }
  void start_attached(shm::Geometry geometry = {1 << 16, 1 << 16}) {
    meshd_ = std::make_unique<RingSide>(path(), geometry);
    start();
    meshd_->welcome();
  }
  static void signal_edge() { ::kill(::getpid(), SIGTERM); }
  int stop() {
    signal_edge();
    thread_.join();
    edge_.reset();
    return ended_.get();
  }

  /// A client with an accepted session that has received its hello.
  std::unique_ptr<Consumer> connect(records::OpenSession* opened = nullptr, int receive_buffer = 0) {
    auto consumer = std::make_unique<Consumer>(port_, receive_buffer);
    consumer->handshake();
    const auto asked = meshd_->open();
    if (opened) *opened = asked;
    meshd_->accept(asked);
    EXPECT_THAT(consumer->read_text(), HasSubstr("hello"));
    return consumer;
  }
  std::string refusal(const std::string& request) {
    Consumer consumer(port_);
    consumer.send_bytes(request);
    return consumer.read_to_end();
  }
  json health() {
    const std::string answer = refusal("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    return json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
  }
  template <class Condition>
  bool eventually(Condition&& condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < until) {
      if (condition()) return true;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return false;
  }
  std::uint64_t counter(shm::EdgeCounter which) { return meshd_->segments().counter(which); }

  Config config_;
  std::string folder_;
  std::unique_ptr<RingSide> meshd_;
  std::unique_ptr<Edge> edge_;
  std::uint16_t port_ = 0;
  std::thread thread_;
  std::future<int> ended_;
};

}  // namespace nuropb::edge
