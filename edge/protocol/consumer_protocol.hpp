#pragma once
// What distinguishes the message protocols that clients speak, wherever the rest of the edge treats them alike: the form of a
// message for many sockets, the hello, and how a client is told that a message was refused or a request has ended without an
// answer. Implementations: nuropb_protocol.*, call_protocol.hpp, snorky_protocol.*.
//
// A protocol is neither a transport (WebSocket, JSON lines) nor a mesh identity (HandlerKind): each may be combined with
// others. Implementations are pure, without state of a session.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "edge/protocol/client_message.hpp"
#include "edge/protocol/shared_message.hpp"

namespace nuropb::edge {

class ConsumerProtocol {
 public:
  enum class Id : std::uint8_t { nuropb, snorky };
  static constexpr std::size_t count = 2;
  /// Why the outcome of a request is not known.
  enum class Interruption : std::uint8_t { mesh_lost, stopping };

  explicit ConsumerProtocol(Id id) : id_(id) {}
  virtual ~ConsumerProtocol() = default;

  [[nodiscard]] Id id() const { return id_; }
  /// The messages of this protocol go on to the broker; else meshd answers them by itself.
  [[nodiscard]] bool needs_broker() const { return id_ == Id::nuropb; }

  /// Whether clients of this protocol receive anything but answers: events, pushed messages and notices.
  [[nodiscard]] virtual bool receives_messages() const { return true; }

  /// The frame of a message that many sockets get, in the form of this protocol.
  virtual const Frame& frame_of(SharedMessage& message) const = 0;
  /// The first message of a session; empty: this protocol has none.
  [[nodiscard]] virtual std::string hello(std::string_view session_id, std::string_view user_id,
                                          std::string_view raw_username, const ResumeOffer& offer) const = 0;
  /// The answer to a message that is refused before it is processed; `text` is decoded only to find what the answer has to
  /// refer to.
  [[nodiscard]] virtual std::string refusal(std::string_view text, std::string_view why) const = 0;

  /// The answer of meshd to a request. Only Snorky's protocol has other answers.
  virtual void encode_answer(std::string& out, std::string_view reference, std::string_view raw_result,
                             std::string_view raw_error, RequestOutcome outcome) const {
    (void)outcome;
    encode_response(out, reference, raw_result, raw_error);
  }

  // Answers to requests that have been sent. `reference` is PendingRequest::trace_id: what an answer begins with, or refers
  // to, in this protocol. The text replaces what is in `out`.
  virtual void encode_interruption(std::string& out, std::string_view reference, Interruption why) const = 0;
  /// `subscribing`: it was a subscription, which is undone.
  virtual void encode_timeout(std::string& out, std::string_view reference, bool subscribing) const = 0;

 private:
  Id id_;
};
constexpr std::size_t index_of(ConsumerProtocol::Id id) { return static_cast<std::size_t>(id); }

}  // namespace nuropb::edge
