#pragma once
// The sessions that wait for their clients: they have lost their sockets, and their mailboxes are filled meanwhile.
//
//   keep() ──► detached ──► reattach(), when the client resumes it
//                       └─► drop(): the time is over, there are too many, or it is ended for a cause
//
// For a while it remembers why sessions have ended, for clients that come back too late. Owner thread: the event loop. It must end
// before the Mailboxes, and before what sessions hold places in.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/ids.hpp"
#include "meshd/mailbox.hpp"
#include "meshd/parking.hpp"
#include "meshd/sessions/session_keeper.hpp"
#include "meshd/sessions/session_manager.hpp"

namespace nuropb::meshd {

class DetachedSessions final : public SessionKeeper {
 public:
  /// `on_deadline`: a session has a deadline that may be the next one.
  DetachedSessions(const Config::Resume& settings, const Clock& clock, Mailboxes& mailboxes, SessionManager& sessions,
                   std::function<void()> on_deadline)
      : settings_(settings),
        clock_(clock),
        mailboxes_(mailboxes),
        sessions_(sessions),
        on_deadline_(std::move(on_deadline)) {}

  [[nodiscard]] bool keep(WorkerId worker, SessionTable& table, std::uint32_t slot, std::uint16_t code) override;
  void drop(Session& session, std::string_view reason) override;
  /// Out of here, for the socket that takes it.
  [[nodiscard]] std::unique_ptr<Session> reattach(Mailbox& box);

  /// Drops those whose time is over.
  void expire(SteadyTime now);
  /// When the next one's time is over; SteadyTime::max() if there is none.
  [[nodiscard]] SteadyTime next_deadline() const { return parking_.next(); }
  /// Why a session that could be resumed is no more: "expired", "too_many" or "ended"; empty if that is not known.
  [[nodiscard]] std::string_view why_ended(const SessionId& id) const;

  SessionTable& table() { return table_; }
  struct Counters {
    std::uint64_t detached = 0, ended = 0;
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  void detach(WorkerId worker, SessionTable& table, std::uint32_t slot);
  void remember_ended(const Session& session, std::string_view reason);

  const Config::Resume& settings_;
  const Clock& clock_;
  Mailboxes& mailboxes_;
  SessionManager& sessions_;
  std::function<void()> on_deadline_;
  SessionTable table_{UINT32_MAX};
  std::uint32_t slots_ = 0;                // ever used in the table
  std::vector<std::uint32_t> free_slots_;  // of them
  Parking parking_;  // the same sessions by their mailboxes: until when, and which is dropped first
  std::map<SessionId, std::string_view> ended_;
  std::deque<SessionId> ended_order_;
  Counters counters_;
};

}  // namespace nuropb::meshd
