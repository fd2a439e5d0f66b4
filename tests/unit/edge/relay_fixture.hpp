#pragma once
// All relays between connections that a test plays and a meshd that it plays, too.

#include "edge/relay/relays.hpp"
#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {

class RelayTest : public SessionTest {
 protected:
  RelayTest() { relays_.receive_from(receiver_); }
  ~RelayTest() override { clients_.clear(); }

  struct Client {
    FakeConnection connection;
    std::unique_ptr<Receiver> receiver;
    ConsumerHandler& handler() { return static_cast<ConsumerHandler&>(*receiver); }
    void send(std::string_view text) { receiver->on_message(text); }
    /// What it was sent since the last call.
    std::vector<std::string> read() { return std::exchange(connection.sent, {}); }
  };
  Client& join(NewSession from) {
    Client& client = *clients_.emplace_back(std::make_unique<Client>());
    client.receiver = relays_.open(client.connection, std::move(from));
    return client;
  }
  /// A client with an accepted session, past its hello.
  Client& join_accepted(NewSession from) {
    Client& client = join(std::move(from));
    turn();
    meshd_->accept(meshd_->open());
    EXPECT_TRUE(eventually([&] { return client.handler().state() == ConsumerHandler::State::open; }));
    client.read();
    return client;
  }
  Client& join_accepted() { return join_accepted(session()); }
  /// Another meshd has come: it accepts the session again.
  void accept_again(Client& client) {
    turn();
    meshd_->accept(meshd_->open());
    EXPECT_TRUE(eventually([&] { return client.handler().state() == ConsumerHandler::State::open; }));
    turn();
  }
  template <class Record>
  void send(records::Type type, const Record& record, std::uint64_t sequence = 0) {
    meshd_->send(type, record, sequence);
  }
  std::vector<std::string> await_messages(Client& client) {
    EXPECT_TRUE(eventually([&] { return !client.connection.sent.empty(); }));
    return client.read();
  }

  void on_attached(bool same_address) override { relays_.on_attached(same_address); }
  void on_lost(const MeshLink::Lost& lost) override { relays_.on_lost(lost); }
  void on_change() override { relays_.on_change(); }
  void on_record(const shm::RecordHeader& header, const std::string& payload) override {
    receiver_.receive(header, payload);
  }

  RecordReceiver receiver_;
  Relays relays_{{config_, relay_context_, sender_, backlog_, sessions_, drain_, message_clock_, timer_}};
  SessionContext relay_context_{config_.limits, link_, message_clock_, limits_, relays_};
  std::vector<std::unique_ptr<Client>> clients_;
};

inline std::string request_text(std::string_view trace_id, std::string_view extra = "") {
  return R"({"type":"request","payload":{"service":"demo","method":"echo","params":{"x":1},"trace_id":")" +
         std::string(trace_id) + "\"" + std::string(extra) + "}}";
}

}  // namespace nuropb::edge
