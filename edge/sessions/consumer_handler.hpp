#pragma once
// One consumer's connection: a WebSocket, or lines over TCP.
//
//                 on_open              accepted (hello goes out)         close(), slow, refused
//     (handshake) ───────► judging ────────────────────────────► open ───────────────────────► closing
//                             │                                   ▲ │ meshd lost                  │
//                             │ refused: close code, no hello     │ ▼                             ▼ on_close
//                             └────────────────► closing      presenting                       (gone)
//                                                              accepted again ─► open
//
// With auth.first_message a socket may begin as `silent`: its first message has to be authorize, and then it is judging.
//
// Messages that can't go on yet (no verdict, no meshd, no room in the ring, no broker) are held back in order while
// reading is paused; what is held is bounded by one read buffer and the message that it completes.

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "edge/sessions/handler.hpp"
#include "edge/sessions/pending_requests.hpp"
#include "edge/sessions/send_queue.hpp"
#include "edge/sessions/socket_costs.hpp"
#include "edge/protocol/token_source.hpp"
#include "edge/websocket.hpp"

namespace nuropb::edge {

class Edge;

class ConsumerHandler final : public Handler, public Receiver {
 public:
  enum class State : std::uint8_t { silent, judging, open, presenting, closing };

  /// `silent`: it has shown no token, and its first message has to bring one.
  ConsumerHandler(Edge& edge, Connection& connection, std::uint32_t slot, std::uint32_t serial, bool silent = false);
  ~ConsumerHandler() override;

  // Handler
  [[nodiscard]] const SessionId& session_id() const override { return session_id_; }
  [[nodiscard]] const std::string& user_id() const override { return user_id_; }
  void write_message(std::string_view text) override;
  bool write_shared(SharedMessage& message) override;
  /// An event, which may be left out where the rule of its topic says so.
  void write_event(SharedMessage& message, std::string_view topic, QueueRules::Match rule);
  void close(std::uint16_t code, std::string_view reason) override;
  [[nodiscard]] bool numbered() const override { return numbered_ != nullptr; }
  void fetch(unsigned step) const override {
    if (step == 0) __builtin_prefetch(&connection_);
    else connection_.fetch(step - 1);
  }

  // Receiver
  void on_message(std::string_view text) override;
  void on_written() override;
  void on_close() override;
  void on_timeout(std::uint16_t code, std::string_view reason) override { close(code, reason); }
  void on_end() override;
  Costs* costs() override { return &costs_; }

  // What its costs tell it (socket_costs.hpp).
  void give_up_memory(MemoryBudget::What most);
  [[nodiscard]] std::size_t held_bytes() const;

  // What the edge tells it.
  /// `resume`: the token that its hello carries; empty: none.
  void accepted(std::string_view user_id, std::string_view raw_username, std::string_view ticket,
                std::string_view resume);
  /// It was silent, and has brought a token.
  void begin_judging();
  /// meshd is gone: the session has to be presented to the next one.
  void present_again();
  /// Takes what was held back, and reads on once all of it is taken.
  void resume();

  [[nodiscard]] bool peer_gone() const { return connection_.peer_gone(); }
  /// When the first message that is held back has to be answered at the latest.
  [[nodiscard]] SteadyTime held_until() const { return held_.empty() ? SteadyTime::max() : held_.front().until; }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::uint32_t slot() const { return slot_; }
  [[nodiscard]] std::uint32_t serial() const { return serial_; }
  SessionRequests& requests() { return requests_; }
  /// Records of pending requests that a meshd which is dead never took: they go before anything that is held back.
  struct Unsent {
    records::Type type;
    std::uint64_t sequence;
    std::string record;
  };
  std::list<Unsent>& unsent() { return unsent_; }
  /// Topic patterns that it is subscribed to; the edge keeps them.
  std::set<std::string, std::less<>>& topics() { return topics_; }
  /// What it is served as; WebSockets unless told otherwise.
  void serve_as(HandlerKind kind) { kind_ = kind; }
  [[nodiscard]] HandlerKind kind() const { return kind_; }
  /// On snorky.path: its messages are Snorky's envelopes, and it gets no hello.
  void speak_snorky() { snorky_ = true; }
  [[nodiscard]] bool speaks_snorky() const { return snorky_; }
  /// Calls to Snorky's services that a new meshd has to be told of, by meshd's keys; the edge keeps them.
  std::map<std::string, std::string, std::less<>>& standing() { return standing_; }
  /// Of a session whose messages are numbered (design.md, Resume).
  struct Numbered {
    std::string token;       ///< what its consumer can resume it with
    std::uint64_t last = 0;  ///< number of the last message that meshd gave us
    bool told = true;        ///< this meshd knows that they are numbered
    bool lost = false;       ///< meshd does not know all, and nobody can tell it any more
    std::deque<std::pair<std::uint64_t, std::string>>
        unsaid;                                      ///< answers for meshd to number, each with Resume::number
    std::map<std::uint64_t, std::string> inherited;  ///< trace_ids of requests of earlier sockets, by meshd's numbers
  };
  [[nodiscard]] Numbered* numbers() const { return numbered_.get(); }
  /// From now on; and another session's, where there is one.
  void number_messages(std::string_view token, std::uint64_t last, const SessionId& session);
  FoundToken& credential() { return credential_; }
  std::string& peer() { return peer_; }
  /// Its address without the port.
  [[nodiscard]] std::string_view host() const { return host_in_peer(peer_); }
  /// W3C traceparent of its handshake: the parent of messages that bring none. Empty: it had none.
  void begin_trace(std::string traceparent) {
    if (!traceparent.empty()) traceparent_ = std::make_unique<std::string>(std::move(traceparent));
  }
  [[nodiscard]] std::string_view traceparent() const {
    return traceparent_ ? std::string_view(*traceparent_) : std::string_view();
  }

 private:
  struct Held {
    std::string text;
    SteadyTime arrived;
    SteadyTime until;  ///< when its sender stops waiting
  };
  void hold(std::string_view text, SteadyTime arrived, SteadyTime until);
  bool within_rates(std::string_view text, SteadyTime now);
  template <class Send>
  bool in_time(Send&& send);
  void leave_if_answered();

  Edge& edge_;
  Connection& connection_;
  SendQueue queue_;
  SocketCosts costs_;
  std::unique_ptr<Numbered> numbered_;  ///< nothing: it has not asked for it
  State state_ = State::judging;
  bool paused_ = true;
  bool snorky_ = false;
  std::uint16_t closed_with_ = 0;
  bool peer_ended_ = false;  ///< it says no more, and waits for what it has asked
  HandlerKind kind_ = HandlerKind::web_socket;
  std::uint32_t slot_, serial_;
  SessionId session_id_ = SessionId::random();
  std::string user_id_, peer_;
  FoundToken credential_;  ///< the token until the verdict; from then on meshd's ticket
  SessionRequests requests_;
  std::set<std::string, std::less<>> topics_;
  std::map<std::string, std::string, std::less<>> standing_;
  // Lists: nearly always empty, when a deque takes half a kilobyte.
  std::list<Held> held_;
  std::list<Unsent> unsent_;
  std::unique_ptr<std::string> traceparent_;  ///< nearly always nothing
};

}  // namespace nuropb::edge
