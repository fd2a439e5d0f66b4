#include "meshd/routing/request_router.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "common/consumer_messages.hpp"
#include "common/error_names.hpp"
#include "common/topic.hpp"

namespace nuropb::meshd {
namespace {

// Of a message in a queue, beside its parameters: its head, the context with the token, and the names.
constexpr std::size_t message_overhead = 1024;

}  // namespace

RequestRouter::RequestRouter(const Parts& parts)
    : config_(parts.config),
      clock_(parts.clock),
      io_(parts.io),
      times_(parts.times),
      deadline_(parts.deadline),
      faces_(parts.faces),
      workers_(parts.workers),
      quotas_(parts.quotas),
      tracing_(parts.tracing),
      responses_(parts.responses),
      broker_(parts.broker),
      mesh_authorizer_(parts.mesh_authorizer),
      settings_{milliseconds(parts.config.request.max_ttl_ms),
                parts.config.limits.json(),
                {parts.config.auth.context_user_key, parts.config.auth.context_token_key,
                 parts.config.auth.context_claims_key}} {}

RecordResult RequestRouter::request(Worker& worker, records::Type type, const records::Request& request,
                                    const Session& session, const ReturnAddress& from) {
  if (auto refused = refused_by_policy(type, request, session, from)) return refuse(std::move(*refused));
  if (!may_wait(type, request, session, from)) {
    return refuse(over_limit(from,
                             "too many requests of this user have no answer yet (limits.pending_per_user, "
                             "limits.pending_user_bytes); it was not sent"));
  }
  tracing_.read(worker.departures(), from, request.origin);
  return tracing_.in_span(
      type, request.service, request.method, session, from, request, [&](const records::Request& record) {
        Face& face = faces_.of(session);
        return publish(worker, face,
                       to_outgoing(type, record, session, from, face.addresses, times_.reading, settings_),
                       record.method);
      });
}

RecordResult RequestRouter::event(Worker& worker, const records::Event& event, const Session& session,
                                  const ReturnAddress& from) {
  if (auto refused = refused_by_policy(event, session, from)) return refuse(std::move(*refused));
  tracing_.read(worker.departures(), from, event.origin);
  return tracing_.in_span(
      records::Type::event, event.topic, {}, session, from, event, [&](const records::Event& record) {
        Face& face = faces_.of(session);
        return publish(worker, face, to_outgoing(record, session, from, face.addresses, times_.reading, settings_));
      });
}

/// Counts a request or command for what its user may leave in services' queues.
bool RequestRouter::may_wait(records::Type type, const records::Request& request, const Session& session,
                             const ReturnAddress& from) {
  const bool command = type == records::Type::command;
  const std::size_t bytes = request.params.size() + message_overhead;
  // A ttl that an edge made up counts as it is sent on: cut to the longest one.
  const SteadyTime until = std::min(deadline_.of(request.deadline_ms), times_.reading + settings_.max_ttl);
  return quotas_.may_wait(session.identity.user_id(), from, {bytes, until, !command});
}

RecordResult RequestRouter::refuse(Returned&& refused) {
  responses_.respond(std::move(refused));
  return RecordResult::handled();
}

RecordResult RequestRouter::publish(Worker& worker, Face& face, Result<mesh::Outgoing> message,
                                    std::string_view method) {
  if (!message) return RecordResult::violation(message.error().text());
  message->tag = worker.begin_work();
  bytes_ += message->body.size();
  if (!face.encryption || message->type == MessageType::event) {
    face.outgoing.push_back(std::move(*message));
  } else {
    face.encryption->add(std::move(*message), method.empty() ? mesh::name_of_describe : method, times_.reading);
  }
  return RecordResult::in_flight();
}

bool RequestRouter::ask(mesh::Outgoing&& question, const std::string& method) {
  if (!broker_.ready()) return false;
  Face& web = faces_.web();
  if (web.encryption) web.encryption->add(std::move(question), method, clock_.now());
  else web.outgoing.push_back(std::move(question));
  // At the end of what goes on now: it may be the reading of a ring.
  boost::asio::post(io_, [this] {
    send_encrypted(faces_.web());
    workers_.schedule_turn();
  });
  return true;
}

void RequestRouter::send_encrypted(Face& face) {
  if (!face.encryption) return;
  for (const auto& [message, error] : face.encryption->take_output(face.outgoing)) {
    if (mesh_authorizer_ && mesh_authorizer_->refused(message.correlation_id, error.description)) continue;
    const auto to = face.addresses.open(message.correlation_id);
    if (!to) continue;
    if (Worker* const worker = workers_.find({to->slot, to->generation})) worker->settle(message.tag);
    responses_.respond(refusal(*to, error.name, error.description));
  }
}

void RequestRouter::publish_read() {
  faces_.each([this](Face& face) { send_encrypted(face); });
  faces_.publish_waiting();
}

std::optional<Returned> refused_by_policy(records::Type type, const records::Request& request, const Session& session,
                                          const ReturnAddress& from) {
  // What a service keeps to itself never leaves the gateway, whatever the policy says; in the words that services use.
  if (request.method.starts_with('_'))
    return refusal(from, error_name::handling, "Unknown method " + std::string(request.method));
  const Use use = type == records::Type::command    ? Use::command
                  : type == records::Type::describe ? Use::describe
                                                    : Use::request;
  // Who may request may request a description, as with nuropb-gw; but not one that a rule denies.
  const bool denied =
      request.method == mesh::name_of_describe && session.policy.denies(Use::describe, request.service, {});
  if (!denied && session.policy.allows(use, request.service, request.method)) return {};
  return refusal(from, error_name::authorization,
                 "Service " + std::string(request.service) +
                     (use == Use::describe ? "" : ", method " + std::string(request.method)) + ": this user may not " +
                     (use == Use::command    ? "command"
                      : use == Use::describe ? "describe"
                                             : "request") +
                     " it (policy)");
}

std::optional<Returned> refused_by_policy(const records::Event& event, const Session& session,
                                          const ReturnAddress& from) {
  const auto refused = [&](std::string_view error, const std::string& why) {
    return refusal(from, error, "Topic " + std::string(event.topic) + why);
  };
  if (Peers::reserved(event.topic) || !session.policy.allows_topic(Use::event, event.topic))
    return refused(error_name::authorization, ": this user may not publish to it (policy)");
  if (const auto problem = topic_problem(event.topic)) return refused(error_name::validation, ' ' + *problem);
  if (EventTarget::most_users(event.target) > EventTarget::max_users)
    return refused(error_name::validation,
                   ": target names more than " + std::to_string(EventTarget::max_users) + " users");
  return {};
}

}  // namespace nuropb::meshd
