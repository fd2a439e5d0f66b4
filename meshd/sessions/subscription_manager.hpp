#pragma once
// Subscriptions of sessions to topics of the mesh: the only place that changes them. It checks the policy and the limits, counts
// subscribers of each pattern (subscriptions.hpp), and tells the mesh about the first and the last one.
//
//   subscribe() ──► first of its pattern ──► the mesh ──► on_pattern(): bound, or refused ──► the client is told
//
// Owner thread: the event loop.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/log_pause.hpp"
#include "common/records.hpp"
#include "meshd/faces.hpp"
#include "meshd/sessions/all_sessions.hpp"
#include "meshd/sessions/response_sink.hpp"
#include "meshd/sessions/session_sender.hpp"
#include "meshd/sessions/user_quotas.hpp"

namespace nuropb::meshd {

class SubscriptionManager {
 public:
  SubscriptionManager(const Config::Events& settings, const Clock& clock, const Faces& faces, UserQuotas& quotas,
                      const AllSessions& sessions, SessionSender& sender, ResponseSink& responses)
      : settings_(settings),
        clock_(clock),
        faces_(faces),
        quotas_(quotas),
        sessions_(sessions),
        sender_(sender),
        responses_(responses) {}

  /// What a client asks for. Its response goes to `from`, once the mesh has said what it thinks of the pattern.
  void subscribe(const records::Subscription& record, Session& session, const ReturnAddress& from);
  void unsubscribe(const records::Subscription& record, Session& session, const ReturnAddress& from);

  /// The session ends: all of its subscriptions do.
  void forget_all(WorkerId worker, std::uint32_t slot, Session& session);
  /// One of them, of which the client is told otherwise. Requests for it that wait for a response get none by this.
  void forget(WorkerId worker, std::uint32_t slot, Session& session, const std::string& topic);
  /// Its policy may be another one: what it does not allow ends. `worker`: nullptr for a detached session.
  void reconsider(Worker* attached, WorkerId worker, std::uint32_t slot, Session& session);
  /// What it holds under `from`, it holds under `to` from now on.
  void move(Session& session, const ReturnAddress& from, const ReturnAddress& to);

  /// What the mesh says of a pattern.
  void on_pattern(Face& face, const ServiceMeshManager::Pattern& news);

 private:
  void on_spelling(Face& face, const ServiceMeshManager::Pattern& news);
  void end(Worker* attached, std::uint32_t slot, Session& session, const std::string& topic, std::string_view error,
           std::string_view why);
  static void release(Face& face, std::string_view pattern);
  void refuse(const ReturnAddress& to, std::string_view error, std::string_view why) {
    responses_.respond(refusal(to, error, why));
  }

  const Config::Events& settings_;
  const Clock& clock_;
  const Faces& faces_;
  UserQuotas& quotas_;
  const AllSessions& sessions_;
  SessionSender& sender_;
  ResponseSink& responses_;
  log::Pause refused_pause_{std::chrono::seconds(10)};
};

}  // namespace nuropb::meshd
