#include "edge/relay/session_presenter.hpp"

#include "common/close_codes.hpp"
#include "edge/link/link_backlog.hpp"
#include "edge/protocol/client_message.hpp"
#include "edge/protocol/consumer_protocol.hpp"
#include "edge/relay/session_restorer.hpp"
#include "edge/sessions/drain_controller.hpp"
#include "edge/sessions/sessions.hpp"

namespace nuropb::edge {
namespace {

using State = ConsumerHandler::State;

/// The token in a first message; empty: there is none.
std::string token_in(std::string_view text, bool bare_token_allowed, json::Limits limits) {
  // No message begins otherwise, so this is the bare token.
  if (bare_token_allowed && !text.starts_with('{')) return strip_bearer(text);
  const ClientMessage message = decode_client_message(text, limits);
  const auto* const request = std::get_if<ClientRequest>(&message);
  return request && request->verb == records::Type::authorize ? strip_bearer(request->token) : std::string();
}

}  // namespace

std::unique_ptr<Receiver> SessionPresenter::open(Connection& connection, NewSession session) {
  const bool silent = !session.token;
  const milliseconds limit = silent ? session.first_message_limit : milliseconds(config_.auth.verdict_timeout_ms);
  auto handler = std::make_unique<ConsumerHandler>(context_, connection, sessions_.slots.reserve(), std::move(session));
  sessions_.slots.put(*handler);
  if (silent) sessions_.silent.add(*handler);
  sessions_.openings.add(*handler, limit);
  if (drain_.refusing()) {
    // Its handshake was under way when the drain began.
    handler->close(close_code::going_away, "the gateway is stopping");
  } else if (!silent && sender_.link().attached()) {
    present(*handler);  // else on_attached() does
  }
  return handler;
}

void SessionPresenter::on_first_message(ConsumerHandler& handler, std::string_view text) {
  std::string token = token_in(text, handler.bare_token_allowed(), config_.limits.json());
  if (token.empty() || token.size() > records::max_credential) {
    sender_.link().count(shm::EdgeCounter::no_first_message);
    return handler.close(close_code::token_refused, "the first message has to be authorize");
  }
  if (!sessions_.guesses.may_present_token(handler.host(), token))
    return handler.close(close_code::too_many_connections,
                         "too many tokens of this address were refused (limits.refused_tokens_per_s)");
  sessions_.silent.remove(handler);
  handler.authenticate({records::CredentialKind::message, std::move(token)});
  sessions_.openings.add(handler, milliseconds(config_.auth.verdict_timeout_ms));
  if (sender_.link().attached()) present(handler);  // else on_attached() does
}

void SessionPresenter::present(ConsumerHandler& handler) {
  backlog_.add(LinkBacklog::Lane::open_session, [this, ref = handler.ref()] {
    const ConsumerHandler* const waiting = sessions_.slots.find(ref);
    if (!waiting || waiting->state() == State::closing) return true;
    const FoundToken& credential = waiting->credential();
    const records::OpenSession record{
        waiting->slot(),     waiting->serial(),     waiting->session_id(),
        credential.kind,     credential.token,      std::string_view(waiting->peer()).substr(0, records::max_peer),
        waiting->identity(), credential.valid_until};
    return sender_.send(records::Type::open_session, record) || !sender_.link().attached();
  });
}

void SessionPresenter::on_attached() {
  for (ConsumerHandler* const handler : sessions_.slots.all()) {
    if (handler && handler->state() != State::closing && handler->state() != State::silent) present(*handler);
  }
}

void SessionPresenter::on_accepted(const records::SessionAccepted& record) {
  ConsumerHandler* const handler = sessions_.slots.find({record.session, record.serial});
  if (!handler) return;
  if (handler->state() == State::authenticating)
    sessions_.guesses.token_accepted(handler->host(), handler->credential().token);
  switch (handler->accept(record.user_id, record.ticket)) {
    case ConsumerHandler::Accepted::not_awaited: return;
    case ConsumerHandler::Accepted::first: {
      sessions_.slots.manager(handler->identity()).register_handler(*handler);
      const std::string hello = handler->protocol().hello(handler->session_id().hex(), record.user_id, record.username,
                                                          {record.resume, config_.resume.window_ms});
      if (!hello.empty()) handler->write_message(hello);
      break;
    }
    case ConsumerHandler::Accepted::again: restorer_.restore(*handler); break;
  }
  handler->resume();
}

void SessionPresenter::on_ended(records::SessionRef session, std::uint16_t code, std::string_view reason) {
  if (ConsumerHandler* const handler = sessions_.slots.find(session)) handler->close(code, reason);
}

void SessionPresenter::on_closed(const ConsumerHandler& handler, bool lost) {
  const bool half_known = handler.numbered() && handler.relayed().numbered->lost;
  // A slot is used again only once meshd has been told of the end of its last session, or if there is no meshd.
  backlog_.add(LinkBacklog::Lane::close_session,
               [this, record = records::CloseSession{handler.slot(), handler.serial(), lost && !half_known}] {
                 if (!sender_.send(records::Type::close_session, record) && sender_.link().attached()) return false;
                 sessions_.slots.release(record.session);
                 return true;
               });
}

}  // namespace nuropb::edge
