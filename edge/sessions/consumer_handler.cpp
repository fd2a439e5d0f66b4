#include "edge/sessions/consumer_handler.hpp"

#include <new>

#include "common/close_codes.hpp"
#include "edge/link/mesh_link.hpp"
#include "edge/protocol/consumer_protocol.hpp"
#include "edge/sessions/cached_clock.hpp"
#include "edge/sessions/new_session.hpp"
#include "edge/sessions/session_events.hpp"

namespace nuropb::edge {
namespace {

constexpr std::size_t max_first_message = 2 * records::max_credential;  // of a client that is not authenticated

}  // namespace

ConsumerHandler::ConsumerHandler(const SessionContext& context, Connection& connection, records::SessionRef ref,
                                 NewSession session)
    : context_(context),
      connection_(connection),
      queue_(connection, context.limits.send_queue_bytes),
      costs_(context.sockets, *this),
      protocol_(*session.protocol),
      state_(session.token ? State::authenticating : State::silent),
      paused_(session.token.has_value()),
      bare_token_allowed_(session.bare_token_allowed),
      identity_(session.identity),
      ref_(ref),
      peer_(std::move(session.peer)) {
  if (!session.traceparent.empty()) traceparent_ = std::make_unique<std::string>(std::move(session.traceparent));
  if (session.token) {
    credential_ = std::move(*session.token);
    connection_.pause_reading();  // until it is authenticated
  } else {
    connection_.limit_message(max_first_message);
  }
}
ConsumerHandler::~ConsumerHandler() = default;

void ConsumerHandler::write_message(std::string_view text) {
  if (state_ == State::closing) return;
  context_.link.count(shm::EdgeCounter::bytes_out, text.size());
  in_time([&] { return queue_.send(text); });
  leave_if_answered();
}

bool ConsumerHandler::write_shared(SharedMessage& message) {
  if (state_ == State::closing || !protocol_.receives_messages()) return false;
  const Frame& frame = protocol_.frame_of(message);
  context_.link.count(shm::EdgeCounter::bytes_out, frame.size());
  return in_time([&] { return queue_.send(frame); });
}

void ConsumerHandler::write_event(SharedMessage& message, std::string_view topic, QueueRules::Match rule) {
  if (state_ == State::closing) return;
  const Frame& frame = message.plain();
  context_.link.count(shm::EdgeCounter::bytes_out, frame.size());
  in_time([&] { return queue_.send(frame, topic, rule); });
}

/// Closes a client that does not read what may not be dropped.
template <class Send>
bool ConsumerHandler::in_time(Send&& send) {
  bool room = false;
  try {
    room = send();
  } catch (const std::bad_alloc&) {
    costs_.on_no_memory();
    queue_.discard();
  }
  costs_.unread(queue_.memory());
  if (const auto left_out = queue_.take_dropped(); left_out > 0)
    context_.link.count(shm::EdgeCounter::dropped_events, left_out);
  if (!room) close(close_code::slow_consumer, "slow consumer");
  return room;
}

void ConsumerHandler::on_written() {
  queue_.go_on();
  costs_.unread(queue_.memory());
}

std::size_t ConsumerHandler::held_bytes() const {
  std::size_t bytes = 0;
  for (const Held& one : held_) bytes += one.text.capacity();
  return bytes;
}

void ConsumerHandler::give_up_memory(MemoryBudget::What most) {
  queue_.discard();
  if (most == MemoryBudget::What::outgoing)
    return close(close_code::slow_consumer, "slow consumer (limits.memory_bytes)");
  close(held_.empty() ? close_code::message_too_big : close_code::mesh_unavailable,
        "there is no memory for the message (limits.memory_bytes): try again later");
}

void ConsumerHandler::close(std::uint16_t code, std::string_view reason) {
  if (state_ == State::closing) return;
  state_ = State::closing;
  closed_with_ = code;
  held_.clear();
  relayed_.unsent.clear();
  costs_.closing();
  context_.link.count_close(code);
  context_.events.on_closing(*this);
  // Reading goes on, or the client's answer to the closing handshake would never be seen.
  if (paused_) connection_.resume_reading();
  paused_ = false;
  queue_.hand_over();
  connection_.close(code, reason);
}

void ConsumerHandler::on_end() {
  peer_ended_ = true;
  leave_if_answered();
}

/// A client that has ended its side gets the answers to what it has sent; then we end ours.
void ConsumerHandler::leave_if_answered() {
  if (!peer_ended_ || state_ == State::closing || state_ == State::authenticating || !held_.empty() ||
      relayed_.awaits_answers())
    return;
  state_ = State::closing;
  context_.events.on_closing(*this);
  queue_.hand_over();
  connection_.close(0, "");
}

void ConsumerHandler::on_close() {
  const std::uint16_t code = state_ == State::closing ? 0 : connection_.closed_with();
  if (code == close_code::protocol_error || code == close_code::invalid_text || code == close_code::message_too_big)
    context_.link.count_close(code);
  const std::uint16_t ended_with = state_ == State::closing ? closed_with_ : code;
  // Resumable unless closed normally (1000) or permanently (4500 and above).
  context_.events.on_closed(*this, ended_with != 1000 && ended_with < 4500);
}

void ConsumerHandler::on_message(std::string_view text) {
  if (state_ == State::closing) return;
  context_.link.count(shm::EdgeCounter::bytes_in, text.size());
  if (state_ == State::silent) return context_.events.on_first_message(*this, text);
  const SteadyTime now = context_.clock.refresh();
  if (context_.limits.connection.any() && !within_rates(text, now)) return;
  // Behind paused messages, and before the session is authenticated, a message is not even decoded.
  if (state_ == State::authenticating || !held_.empty()) return pause(text, now, SteadyTime::max());
  if (const auto until = context_.events.on_message(*this, text, now)) pause(text, now, *until);
}

bool ConsumerHandler::within_rates(std::string_view text, SteadyTime now) {
  const RateLimit::Answer answer = costs_.rate().take(context_.limits.connection, now, text.size());
  // Nothing is answered before the hello; what can arrive by then is one read buffer.
  if (answer.over == RateLimit::Over::nothing || state_ == State::authenticating) return true;
  refuse_over_rate(text, answer.over);
  if (answer.out_of_patience)
    close(close_code::rate_exceeded, answer.over == RateLimit::Over::messages
                                         ? "over limits.messages_per_s for too long"
                                         : "over limits.bytes_per_s for too long");
  return false;
}

void ConsumerHandler::refuse_over_rate(std::string_view text, RateLimit::Over over) {
  const bool messages = over == RateLimit::Over::messages;
  context_.link.count(messages ? shm::EdgeCounter::over_messages_per_s : shm::EdgeCounter::over_bytes_per_s);
  context_.link.count_outcome(RequestOutcome::refused);
  const Rates& rates = context_.limits.connection;
  write_message(protocol_.refusal(text, "more than " +
                                            std::to_string(messages ? rates.messages_per_s : rates.bytes_per_s) +
                                            (messages ? " messages a second (limits.messages_per_s); it was not sent"
                                                      : " bytes a second (limits.bytes_per_s); it was not sent")));
}

void ConsumerHandler::authenticate(FoundToken token) {
  credential_ = std::move(token);
  state_ = State::authenticating;
  connection_.pause_reading();
  paused_ = true;
  connection_.limit_message(context_.limits.message_bytes);
}

void ConsumerHandler::pause(std::string_view text, SteadyTime arrived, SteadyTime until) {
  held_.push_back({std::string(text), arrived, until});
  if (!paused_) connection_.pause_reading();
  paused_ = true;
  context_.events.on_paused(*this);
  costs_.held(held_bytes());
}

void ConsumerHandler::resume() {
  if (state_ == State::silent || state_ == State::authenticating || state_ == State::closing) return;
  context_.events.on_resuming(*this);
  if (!held_.empty()) context_.clock.refresh();
  while (!held_.empty()) {
    if (const auto until = context_.events.on_message(*this, held_.front().text, held_.front().arrived)) {
      held_.front().until = *until;
      return context_.events.on_paused(*this);
    }
    if (state_ == State::closing) return;  // the message has closed it, and the rest is dropped
    held_.pop_front();
  }
  costs_.held(held_bytes());
  if (!relayed_.unsent.empty()) return context_.events.on_paused(*this);
  context_.events.on_resumed(*this);
  if (paused_) connection_.resume_reading();
  paused_ = false;
  leave_if_answered();
}

ConsumerHandler::Accepted ConsumerHandler::accept(std::string_view user_id, std::string_view ticket) {
  const bool first = state_ == State::authenticating;
  const bool awaited = first || state_ == State::presenting;
  if (awaited || state_ == State::open) credential_ = {records::CredentialKind::ticket, std::string(ticket)};
  if (!awaited) return Accepted::not_awaited;
  state_ = State::open;
  if (first) user_id_ = user_id;
  return first ? Accepted::first : Accepted::again;
}

void ConsumerHandler::present_again() {
  if (state_ == State::open) state_ = State::presenting;
}

}  // namespace nuropb::edge
