#pragma once
// Who the sessions are: authenticates them, refreshes and expires their identities, applies the policy to them, and ends them.
//
//   open() ──► authorizer ──► accepted: an identity, a policy, a ticket for its edge ──► expires, is revoked, is closed ──► end()
//                         └─► refused
//
// The sessions themselves are in the tables of their workers. Owner thread: the event loop.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/records.hpp"
#include "meshd/auth/authorizer.hpp"
#include "meshd/clock_steps.hpp"
#include "meshd/expiries.hpp"
#include "meshd/faces.hpp"
#include "meshd/sessions/refused.hpp"
#include "meshd/policy.hpp"
#include "meshd/refusal_log.hpp"
#include "meshd/sealed_tickets.hpp"
#include "meshd/sessions/all_sessions.hpp"
#include "meshd/sessions/response_sink.hpp"
#include "meshd/sessions/session_keeper.hpp"
#include "meshd/sessions/session_sender.hpp"
#include "meshd/sessions/subscription_manager.hpp"
#include "meshd/sessions/user_quotas.hpp"
#include "meshd/workers/worker_port.hpp"

namespace nuropb::meshd {

class SessionManager {
 public:
  struct Parts {
    const Config& config;
    const Clock& clock;
    WorkerPort& workers;
    const Faces& faces;
    const AllSessions& sessions;
    UserQuotas& quotas;
    SubscriptionManager& subscriptions;
    SessionSender& sender;
    SessionKeeper& keeper;
    ResponseSink& responses;
    Authorizer& authorizer;
    const SealedTickets& tickets;
    Policy policy;
    bool snorky;  ///< whether Snorky is served
    /// A session has lost this socket, or ended: who knows sockets by themselves forgets it.
    std::function<void(WorkerId, std::uint32_t slot, std::uint32_t serial)> on_socket_gone;
  };
  explicit SessionManager(Parts parts);

  // What an edge says of a session.
  /// `session` is closed or ended.
  void open(Worker& worker, const records::OpenSession& record, Session& session);
  /// Its socket is closed; `lost`: not by its client.
  void closed(Worker& worker, const records::CloseSession& record, Session& session);
  /// A fresh token.
  void authorize(const records::Authorize& record, Session& session, const ReturnAddress& from);
  /// The worker is gone, and the sockets of all of its sessions.
  void worker_gone(Worker& worker);

  /// Counts a message against the rates of its user. Over them the caller refuses it, and calls end_over_rates() then.
  [[nodiscard]] std::optional<UserQuotas::Over> over_rates(Session& session, std::size_t bytes, bool said_again) {
    return quotas_.over_rates(session, bytes, said_again);
  }
  /// A client that does not slow down loses its session: after the refusal, or it would not know that its message did not run.
  void end_over_rates(Worker& worker, std::uint32_t slot, Session& session, const UserQuotas::Over& over);

  /// Ends the session; one that its client may resume is detached. Its socket is closed with this code.
  void end(Worker& worker, std::uint32_t slot, Session& session, std::uint16_t code, std::string_view reason);
  /// The same for a reason of our own, which is logged: no client can cause that as often as it likes.
  void close(Worker& worker, std::uint32_t slot, Session& session, std::uint16_t code, std::string_view reason);
  /// What others keep of the session is removed: it is about to be destroyed.
  void forget(WorkerId worker, std::uint32_t slot, Session& session);
  /// The session has left its socket: what is kept of the socket is removed.
  void socket_gone(WorkerId worker, std::uint32_t slot, std::uint32_t serial);
  /// The socket of a session that has left its slot is closed. What its edge says of it until then is ignored.
  void send_away(Worker& worker, std::uint32_t slot, std::uint32_t serial, std::uint16_t code, std::string_view reason);
  /// The session's identity: its first, or a fresh one of the same user. All that follows from it, and the ticket with which its edge
  /// can bring it back.
  void take_identity(Worker& worker, std::uint32_t slot, Session& session, Identity identity);

  /// Now and then: warns of sessions' ends, and ends those whose tokens have expired.
  void check_expiries();
  /// From now on.
  void set_policy(Policy policy) { policy_ = std::move(policy); }
  [[nodiscard]] const Policy& policy() const { return policy_; }
  /// After a reload: ends sessions of users that were revoked, and applies the policy to the others.
  void reconsider_all();

  RefusalLog& refusal_log() { return refusal_log_; }
  [[nodiscard]] const AuthFailures& failures() const { return failures_; }
  [[nodiscard]] std::uint64_t clock_steps() const { return clock_steps_.count(); }

 private:
  void open_by_ticket(Worker& worker, const records::OpenSession& record, Session& session,
                      const std::function<void(Verdict)>& answer);
  void authenticated(WorkerId id, std::uint32_t slot, std::uint32_t serial, const std::string& address,
                     Verdict verdict);
  void reauthenticated(const ReturnAddress& from, std::uint32_t serial, Verdict verdict);
  void refuse(Worker& worker, std::uint32_t slot, Session& session, std::uint16_t code, std::string_view reason);
  [[nodiscard]] bool takes_anonymous(const Session& session) const;
  [[nodiscard]] Policy::Session policy_of(const Identity& identity) const;

  const Config& config_;
  const Clock& clock_;
  WorkerPort& workers_;
  const Faces& faces_;
  const AllSessions& sessions_;
  UserQuotas& quotas_;
  SubscriptionManager& subscriptions_;
  SessionSender& sender_;
  SessionKeeper& keeper_;
  ResponseSink& responses_;
  Authorizer& authorizer_;
  const SealedTickets& tickets_;
  Policy policy_;
  const bool snorky_;
  std::function<void(WorkerId, std::uint32_t, std::uint32_t)> on_socket_gone_;
  Expiries expiries_;
  ClockSteps clock_steps_{Moment::now()};
  RefusalLog refusal_log_;
  AuthFailures failures_;
};

}  // namespace nuropb::meshd
