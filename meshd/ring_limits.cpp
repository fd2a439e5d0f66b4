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
// Of a message in a queue, beside its parameters: its head, the context with the token, and the names.
constexpr std::size_t message_overhead = 1024;

}  // namespace

/// Why a message is over its user's rates, in words for whoever sent it. Who does not mend loses the session over it.
/// What an edge says again after our restart is not the user's doing, and counts for nothing.
std::optional<std::string> RingLoop::over_user_rates(Attached& attached, std::uint32_t slot, Session& session,
                                                     std::size_t bytes, bool said_again) {
  if (!users_.rates().any()) return {};
  const SteadyTime now = clock_.now();
  if (said_again && session.restored > 0 && now - started_ < restoring) {
    --session.restored;
    return {};
  }
  const RateLimit::Answer answer = users_.take(session.place, now, bytes);
  if (answer.over == RateLimit::Over::nothing) return {};
  const bool messages = answer.over == RateLimit::Over::messages;
  const std::string limit = messages ? "limits.user_messages_per_s" : "limits.user_bytes_per_s";
  ++(messages ? refused_.user_messages : refused_.user_bytes);
  if (answer.out_of_patience)
    end_session(attached, slot, session, close_code::rate_exceeded, "over " + limit + " for too long");
  const Rates& rates = users_.rates();
  return "more than " + std::to_string(messages ? rates.messages_per_s : rates.bytes_per_s) +
         (messages ? " messages" : " bytes") + " a second of this user (" + limit + "); it was not sent";
}

/// Whether this record may go on. Else it has its answer, unless it is an unsubscribe, which always goes on: an edge has
/// forgotten the topic by then.
bool RingLoop::within_user_rates(Attached& attached, const shm::RecordHeader& header, Session& session,
                                 const ReturnAddress& from) {
  const auto type = static_cast<records::Type>(header.type);
  const auto why = over_user_rates(attached, from.session, session, header.length, type == records::Type::subscribe);
  if (!why || (type == records::Type::unsubscribe && session.state == SessionState::open)) return true;
  attached.worker.settle(attached.worker.begin_work());
  deliver(refusal(from, error_name::transport, *why), {});
  return false;
}

/// Counts a request or command for what its user may leave in services' queues. Over a limit it has its answer.
bool RingLoop::may_wait(records::Type type, const records::Request& request, const Session& session,
                        const ReturnAddress& from) {
  const std::string_view user = session.identity.user_id();
  const bool command = type == records::Type::command;
  const std::size_t bytes = request.params.size() + message_overhead;
  // A ttl that an edge made up counts as it is sent on: cut to the longest one.
  const SteadyTime longest = turn_began_ + milliseconds(config_.request.max_ttl_ms);
  const SteadyTime until = std::min(deadline_of(request.deadline_ms), longest);
  if (user_pending_.take(user, from, {bytes, until, !command})) return true;
  ++refused_.user_pending;
  log_refused(user, "limits.pending_per_user");
  deliver(refusal(from, error_name::transport,
                  "too many requests of this user have no answer yet (limits.pending_per_user, "
                  "limits.pending_user_bytes); it was not sent"),
          {});
  return false;
}

void RingLoop::log_refused(std::string_view user, std::string_view limit) {
  if (const auto left_out = user_pause_.due(clock_.now()))
    log::warning("a user is over a limit", {{"user", user}, {"reason", limit}, {"left_out", *left_out}});
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
  records::encode(records::SessionRefused{slot, session.serial, close_code::too_many_connections,
                                          "too many connections of this user"},
                  payload);
  attached.worker.send(records::Type::session_refused, 0, std::move(payload));
  return false;
}

}  // namespace nuropb::meshd
