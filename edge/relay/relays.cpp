#include "edge/relay/relays.hpp"

#include "edge/sessions/drain_controller.hpp"
#include "edge/sessions/sessions.hpp"
#include "edge/sessions/tick_timer.hpp"

namespace nuropb::edge {

Relays::Relays(const Surroundings& around)
    : around_(around),
      timings_(around.config.log, around.sender.link(), around.clock),
      resume_(around.sender, around.backlog, around.sessions, around.clock, subscriptions_, timings_),
      events_(around.config.events, around.sessions.slots, around.sender.link(), subscriptions_, resume_),
      requests_(around.config, around.sender, around.sessions, around.drain, around.clock, around.timer,
                {subscriptions_, events_, resume_, timings_}),
      snorky_(around.config, around.sender, around.sessions, around.drain, around.clock, around.timer, timings_),
      endings_(around.sender, around.sessions, timings_, resume_),
      recovery_(around.sender, around.sessions, endings_, resume_),
      restorer_(around.config.request, around.sender, around.backlog, around.sessions, around.clock, around.timer,
                resume_, snorky_),
      presenter_(around.config, around.context, around.sender, around.backlog, around.sessions, around.drain,
                 restorer_),
      pushes_(around.sender, around.backlog, around.sessions.slots),
      by_protocol_{&requests_, &snorky_} {}

void Relays::on_first_message(ConsumerHandler& handler, std::string_view text) {
  presenter_.on_first_message(handler, text);
}

std::optional<SteadyTime> Relays::on_message(ConsumerHandler& handler, std::string_view text, SteadyTime arrived) {
  return by_protocol_[index_of(handler.protocol().id())]->on_message(handler, text, arrived);
}

void Relays::on_paused(ConsumerHandler& handler) {
  around_.sessions.paused.add(handler);
  around_.timer.arm();
}

void Relays::on_resuming(ConsumerHandler& handler) { recovery_.send_again(handler); }

void Relays::on_resumed(ConsumerHandler& handler) { around_.sessions.paused.remove(handler); }

void Relays::on_closing(ConsumerHandler& handler) {
  resume_.on_closing(handler);
  subscriptions_.remove_all(handler);
  endings_.abandon(handler);
  Sessions& sessions = around_.sessions;
  sessions.slots.manager(handler.identity()).unregister_handler(handler);
  sessions.paused.remove(handler);
  sessions.silent.remove(handler);
  around_.drain.on_closing(handler);
}

void Relays::on_closed(ConsumerHandler& handler, bool lost) {
  on_closing(handler);
  around_.sessions.slots.vacate(handler);
  presenter_.on_closed(handler, lost);
}

void Relays::receive_from(RecordReceiver& receiver) {
  using records::Type;
  using Header = shm::RecordHeader;
  receiver.on<records::Response>(
      Type::response, [this](const Header& header, const auto& record) { requests_.on_response(header, record); });
  receiver.on<records::SessionAccepted>(Type::session_accepted,
                                        [this](const Header&, const auto& record) { presenter_.on_accepted(record); });
  receiver.on<records::SessionRefused>(Type::session_refused, [this](const Header&, const auto& record) {
    presenter_.on_ended({record.session, record.serial}, record.code, record.reason);
  });
  receiver.on<records::EndSession>(Type::end_session, [this](const Header&, const auto& record) {
    presenter_.on_ended({record.session, record.serial}, record.code, record.reason);
  });
  receiver.on<records::SessionNotice>(Type::session_notice,
                                      [this](const Header&, const auto& record) { pushes_.on_notice(record); });
  receiver.on<records::MeshEvent>(Type::mesh_event,
                                  [this](const Header&, const auto& record) { events_.on_event(record); });
  receiver.on<records::SubscriptionEnded>(
      Type::subscription_ended, [this](const Header&, const auto& record) { events_.on_subscription_ended(record); });
  receiver.on<records::SnorkyAnswer>(
      Type::snorky_answer, [this](const Header& header, const auto& record) { snorky_.on_answer(header, record); });
  receiver.on<records::Numbered>(
      Type::numbered, [this](const Header& header, const auto& record) { resume_.on_numbered(header, record); });
  receiver.on<records::Resumed>(
      Type::resumed, [this](const Header& header, const auto& record) { resume_.on_resumed(header, record); });
  receiver.on<records::Push>(Type::push, [this](const Header&, const auto& record) { pushes_.on_push(record); });
  receiver.on<records::CloseSessions>(Type::close_sessions,
                                      [this](const Header&, const auto& record) { pushes_.on_close_sessions(record); });
}

void Relays::on_attached(bool same_address) {
  recovery_.on_attached(same_address);
  presenter_.on_attached();
}

void Relays::on_lost(const MeshLink::Lost& lost) {
  timings_.on_lost();
  requests_.forget_early_commands();
  const auto& handlers = around_.sessions.slots.all();
  for (ConsumerHandler* const handler : handlers) {
    if (!handler) continue;
    // What waited in the backlog is dropped.
    handler->relayed().restoring = false;
    if (handler->numbered()) handler->relayed().numbered->in_backlog = false;
  }
  around_.backlog.on_lost();
  recovery_.on_lost(lost);
  for (ConsumerHandler* const handler : handlers) {
    if (!handler) continue;
    handler->present_again();
    if (handler->numbered()) resume_.on_lost(*handler);
  }
  around_.timer.arm();
}

void Relays::on_change() {
  around_.backlog.drain();
  if (around_.sender.link().broker() == shm::BrokerState::ready) requests_.forget_early_commands();
  around_.sessions.paused.resume([this](ConsumerHandler& handler) {
    return around_.drain.accepts_from(handler) && around_.sender.ready(handler.protocol().needs_broker());
  });
}

}  // namespace nuropb::edge
