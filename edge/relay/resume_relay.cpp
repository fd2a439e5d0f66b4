#include "edge/relay/resume_relay.hpp"

#include <utility>

#include "common/error_names.hpp"
#include "common/messages.hpp"
#include "edge/link/link_backlog.hpp"
#include "edge/protocol/client_message.hpp"
#include "edge/protocol/consumer_protocol.hpp"
#include "edge/relay/request_timings.hpp"
#include "edge/relay/subscriptions.hpp"
#include "edge/sessions/sessions.hpp"

namespace nuropb::edge {
namespace {

using What = records::Resume::What;

constexpr auto far = std::chrono::hours(24);  // longer than request.max_ttl_ms can be

std::string numbered_text(std::string_view text, std::uint64_t number) {
  std::string out = "{\"seq\":" + std::to_string(number);
  const std::string_view rest = text.substr(1);  // meshd sends objects only
  if (rest.find_first_not_of(" \t\r\n}") != std::string_view::npos) out += ',';
  return out.append(rest);
}

/// The session's id, token and numbers are meshd's from now on.
void make_resumable(SessionSlots& slots, ConsumerHandler& handler, const records::Resumed& record,
                    const SessionId& session) {
  handler.relayed().numbered = std::make_unique<NumberedMessages>();
  handler.relayed().numbered->token = record.token;
  handler.relayed().numbered->last = record.number;
  if (session == handler.session_id()) return;
  HandlerManager& manager = slots.manager(handler.identity());
  manager.unregister_handler(handler);
  handler.take_over(session);
  manager.register_handler(handler);
}

}  // namespace

bool ResumeRelay::process(ConsumerHandler& handler, const ClientRequest& message) {
  if (message.ack) {
    if (!handler.numbered()) {
      handler.write_message(
          encode_mistake({std::string(error_name::validation),
                          "nothing is kept for this session: ask for it with resume", std::string(message.trace_id)}));
    } else if (handler.state() == ConsumerHandler::State::open) {
      // If it finds no room, the next one says the same.
      sender_.send(records::Type::resume, records::Resume{What::seen, handler.slot(), handler.serial(), message.seq});
    }
    return true;
  }
  if (message.token.size() <= records::max_resume_token) return false;
  sender_.link().count_outcome(RequestOutcome::denied);
  std::string text;
  encode_response(text, message.trace_id.empty() ? "null" : message.trace_id, "null",
                  R"({"error":")" + std::string(error_name::resume_failed) +
                      R"(","description":"resume failed: this gateway has given no such token","reason":"unknown"})");
  handler.write_message(text);
  return true;
}

void ResumeRelay::on_numbered(const shm::RecordHeader& header, const records::Numbered& record) {
  ConsumerHandler* const handler = sessions_.slots.find({record.session, record.serial});
  if (!handler || !handler->numbered() || record.text.empty()) return;
  auto& numbered = *handler->relayed().numbered;
  MeshLink& link = sender_.link();
  if (record.answers) {
    const auto asked = sessions_.pending.take(header.sequence);
    if (asked && asked->session == record.session && !asked->topic.empty() && !record.refused)
      subscriptions_.add(*handler, asked->topic);
    link.count(shm::EdgeCounter::responses);
    if (asked) {
      link.count_outcome(record.outcome);
      timings_.on_answered(*handler, *asked, record.outcome, record.stages);
    }
  } else if (record.inherited) {
    numbered.inherited.erase(header.sequence);
  } else {
    link.count(shm::EdgeCounter::events);
  }
  numbered.last = record.number;
  handler->write_message(numbered_text(record.text, record.number));
}

