// The ring loop's part in limits: what is over one is refused by name, and who does not mend loses the session.

#include "common/close_codes.hpp"
#include "common/error_names.hpp"
#include "common/log.hpp"
#include "meshd/attached.hpp"
#include "meshd/ring_loop.hpp"

namespace nuropb::meshd {
namespace {

// How long after our own start edges tell us of subscriptions that their sessions had before it.
constexpr auto restoring = std::chrono::seconds(60);

}  // namespace

/// Whether this record may go on. Else it has its answer, unless it is an unsubscribe, which always goes on: an edge has
/// forgotten the topic by then.
bool RingLoop::within_user_rates(Attached& attached, const shm::RecordHeader& header, Session& session, const ReturnAddress& from) {
  const auto type = static_cast<records::Type>(header.type);
  const SteadyTime now = clock_.now();
  if (type == records::Type::subscribe && session.restored > 0 && now - started_ < restoring) {
    --session.restored;  // the edge says it again, not the user
    return true;
  }
  const RateLimit::Answer answer = users_.take(session.place, now, header.length);
  if (answer.over == RateLimit::Over::nothing) return true;
  const bool messages = answer.over == RateLimit::Over::messages;
  ++(messages ? refused_.user_messages : refused_.user_bytes);
  if (answer.out_of_patience) {
    if (const auto left_out = refused_pause_.due(now)) {
      log::warning("session ended over a limit", {{"session", session.id.hex()}, {"limit", messages ? "limits.user_messages_per_s" : "limits.user_bytes_per_s"}, {"left_out", *left_out}});
    }
    end_session(attached, from.session, session, close_code::rate_exceeded, "too many messages for too long");
  }
  if (type == records::Type::unsubscribe && session.state == SessionState::open) return true;
  attached.worker.settle(attached.worker.begin_work());
  const Rates& rates = users_.rates();
  deliver(refusal(from, error_name::transport,
                  messages ? "more than " + std::to_string(rates.messages_per_s) + " messages a second of this user (limits.user_messages_per_s); it was not sent"
                           : "more than " + std::to_string(rates.bytes_per_s) + " bytes a second of this user (limits.user_bytes_per_s); it was not sent"), {});
  return false;
}

/// False, and refused, if the user has all the connections that they may have.
bool RingLoop::admit_user(Attached& attached, std::uint32_t slot, Session& session, std::string_view user_id) {
  session.place = {};
  auto place = users_.admit(user_id);
  if (place) {
    session.place = std::move(*place);
    return true;
  }
  ++refused_.connections;
  session.state = SessionState::ended;
  std::string payload;
  records::encode(records::SessionRefused{slot, session.serial, close_code::too_many_connections, "too many connections of this user"}, payload);
  attached.worker.send(records::Type::session_refused, 0, std::move(payload));
  return false;
}

}  // namespace nuropb::meshd
