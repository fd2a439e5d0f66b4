#include "edge/relay/session_restorer.hpp"

#include "edge/link/link_backlog.hpp"
#include "edge/relay/resume_relay.hpp"
#include "edge/relay/snorky_relay.hpp"
#include "edge/sessions/sessions.hpp"
#include "edge/sessions/tick_timer.hpp"

namespace nuropb::edge {

void SessionRestorer::restore(ConsumerHandler& handler) {
  RelayState& state = handler.relayed();
  if (state.topics.empty() && state.standing.empty() && !handler.numbered()) return;
  state.restoring = true;
  backlog_.add(LinkBacklog::Lane::restore_session, [this, ref = handler.ref()] {
    ConsumerHandler* const waiting = sessions_.slots.find(ref);
    return !waiting || !waiting->relayed().restoring || write(*waiting);
  });
}

/// False if there was no room for all. Subscribing is idempotent, so all topics of the session are sent again then.
bool SessionRestorer::write(ConsumerHandler& handler) {
  if (handler.state() == ConsumerHandler::State::open) {
    if (handler.numbered() && !resume_.restore(handler)) return false;
    if (!write_subscriptions(handler) || !snorky_.restore(handler)) return false;
    timer_.arm();
  }
  handler.relayed().restoring = false;
  if (handler.numbered()) resume_.send_unsaid(handler);
  return true;
}

bool SessionRestorer::write_subscriptions(ConsumerHandler& handler) {
  for (const std::string& topic : handler.relayed().topics) {
    const SteadyTime deadline = clock_.now() + max_ttl_;
    const auto sequence =
        sender_.send_new(records::Type::subscribe,
                         records::Subscription{handler.slot(), handler.serial(), topic, to_ring_ms(deadline), {}});
    if (!sequence) return false;
    sessions_.pending.add(*sequence, handler.slot(), handler.relayed().requests, deadline, "", topic);
  }
  return true;
}

}  // namespace nuropb::edge
