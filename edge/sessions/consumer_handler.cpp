#include "edge/sessions/consumer_handler.hpp"

#include <new>

#include "common/close_codes.hpp"
#include "edge/protocol/client_message.hpp"
#include "edge/edge.hpp"
#include "edge/protocol/shared_message.hpp"

namespace nuropb::edge {
namespace {

constexpr std::size_t max_first_message = 2 * records::max_credential;  // what a stranger may make us keep

}  // namespace

ConsumerHandler::ConsumerHandler(Edge& edge, Connection& connection, std::uint32_t slot, std::uint32_t serial,
                                 bool silent)
    : edge_(edge),
      connection_(connection),
      queue_(connection, edge.limits().send_queue_bytes),
      costs_(edge, *this),
      state_(silent ? State::silent : State::judging),
      paused_(!silent),
      slot_(slot),
      serial_(serial) {
  if (silent) connection_.limit_message(max_first_message);
  else connection_.pause_reading();  // until the verdict
}
ConsumerHandler::~ConsumerHandler() = default;

void ConsumerHandler::write_message(std::string_view text) {
  if (state_ == State::closing) return;
  edge_.count(shm::EdgeCounter::bytes_out, text.size());
  in_time([&] { return queue_.send(text); });
  leave_if_answered();
}

bool ConsumerHandler::write_shared(SharedMessage& message) {
  if (state_ == State::closing) return false;
  const Frame& frame = snorky_ ? message.enveloped() : message.plain();
  edge_.count(shm::EdgeCounter::bytes_out, frame.size());
  return in_time([&] { return queue_.send(frame); });
}

void ConsumerHandler::write_event(SharedMessage& message, std::string_view topic, QueueRules::Match rule) {
  if (state_ == State::closing) return;
  const Frame& frame = message.plain();
  edge_.count(shm::EdgeCounter::bytes_out, frame.size());
  in_time([&] { return queue_.send(frame, topic, rule); });
}

/// Closes a client that does not read what can't be left out.
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
    edge_.count(shm::EdgeCounter::dropped_events, left_out);
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
  unsent_.clear();
  costs_.closing();
  edge_.count_close(code);
  edge_.on_closing(*this);
  // Reading goes on, or the consumer's answer to the closing handshake would never be seen.
  if (paused_) connection_.resume_reading();
  paused_ = false;
  queue_.hand_over();
  connection_.close(code, reason);
}

void ConsumerHandler::on_end() {
  peer_ended_ = true;
  leave_if_answered();
}

/// A consumer that has ended its side gets what it has asked for; then we end ours.
void ConsumerHandler::leave_if_answered() {
  if (!peer_ended_ || state_ == State::closing || state_ == State::judging || !held_.empty() || !unsent_.empty() ||
      requests_.count > 0)
    return;
  if (numbered_ && !(numbered_->inherited.empty() && numbered_->unsaid.empty())) return;
  state_ = State::closing;
  edge_.on_closing(*this);
  queue_.hand_over();
  connection_.close(0, "");
}

void ConsumerHandler::on_close() {
  const std::uint16_t code = state_ == State::closing ? 0 : connection_.closed_with();
  if (code == close_code::protocol_error || code == close_code::invalid_text || code == close_code::message_too_big)
    edge_.count_close(code);
  const std::uint16_t ended_with = state_ == State::closing ? closed_with_ : code;
  // By 1000 it meant to leave; by 4500 and above it is told not to come back.
  edge_.on_closed(*this, ended_with != 1000 && ended_with < 4500);
}

void ConsumerHandler::on_message(std::string_view text) {
  if (state_ == State::closing) return;
  edge_.count(shm::EdgeCounter::bytes_in, text.size());
  if (state_ == State::silent) return edge_.on_first_message(*this, text);
  const SteadyTime now = edge_.look();
  if (edge_.limits().connection.any() && !within_rates(text, now)) return;
  // Behind what is held back already, and before the verdict, nothing is even looked at.
  if (state_ == State::judging || !held_.empty()) return hold(text, now, SteadyTime::max());
  if (const auto until = edge_.handle_message(*this, text, now)) hold(text, now, *until);
}

bool ConsumerHandler::within_rates(std::string_view text, SteadyTime now) {
  const RateLimit::Answer answer = costs_.rate().take(edge_.limits().connection, now, text.size());
  // Before the hello nothing is answered; what can come by then is one read buffer.
  if (answer.over == RateLimit::Over::nothing || state_ == State::judging) return true;
  edge_.refuse_over_rate(*this, text, answer.over);
  if (answer.out_of_patience)
    close(close_code::rate_exceeded, answer.over == RateLimit::Over::messages
                                         ? "over limits.messages_per_s for too long"
                                         : "over limits.bytes_per_s for too long");
  return false;
}

void ConsumerHandler::begin_judging() {
  state_ = State::judging;
  connection_.pause_reading();
  paused_ = true;
  connection_.limit_message(edge_.limits().message_bytes);
}

void ConsumerHandler::hold(std::string_view text, SteadyTime arrived, SteadyTime until) {
  held_.push_back({std::string(text), arrived, until});
  if (!paused_) connection_.pause_reading();
  paused_ = true;
  edge_.on_held(*this);
  costs_.held(held_bytes());
}

void ConsumerHandler::resume() {
  if (state_ == State::silent || state_ == State::judging || state_ == State::closing) return;
  edge_.send_again(*this);
  if (!held_.empty()) edge_.look();
  while (!held_.empty()) {
    if (const auto until = edge_.handle_message(*this, held_.front().text, held_.front().arrived)) {
      held_.front().until = *until;
      return edge_.on_held(*this);
    }
    if (state_ == State::closing) return;  // it closed over that message, and let go of the rest
    held_.pop_front();
  }
  costs_.held(held_bytes());
  if (!unsent_.empty()) return edge_.on_held(*this);
  edge_.on_released(*this);
  if (paused_) connection_.resume_reading();
  paused_ = false;
  leave_if_answered();
}

void ConsumerHandler::accepted(std::string_view user_id, std::string_view raw_username, std::string_view ticket,
                               std::string_view resume_token) {
  const bool first = state_ == State::judging;
  if (state_ == State::open) credential_ = {records::CredentialKind::ticket, std::string(ticket)};  // of a fresh token
  if (!first && state_ != State::presenting) return;
  state_ = State::open;
  credential_ = {records::CredentialKind::ticket, std::string(ticket)};
  if (first) {
    user_id_ = user_id;
    edge_.manager(kind_).register_handler(*this);
    if (!snorky_)
      write_message(encode_hello(session_id_.hex(), user_id, raw_username, {resume_token, edge_.resume_window_ms()}));
  } else {
    edge_.on_accepted_again(*this);
  }
  resume();
}

void ConsumerHandler::number_messages(std::string_view token, std::uint64_t last, const SessionId& session) {
  numbered_ = std::make_unique<Numbered>();
  numbered_->token = token;
  numbered_->last = last;
  if (session == session_id_) return;
  edge_.manager(kind_).unregister_handler(*this);
  session_id_ = session;
  edge_.manager(kind_).register_handler(*this);
}

void ConsumerHandler::present_again() {
  if (state_ == State::open) state_ = State::presenting;
}

}  // namespace nuropb::edge