void ResumeRelay::on_resumed(const shm::RecordHeader& header, const records::Resumed& record) {
  ConsumerHandler* const handler = sessions_.slots.find({record.session, record.serial});
  if (!handler || handler->state() == ConsumerHandler::State::closing) return;
  switch (record.what) {
    case records::Resumed::What::kept:
      make_resumable(sessions_.slots, *handler, record, handler->session_id());
      subscriptions_.leave_to_meshd(*handler);
      return;
    case records::Resumed::What::resumed:
      if (sessions_.pending.take(header.sequence)) sender_.link().count_outcome(RequestOutcome::ok);
      subscriptions_.remove_all(*handler);
      handler->relayed().restoring = false;
      make_resumable(sessions_.slots, *handler, record, record.session_id);
      handler->write_message(record.text);
      return;
    case records::Resumed::What::topic: handler->relayed().topics.emplace(record.text); return;
    case records::Resumed::What::pending:
      if (handler->numbered()) handler->relayed().numbered->inherited[header.sequence] = record.text;
      return;
  }
}

void ResumeRelay::send(ConsumerHandler& handler, std::string_view text, std::optional<std::uint64_t> sequence) {
  if (!handler.numbered()) return handler.write_message(text);
  if (handler.state() == ConsumerHandler::State::closing) return;
  handler.relayed().numbered->unsaid.emplace_back(sequence ? *sequence + 1 : 0, text);
  send_unsaid(handler);
}

void ResumeRelay::send_unsaid(ConsumerHandler& handler) {
  auto& numbered = *handler.relayed().numbered;
  if (numbered.in_backlog || numbered.unsaid.empty()) return;
  numbered.in_backlog = true;
  backlog_.add(LinkBacklog::Lane::resume_answers, [this, ref = handler.ref()] {
    ConsumerHandler* const waiting = sessions_.slots.find(ref);
    if (!waiting || !waiting->numbered()) return true;
    // Without a meshd, or one that does not know the session yet, SessionRestorer sends them.
    if (!write_unsaid(*waiting) && sender_.link().attached()) return false;
    waiting->relayed().numbered->in_backlog = false;
    return true;
  });
}

/// False if there was no room.
bool ResumeRelay::write_unsaid(ConsumerHandler& handler) {
  auto& numbered = *handler.relayed().numbered;
  if (!numbered.told || handler.state() != ConsumerHandler::State::open) return true;
  for (; !numbered.unsaid.empty(); numbered.unsaid.pop_front()) {
    const auto& [number, text] = numbered.unsaid.front();
    if (!sender_.send(records::Type::resume,
                      records::Resume{What::say, handler.slot(), handler.serial(), number, 0, {}, {}, text}))
      return false;
  }
  return true;
}

bool ResumeRelay::restore(ConsumerHandler& handler) {
  auto& numbered = *handler.relayed().numbered;
  if (!numbered.told) {
    if (!sender_.send(records::Type::resume,
                      records::Resume{What::again, handler.slot(), handler.serial(), numbered.last, 0, numbered.token}))
      return false;
    numbered.told = true;
  }
  for (PendingRequest& request : handler.relayed().requests.list) {
    // Only requests that its predecessor has published.
    if (request.ring_end != 0 || request.trace_id.empty() || request.announced) continue;
    if (!sender_.send(
            records::Type::resume,
            records::Resume{
                What::pending, handler.slot(), handler.serial(), 0, to_ring_ms(request.until), {}, request.trace_id},
            request.sequence))
      return false;
    request.announced = true;
    leave_time_to_meshd(handler, request);
  }
  return true;
}

void ResumeRelay::leave_time_to_meshd(const ConsumerHandler& handler, PendingRequest& request) {
  if (handler.numbered()) sessions_.pending.set_deadline(request, clock_.now() + far);
}

void ResumeRelay::on_lost(ConsumerHandler& handler) {
  auto& numbered = *handler.relayed().numbered;
  numbered.told = false;
  const auto inherited = std::exchange(numbered.inherited, {});
  std::string text;
  for (const auto& [number, trace_id] : inherited) {
    handler.protocol().encode_interruption(text, trace_id, ConsumerProtocol::Interruption::mesh_lost);
    send(handler, text);
  }
}

void ResumeRelay::on_closing(ConsumerHandler& handler) {
  if (!handler.numbered()) return;
  auto& numbered = *handler.relayed().numbered;
  if (!numbered.unsaid.empty() || handler.relayed().restoring) numbered.lost = true;
}

}  // namespace nuropb::edge
