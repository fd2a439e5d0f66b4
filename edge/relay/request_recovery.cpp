#include "edge/relay/request_recovery.hpp"

#include <unordered_map>

#include "common/crash_points.hpp"
#include "edge/protocol/consumer_protocol.hpp"
#include "edge/relay/request_endings.hpp"
#include "edge/relay/resume_relay.hpp"
#include "edge/sessions/sessions.hpp"

namespace nuropb::edge {
namespace {

// PendingRequest::ring_end of a request whose record is in RelayState::unsent.
constexpr std::uint64_t waits_to_be_sent = UINT64_MAX;

}  // namespace

void RequestRecovery::on_lost(const MeshLink::Lost& lost) {
  std::unordered_map<std::uint64_t, const shm::RingWriter::Written*> untaken;
  for (const auto& record : lost.untaken) untaken[record.header.sequence] = &record;
  sessions_.pending.each([&](PendingRequest& request) {
    ConsumerHandler* const handler = sessions_.slots.find(request.session);
    if (!handler) return;
    request.announced = false;
    // No meshd measures its time now.
    if (handler->numbered()) sessions_.pending.set_deadline(request, request.until);
    auto& unsent = handler->relayed().unsent;
    if (request.ring_end == waits_to_be_sent) return;
    if (const auto found = untaken.find(request.sequence);
        found != untaken.end() && found->second->end == request.ring_end) {
      // meshd has not read it, so it goes to the next one as if there had been no other.
      if (request.trace_id.empty()) return endings_.lose(request.sequence);  // our own: SessionRestorer asks again
      unsent.push_back({request.verb, request.sequence, found->second->payload});
    } else if (request.ring_end <= lost.settled &&
               (request.verb == records::Type::request || request.verb == records::Type::describe)) {
      request.ring_end = 0;  // published: its answer will come, by way of the next meshd
      return;
    } else if (!request.again.empty()) {
      unsent.push_back({request.verb, request.sequence, request.again});
    } else {
      // It may have been published, which only the dead meshd knew (design.md, rule 1).
      return endings_.lose(request.sequence);
    }
    request.ring_end = waits_to_be_sent;
  });
}

void RequestRecovery::on_attached(bool same_address) {
  if (same_address) return;
  // Requests that an earlier meshd has published are answered to an address that is not ours any more.
  sessions_.pending.each([this](const PendingRequest& request) {
    if (request.ring_end == 0) endings_.lose(request.sequence);
  });
}

void RequestRecovery::send_again(ConsumerHandler& handler) {
  auto& unsent = handler.relayed().unsent;
  if (handler.state() != ConsumerHandler::State::open) return;  // this meshd does not know the session yet
  for (; !unsent.empty(); unsent.pop_front()) {
    PendingRequest* const request = sessions_.pending.find(unsent.front().sequence);
    if (!request) continue;  // its deadline has passed meanwhile
    if (!sender_.ready(handler.protocol().needs_broker()) ||
        !sender_.send_encoded(unsent.front().type, unsent.front().sequence, unsent.front().record))
      return;
    request->ring_end = sender_.link().written();
    resume_.leave_time_to_meshd(handler, *request);
    NUROPB_CRASH_POINT(request_sent_again);
  }
}

}  // namespace nuropb::edge
