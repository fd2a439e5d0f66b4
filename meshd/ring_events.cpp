// The ring loop's part in events: subscriptions of sessions, and events of the mesh on their way to workers.

#include <algorithm>

#include "common/error_names.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"
#include "common/topic.hpp"
#include "meshd/attached.hpp"
#include "meshd/ring_loop.hpp"

namespace nuropb::meshd {
void RingLoop::subscribe(const records::Subscription& record, Session& session, const ReturnAddress& from) {
  if (session.topics.contains(record.topic))
    return deliver(done(from), {});  // when it takes effect, the first asking is told
  if (Peers::reserved(record.topic) || !session.policy.allows_topic(Use::subscribe, record.topic)) {
    return deliver(refusal(from, error_name::authorization,
                           "Topic " + std::string(record.topic) + ": " + std::string(may_not_subscribe)),
                   {});
  }
  if (session.topics.size() >= config_.events.subscriptions_per_session) {
    ++refused_.subscriptions;
    return deliver(refusal(from, error_name::transport,
                           "more than " + std::to_string(config_.events.subscriptions_per_session) +
                               " subscriptions (events.subscriptions_per_session)"),
                   {});
  }
  if (const auto problem = pattern_problem(canonical_pattern(record.topic)))
    return deliver(refusal(from, error_name::validation, "Topic " + std::string(record.topic) + " " + *problem), {});
  const std::string_view user = session.identity.user_id();
  if (!user_patterns_.has_room(user, record.topic)) {
    ++refused_.user_subscriptions;
    log_refused(user, "events.subscriptions_per_user");
    return deliver(refusal(from, error_name::transport,
                           "this user has more than " + std::to_string(user_patterns_.limit()) +
                               " subscriptions (events.subscriptions_per_user)"),
                   {});
  }
  session.topics.add(record.topic, user_patterns_, user);
  Face& face = this->face(session);
  switch (face.subscriptions.add(record.topic, from)) {
    case Subscriptions::Added::bound: return deliver(done(from), {});
    case Subscriptions::Added::waiting: return;
    case Subscriptions::Added::first: break;
  }
  const auto added = face.spellings.add(record.topic);
  if (added.state == PatternSpellings::State::wait) return;
  if (added.state == PatternSpellings::State::bound) return on_spelling(face, {std::string(record.topic), {}});
  if (const auto asked = face.manager.subscribe(added.canonical); !asked)
    on_pattern(face, {added.canonical, asked.error().text()});
}

void RingLoop::release(Face& face, std::string_view pattern) {
  if (const auto canonical = face.spellings.remove(pattern)) face.manager.unsubscribe(*canonical);
}

void RingLoop::unsubscribe(const records::Subscription& record, Session& session, const ReturnAddress& from) {
  if (session.topics.remove(record.topic)) {
    if (session.mailbox) mailboxes_.remove_topic(*session.mailbox, record.topic);
    Face& face = this->face(session);
    const auto removed = face.subscriptions.remove(record.topic, from);
    if (removed.last) release(face, record.topic);
    for (const ReturnAddress& asker : removed.waiting) deliver(done(asker), {});
  }
  deliver(done(from), {});
}

void RingLoop::forget_subscriptions(WorkerId worker, std::uint32_t slot, Session& session) {
  for (const std::string& topic : session.topics) {
    if (face(session).subscriptions.remove(topic, holder(worker, slot, session)).last) release(face(session), topic);
    if (session.mailbox) mailboxes_.remove_topic(*session.mailbox, topic);
  }
  session.topics.clear();
  if (snorky_) snorky_->on_session_closed({worker, slot, session.serial});
}

void RingLoop::end_subscription(Attached* attached, std::uint32_t slot, Session& session, const std::string& topic,
                                std::string_view error, std::string_view why) {
  session.topics.remove(topic);
  const std::string text = error_json(error, "Topic " + topic + ": " + std::string(why.substr(0, 512)));
  if (session.mailbox) {
    mailboxes_.remove_topic(*session.mailbox, topic);
    say(*session.mailbox, text);
  }
  if (!attached) return;
  std::string payload;
  records::encode(records::SubscriptionEnded{slot, session.serial, topic,
                                             session.mailbox ? std::string_view() : std::string_view(text)},
                  payload);
  attached->worker.send(records::Type::subscription_ended, 0, std::move(payload));
  touch(*attached);
}

void RingLoop::on_pattern(Face& face, const ServiceMeshManager::Pattern& news) {
  if (news.pattern == face.peers.topic()) {
    if (news.refused.empty()) return face.peers.connected();
    log::error("the broker refuses the gateways' own topic: other gateways can't be reached",
               {{"topic", news.pattern}, {"reason", news.refused}});
    return;
  }
  for (std::string& spelling :
       news.refused.empty() ? face.spellings.bound(news.pattern) : face.spellings.refused(news.pattern))
    on_spelling(face, {std::move(spelling), news.refused});
}

/// What the broker says of a pattern, for one of the ways in which sessions have written it.
void RingLoop::on_spelling(Face& face, const ServiceMeshManager::Pattern& news) {
  if (news.refused.empty()) {
    for (const ReturnAddress& asker : face.subscriptions.bound(news.pattern)) deliver(done(asker), {});
    return;
  }
  if (const auto left_out = refused_pause_.due(clock_.now())) {
    log::warning("the broker refuses a topic",
                 {{"topic", news.pattern}, {"reason", news.refused}, {"left_out", *left_out}});
  }
  const auto waiting = face.subscriptions.refused(news.pattern);
  for (const ReturnAddress& asker : waiting)
    deliver(refusal(asker, error_name::transport, "the broker refuses the topic: " + news.refused), {});
  each_session([&](Attached* attached, WorkerId worker, std::uint32_t slot, Session& session) {
    if (session.handler != face.kind || !session.topics.contains(news.pattern)) return;
    const ReturnAddress held = holder(worker, slot, session);
    const bool asked_now = std::any_of(waiting.begin(), waiting.end(), [&](const ReturnAddress& asker) {
      return asker.slot == held.slot && asker.generation == held.generation && asker.session == held.session;
    });
    if (!asked_now)
      return end_subscription(attached, slot, session, news.pattern, error_name::transport,
                              "the broker refuses the topic");
    session.topics.remove(news.pattern);  // it has its answer
    if (session.mailbox) mailboxes_.remove_topic(*session.mailbox, news.pattern);
  });
}

void RingLoop::on_mesh_event(Face& face, const mesh::Incoming& message) {
  if (Peers::reserved(message.routing_key)) {
    // Not for consumers, whatever their patterns match; and another service's gateways are none of our business.
    if (message.routing_key == face.peers.topic())
      face.peers.receive(message.encrypted ? std::string_view() : std::string_view(message.body));
    return;
  }
  face.subscriptions.match(message.routing_key, interested_);
  if (interested_.empty()) return;  // unbound a moment ago
  const auto payload = to_mesh_event(message, face.kind, config_.limits.message_bytes, config_.limits.json_depth,
                                     config_.events.forward_context);
  if (!payload) {
    ++dropped_events_;
    if (const auto left_out = dropped_pause_.due(clock_.now())) {
      log::warning("event dropped",
                   {{"topic", message.routing_key}, {"reason", payload.error().text()}, {"left_out", *left_out}});
    }
    return;
  }
  if (taps_.watching()) [[unlikely]]
    taps_.event(face.kind, message.routing_key, *payload);
  if (mailboxes_.count() > 0) say_event(face.kind, message.routing_key, *payload);
  for (const WorkerId id : interested_) {
    Attached* const attached = find(id);
    if (!attached) continue;
    touch(*attached);
    if (!attached->worker.send(records::Type::mesh_event, 0, *payload)) {
      attached->worker.violate("does not read its events: " + std::to_string(attached->worker.outbox_bytes()) +
                               " bytes wait");
    }
  }
}

}  // namespace nuropb::meshd
