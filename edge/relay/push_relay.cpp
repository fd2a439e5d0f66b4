#include "edge/relay/push_relay.hpp"

#include "edge/link/link_backlog.hpp"
#include "edge/protocol/shared_message.hpp"
#include "edge/sessions/consumer_handler.hpp"
#include "edge/sessions/session_slots.hpp"

namespace nuropb::edge {
namespace {

constexpr std::size_t most_reports = 16 * 1024;  // that found no room; meshd has no more operations on their way

}  // namespace

void PushRelay::on_notice(const records::SessionNotice& record) {
  SharedMessage message(record.text, false);
  if (ConsumerHandler* const handler = slots_.find({record.session, record.serial})) handler->write_shared(message);
}

void PushRelay::on_push(const records::Push& record) {
  SharedMessage message(record.text, record.whole_frame);
  std::size_t taken = 0;
  if (record.all) {
    taken = slots_.manager(record.handler).send_to_all(message);
  } else {
    for (std::size_t i = 0; i < record.sessions.size(); ++i) {
      Handler* const handler = slots_.find_established(record.sessions[i]);
      if (handler && handler->write_shared(message)) ++taken;
    }
  }
  report(record.op, taken);
}

void PushRelay::on_close_sessions(const records::CloseSessions& record) {
  std::size_t taken = 0;
  if (record.all) {
    taken = slots_.manager(record.handler).close_all(record.code, record.reason);
  } else {
    for (std::size_t i = 0; i < record.sessions.size(); ++i) {
      Handler* const handler = slots_.find_established(record.sessions[i]);
      if (!handler) continue;
      handler->close(record.code, record.reason);
      ++taken;
    }
  }
  report(record.op, taken);
}

void PushRelay::report(std::uint64_t op, std::size_t taken) {
  if (op == 0) return;
  if (backlog_.size(LinkBacklog::Lane::push_counts) >= most_reports) return;  // the operation has a deadline in meshd
  backlog_.add(LinkBacklog::Lane::push_counts, [this, record = records::Pushed{op, static_cast<std::uint32_t>(taken)}] {
    // Another meshd has asked for none of it.
    return sender_.send(records::Type::pushed, record) || !sender_.link().attached();
  });
}

}  // namespace nuropb::edge
