// The edge's part in what meshd does to many sessions at once: messages, closing.

#include "common/log.hpp"
#include "edge/edge.hpp"
#include "edge/protocol/shared_message.hpp"

namespace nuropb::edge {
namespace {

constexpr std::size_t most_unsaid = 16 * 1024;  // counts that found no room; meshd has no more operations on their way

}  // namespace

Handler* Edge::find_session(records::SessionRef ref) const {
  // Registered, so that who has had no hello yet, or is on its way out, is passed over.
  ConsumerHandler* const handler = find(ref.session);
  return handler && handler->serial() == ref.serial &&
                 managers_[index_of(handler->kind())].get_handler(handler->session_id()) == handler
             ? handler
             : nullptr;
}

void Edge::on_push(const records::Push& record) {
  SharedMessage message(record.text, record.whole_frame);
  std::size_t taken = 0;
  if (record.all) {
    taken = manager(record.handler).send_to_all(message);
  } else {
    for (std::size_t i = 0; i < record.sessions.size(); ++i) {
      Handler* const handler = find_session(record.sessions[i]);
      if (handler && handler->write_shared(message)) ++taken;
    }
  }
  say_taken(record.op, taken);
}

void Edge::on_close_sessions(const records::CloseSessions& record) {
  std::size_t taken = 0;
  if (record.all) {
    taken = manager(record.handler).close_all(record.code, record.reason);
  } else {
    for (std::size_t i = 0; i < record.sessions.size(); ++i) {
      Handler* const handler = find_session(record.sessions[i]);
      if (!handler) continue;
      handler->close(record.code, record.reason);
      ++taken;
    }
  }
  say_taken(record.op, taken);
}

void Edge::say_taken(std::uint64_t op, std::size_t taken) {
  if (op == 0) return;
  if (unsaid_.size() >= most_unsaid) return;  // whoever waits for it has a deadline
  unsaid_.push_back({op, static_cast<std::uint32_t>(taken)});
  say_waiting();
}

void Edge::say_waiting() {
  for (; !unsaid_.empty(); unsaid_.pop_front()) {
    record_.clear();
    records::encode(unsaid_.front(), record_);
    if (!link_.write(records::Type::pushed, 0, record_)) break;
  }
  if (!link_.attached()) unsaid_.clear();  // another meshd has asked for none of it
}

}  // namespace nuropb::edge
