#pragma once
// One client's connection, whatever its transport is, and the state of its session.
//
//                 on_open                  accepted (hello is sent)      close(), slow, refused
//     (handshake) ───────► authenticating ─────────────────────► open ───────────────────────► closing
//                             │                                   ▲ │ meshd lost                  │
//                             │ refused: close code, no hello     │ ▼                             ▼ on_close
//                             └────────────────► closing      presenting                       (gone)
//                                                              accepted again ─► open
//
// With auth.first_message a socket may begin as `silent`: its first message has to contain a token, and then it is
// authenticating.
//
// Messages that can't be processed yet (not authenticated, no meshd, no room in the ring, no broker) are paused in order while
// reading is paused, too; they are bounded by one read buffer and the message that it completes.
//
// Owned by its connection. Owner thread: the edge's io_context.

#include <list>
#include <memory>
#include <string>

#include "common/rate_limit.hpp"
#include "edge/protocol/token_source.hpp"
#include "edge/sessions/handler.hpp"
#include "edge/sessions/relay_state.hpp"
#include "edge/sessions/send_queue.hpp"
#include "edge/sessions/session_context.hpp"
#include "edge/sessions/socket_costs.hpp"
#include "edge/transport/websocket.hpp"

namespace nuropb::edge {

class ConsumerProtocol;
struct NewSession;

class ConsumerHandler final : public Handler, public Receiver {
 public:
  enum class State : std::uint8_t { silent, authenticating, open, presenting, closing };

  /// Without a token the session begins as `silent`.
  ConsumerHandler(const SessionContext& context, Connection& connection, records::SessionRef ref, NewSession session);
  ~ConsumerHandler() override;

  // Handler
  [[nodiscard]] const SessionId& session_id() const override { return session_id_; }
  [[nodiscard]] const std::string& user_id() const override { return user_id_; }
  void write_message(std::string_view text) override;
  bool write_shared(SharedMessage& message) override;
  /// An event, which may be dropped where the rule of its topic says so.
  void write_event(SharedMessage& message, std::string_view topic, QueueRules::Match rule);
  void close(std::uint16_t code, std::string_view reason) override;
  [[nodiscard]] bool numbered() const override { return relayed_.numbered != nullptr; }
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

  // For SocketCosts.
  void give_up_memory(MemoryBudget::What most);
  /// Bytes of paused messages.
  [[nodiscard]] std::size_t held_bytes() const;

  /// It was silent, and has presented a token.
  void authenticate(FoundToken token);
  enum class Accepted : std::uint8_t { not_awaited, first, again };
  /// meshd has accepted the credential; `ticket` is presented to the next meshd. `not_awaited`: also for a fresh token of an open
  /// session.
  Accepted accept(std::string_view user_id, std::string_view ticket);
  /// The client has resumed this session: it has its id from now on. Not while the handler is registered (HandlerManager).
  void take_over(const SessionId& session) { session_id_ = session; }
  /// meshd is lost: the session has to be presented to the next one.
  void present_again();
  /// Processes paused messages, and reads on once all of them are processed.
  void resume();

  [[nodiscard]] bool peer_gone() const { return connection_.peer_gone(); }
  /// When the first paused message has to be answered at the latest.
  [[nodiscard]] SteadyTime paused_until() const { return held_.empty() ? SteadyTime::max() : held_.front().until; }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::uint32_t slot() const { return ref_.session; }
  [[nodiscard]] std::uint32_t serial() const { return ref_.serial; }
  [[nodiscard]] records::SessionRef ref() const { return ref_; }
  [[nodiscard]] HandlerKind identity() const { return identity_; }
  [[nodiscard]] const ConsumerProtocol& protocol() const { return protocol_; }
  [[nodiscard]] bool bare_token_allowed() const { return bare_token_allowed_; }
  /// What it presents to meshd: its token until it is accepted; from then on meshd's ticket.
  [[nodiscard]] const FoundToken& credential() const { return credential_; }
  [[nodiscard]] const std::string& peer() const { return peer_; }
  /// The client's address without the port.
  [[nodiscard]] std::string_view host() const { return host_in_peer(peer_); }
  /// W3C traceparent of its handshake: the parent of messages that have none. Empty: it had none.
  [[nodiscard]] std::string_view traceparent() const {
    return traceparent_ ? std::string_view(*traceparent_) : std::string_view();
  }
  RelayState& relayed() { return relayed_; }
  [[nodiscard]] const RelayState& relayed() const { return relayed_; }

 private:
  struct Held {
    std::string text;
    SteadyTime arrived;
    SteadyTime until;  ///< when its sender stops waiting
  };
  void pause(std::string_view text, SteadyTime arrived, SteadyTime until);
  bool within_rates(std::string_view text, SteadyTime now);
  void refuse_over_rate(std::string_view text, RateLimit::Over over);
  template <class Send>
  bool in_time(Send&& send);
  void leave_if_answered();

  const SessionContext& context_;
  Connection& connection_;
  SendQueue queue_;
  SocketCosts costs_;
  const ConsumerProtocol& protocol_;
  State state_;
  bool paused_;
  bool peer_ended_ = false;  ///< it sends nothing more, and waits for what it has asked
  bool bare_token_allowed_;
  HandlerKind identity_;
  std::uint16_t closed_with_ = 0;
  records::SessionRef ref_;
  RelayState relayed_;
  SessionId session_id_ = SessionId::random();
  std::string user_id_, peer_;
  FoundToken credential_;
  std::list<Held> held_;                      ///< nearly always empty, when a deque takes half a kilobyte
  std::unique_ptr<std::string> traceparent_;  ///< nearly always nothing
};

}  // namespace nuropb::edge
