#pragma once
// The parts of an edge without sockets: handlers on connections that a test plays, and, if the test attaches it, a MeshLink on real
// rings. Everything runs in the test's thread: turn() runs what the event loop has to do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/log.hpp"
#include "edge/link/link_backlog.hpp"
#include "edge/link/record_sender.hpp"
#include "edge/protocol/nuropb_protocol.hpp"
#include "edge/protocol/snorky_protocol.hpp"
#include "edge/sessions/drain_controller.hpp"
#include "edge/sessions/new_session.hpp"
#include "edge/sessions/session_events.hpp"
#include "edge/sessions/sessions.hpp"
#include "edge/sessions/socket_limits.hpp"
#include "edge/sessions/tick_timer.hpp"
#include "tests/unit/edge/ring_side.hpp"

namespace nuropb::edge {

/// A connection that remembers what was asked of it.
class FakeConnection final : public Connection {
 public:
  void send_text(std::string_view text) override { sent.emplace_back(text); }
  void send_binary(std::string_view text) override { sent.emplace_back(text); }
  void send_frame(const Frame& frame) override { sent.emplace_back(frame.text()); }
  void close(std::uint16_t code, std::string_view) override { closed = code; }
  void pause_reading() override { reading = false; }
  void resume_reading() override { reading = true; }
  void limit_message(std::size_t bytes) override { most = bytes; }
  [[nodiscard]] std::size_t buffered_bytes() const override { return 0; }
  [[nodiscard]] std::uint16_t closed_with() const override { return ended_with; }
  [[nodiscard]] bool peer_gone() const override { return gone; }

  std::vector<std::string> sent;
  int closed = -1;  ///< the code; -1: it is open
  bool reading = true, gone = false;
  std::uint16_t ended_with = 0;
  std::size_t most = 0;
};

/// Remembers what handlers report, and keeps the tables of sessions.
class FakeEvents final : public SessionEvents {
 public:
  explicit FakeEvents(Sessions& sessions) : sessions_(sessions) {}
  void on_first_message(ConsumerHandler&, std::string_view text) override { messages.emplace_back(text); }
  std::optional<SteadyTime> on_message(ConsumerHandler&, std::string_view text, SteadyTime) override {
    if (pauses_until) return pauses_until;
    messages.emplace_back(text);
    return {};
  }
  void on_paused(ConsumerHandler& handler) override { sessions_.paused.add(handler); }
  void on_resuming(ConsumerHandler&) override {}
  void on_resumed(ConsumerHandler& handler) override { sessions_.paused.remove(handler); }
  void on_closing(ConsumerHandler& handler) override {
    sessions_.slots.manager(handler.identity()).unregister_handler(handler);
    sessions_.paused.remove(handler);
    sessions_.silent.remove(handler);
  }
  void on_closed(ConsumerHandler& handler, bool lost) override {
    on_closing(handler);
    sessions_.slots.vacate(handler);
    closed_lost = lost;
  }

  std::vector<std::string> messages;
  std::optional<SteadyTime> pauses_until;  ///< messages can't be processed
  std::optional<bool> closed_lost;

 private:
  Sessions& sessions_;
};

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    std::string name = (std::filesystem::temp_directory_path() / "nuropb-edge-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
    folder_ = name;
    (void)log::configure({"edge", log::Level::error, log::Format::text, ""});
  }
  ~SessionTest() override { std::filesystem::remove_all(folder_); }

