#pragma once
// What one user may have and do over all workers together: connections, messages and bytes a second, requests that services
// have not answered, topic patterns. One place that counts what is refused and logs who is over a limit; the counting itself is in
// user_limits.hpp, user_pending.hpp and user_patterns.hpp.
//
// It decides, and does nothing to sessions: the caller refuses a message and ends a session. Owner thread: the event loop. It must
// outlive all sessions, which hold places in it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/log_pause.hpp"
#include "meshd/sessions/refused.hpp"
#include "meshd/session_table.hpp"
#include "meshd/user_limits.hpp"
#include "meshd/user_patterns.hpp"
#include "meshd/user_pending.hpp"

namespace nuropb::meshd {

class UserQuotas {
 public:
  UserQuotas(const Config& config, const Clock& clock);

  /// Gives the session a place among its user's connections; false if the user has as many as allowed.
  [[nodiscard]] bool admit(Session& session, std::string_view user);

  /// A message that is over its user's rates.
  struct Over {
    std::string why;    ///< for the client whose message it is
    std::string limit;  ///< the name of the setting
    /// The client did not slow down when its messages were refused: its session is to be ended.
    bool end_session = false;
  };
  /// Counts a message of `bytes`; nothing if it is within the rates. `said_again`: the edge may be repeating what it told our
  /// predecessor. That is not the user's doing, so it is not counted, for as many as Session::restored says.
  [[nodiscard]] std::optional<Over> over_rates(Session& session, std::size_t bytes, bool said_again);

  /// Counts a request or a command until it is answered, or its ttl is over; false if the user has too many of them.
  [[nodiscard]] bool may_wait(std::string_view user, const ReturnAddress& from, const UserPending::Message& message);
  void answered(const ReturnAddress& from) { pending_.answered(from); }
  void not_sent(const ReturnAddress& from) { pending_.not_sent(from); }

  /// Whether one more session of this user may subscribe to the pattern.
  [[nodiscard]] bool may_subscribe(std::string_view user, std::string_view pattern);
  UserPatterns& patterns() { return patterns_; }

  /// Now and then: forgets users without sessions.
  void tick();

  [[nodiscard]] const RefusedByLimit& refused() const { return refused_; }
  /// For limits that are kept elsewhere.
  RefusedByLimit& refused() { return refused_; }

 private:
  void log_refused(std::string_view user, std::string_view limit);

  const Clock& clock_;
  const SteadyTime started_ = clock_.now();
  UserLimits limits_;
  UserPatterns patterns_;
  UserPending pending_;
  log::Pause pause_{std::chrono::seconds(1)};
  RefusedByLimit refused_;
};

}  // namespace nuropb::meshd
