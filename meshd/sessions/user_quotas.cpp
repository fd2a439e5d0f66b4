#include "meshd/sessions/user_quotas.hpp"

#include "common/log.hpp"

namespace nuropb::meshd {
namespace {

// How long after our own start edges tell us of subscriptions that their sessions had before it.
constexpr auto restoring = std::chrono::seconds(60);

}  // namespace

UserQuotas::UserQuotas(const Config& config, const Clock& clock)
    : clock_(clock),
      limits_(config.limits.connections_per_user, config.limits.user),
      patterns_(config.events.subscriptions_per_user),
      pending_({config.limits.pending_per_user, config.limits.pending_user_bytes}) {}

bool UserQuotas::admit(Session& session, std::string_view user) {
  session.place = {};
  auto place = limits_.admit(user);
  if (!place) {
    ++refused_.connections;
    return false;
  }
  session.place = std::move(*place);
  return true;
}

std::optional<UserQuotas::Over> UserQuotas::over_rates(Session& session, std::size_t bytes, bool said_again) {
  if (!limits_.rates().any()) return {};
  const SteadyTime now = clock_.now();
  if (said_again && session.restored > 0 && now - started_ < restoring) {
    --session.restored;
    return {};
  }
  const RateLimit::Answer answer = limits_.take(session.place, now, bytes);
  if (answer.over == RateLimit::Over::nothing) return {};
  const bool messages = answer.over == RateLimit::Over::messages;
  const std::string limit = messages ? "limits.user_messages_per_s" : "limits.user_bytes_per_s";
  ++(messages ? refused_.user_messages : refused_.user_bytes);
  const Rates& rates = limits_.rates();
  return Over{"more than " + std::to_string(messages ? rates.messages_per_s : rates.bytes_per_s) +
                  (messages ? " messages" : " bytes") + " a second of this user (" + limit + "); it was not sent",
              limit, answer.out_of_patience};
}

bool UserQuotas::may_wait(std::string_view user, const ReturnAddress& from, const UserPending::Message& message) {
  if (pending_.take(user, from, message)) return true;
  ++refused_.user_pending;
  log_refused(user, "limits.pending_per_user");
  return false;
}

bool UserQuotas::may_subscribe(std::string_view user, std::string_view pattern) {
  if (patterns_.has_room(user, pattern)) return true;
  ++refused_.user_subscriptions;
  log_refused(user, "events.subscriptions_per_user");
  return false;
}

void UserQuotas::tick() {
  limits_.forget_idle(clock_.now());
  pending_.sweep(clock_.now());
}

void UserQuotas::log_refused(std::string_view user, std::string_view limit) {
  if (const auto left_out = pause_.due(clock_.now()))
    log::warning("a user is over a limit", {{"user", user}, {"reason", limit}, {"left_out", *left_out}});
}

}  // namespace nuropb::meshd