  /// Attaches the edge to a meshd that the test plays; the second time to another one, after the death of the first.
  void attach(shm::Geometry geometry = {1 << 16, 1 << 16}) {
    const bool first = !meshd_;
    meshd_.reset();
    if (!first) {
      ASSERT_TRUE(eventually([&] { return !link_.attached(); }));
    }
    meshd_ = std::make_unique<RingSide>(folder_ + "/meshd.sock", geometry);
    if (first) link_.start();
    auto welcomed = std::async(std::launch::async, [this] { meshd_->welcome(); });
    ASSERT_TRUE(eventually([&] { return link_.attached(); }));
    welcomed.get();
  }
  /// All that the event loop has to do now.
  void turn() {
    io_.restart();
    io_.poll();
  }
  template <class Condition>
  bool eventually(Condition&& condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      io_.restart();
      io_.run_one_for(milliseconds(5));
    }
    return true;
  }
  std::uint64_t counter(shm::EdgeCounter which) { return meshd_->segments().counter(which); }

  NewSession session(std::string token = "secret", std::string peer = "10.0.0.1:1") const {
    NewSession out;
    out.protocol = &nuropb_;
    if (!token.empty()) out.token = FoundToken{records::CredentialKind::header, std::move(token)};
    out.peer = std::move(peer);
    return out;
  }
  ConsumerHandler& connect(NewSession session) {
    auto& one = sockets_.emplace_back(std::make_unique<Socket>());
    auto handler =
        std::make_unique<ConsumerHandler>(context_, one->connection, sessions_.slots.reserve(), std::move(session));
    sessions_.slots.put(*handler);
    one->handler = std::move(handler);
    return *one->handler;
  }
  /// An established session.
  ConsumerHandler& open(NewSession from, std::string_view user = "ann") {
    ConsumerHandler& handler = connect(std::move(from));
    EXPECT_EQ(handler.accept(user, "ticket"), ConsumerHandler::Accepted::first);
    sessions_.slots.manager(handler.identity()).register_handler(handler);
    handler.resume();
    return handler;
  }
  ConsumerHandler& open() { return open(session()); }
  FakeConnection& connection(const ConsumerHandler& handler) {
    for (const auto& one : sockets_) {
      if (one->handler.get() == &handler) return one->connection;
    }
    throw std::runtime_error("no such handler");
  }

  struct Socket {
    FakeConnection connection;
    std::unique_ptr<ConsumerHandler> handler;
  };
  std::string folder_;
  Config config_;
  SystemClock clock_;
  CachedClock message_clock_{clock_};
  SocketLimits limits_{config_.limits, io_, message_clock_, link_};
  boost::asio::io_context io_{1};
  std::unique_ptr<RingSide> meshd_;
  MeshLink link_{
      io_,
      [this] { return shm::ControlChannel::connect(folder_ + "/meshd.sock"); },
      config_.limits.message_bytes,
      {.on_attached = [this](bool same_address) { on_attached(same_address); },
       .on_lost = [this](const MeshLink::Lost& lost) { on_lost(lost); },
       .on_record = [this](const shm::RecordHeader& header, const std::string& payload) { on_record(header, payload); },
       .on_batch_end = [] {},
       .on_change = [this] { on_change(); },
       .on_beat = [] {}}};
  RecordSender sender_{link_};
  LinkBacklog backlog_;
  Sessions sessions_{config_, io_, clock_, link_, limits_};
  FakeEvents events_{sessions_};
  SessionContext context_{config_.limits, link_, message_clock_, limits_, events_};
  TickTimer timer_{io_, clock_, PendingRequests::tick, {[] { return false; }, [](SteadyTime) {}}};
  int interrupted_ = 0;
  DrainController drain_{config_.drain,
                         io_,
                         clock_,
                         sessions_.slots,
                         sessions_.pending,
                         {[] {}, [] {}, [] { return false; }, [this] { ++interrupted_; }, [this] { drained_ = true; }}};
  bool drained_ = false;
  NuropbProtocol nuropb_{config_.limits.json()};
  SnorkyProtocol snorky_{config_.limits.json()};
  std::vector<std::unique_ptr<Socket>> sockets_;

  virtual void on_attached(bool) {}
  virtual void on_lost(const MeshLink::Lost&) {}
  virtual void on_change() { backlog_.drain(); }
  virtual void on_record(const shm::RecordHeader&, const std::string&) {}
};

}  // namespace nuropb::edge
