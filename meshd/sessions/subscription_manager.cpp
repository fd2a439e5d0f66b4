#include "meshd/sessions/subscription_manager.hpp"

#include <algorithm>

#include "common/error_names.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"
#include "common/topic.hpp"

namespace nuropb::meshd {

void SubscriptionManager::subscribe(const records::Subscription& record, Session& session, const ReturnAddress& from) {
  if (session.topics.contains(record.topic))
    return responses_.respond(done(from));  // when it takes effect, the first request is told
  if (Peers::reserved(record.topic) || !session.policy.allows_topic(Use::subscribe, record.topic)) {
    return refuse(from, error_name::authorization,
                  "Topic " + std::string(record.topic) + ": " + std::string(may_not_subscribe));
  }
  if (session.topics.size() >= settings_.subscriptions_per_session) {
    ++quotas_.refused().subscriptions;
    return responses_.respond(over_limit(from, "more than " + std::to_string(settings_.subscriptions_per_session) +
                                                   " subscriptions (events.subscriptions_per_session)"));
  }
  if (const auto problem = pattern_problem(canonical_pattern(record.topic)))
    return refuse(from, error_name::validation, "Topic " + std::string(record.topic) + " " + *problem);
  const std::string_view user = session.identity.user_id();
  if (!quotas_.may_subscribe(user, record.topic)) {
    return responses_.respond(over_limit(from, "this user has more than " + std::to_string(quotas_.patterns().limit()) +
                                                   " subscriptions (events.subscriptions_per_user)"));
  }
  session.topics.add(record.topic, quotas_.patterns(), user);
  Face& face = faces_.of(session);
  switch (face.subscriptions.add(record.topic, from)) {
    case Subscriptions::Added::bound: return responses_.respond(done(from));
    case Subscriptions::Added::waiting: return;
    case Subscriptions::Added::first: break;
  }
  const auto added = face.spellings.add(record.topic);
  if (added.state == PatternSpellings::State::wait) return;
  if (added.state == PatternSpellings::State::bound) return on_spelling(face, {std::string(record.topic), {}});
  if (const auto asked = face.manager.subscribe(added.canonical); !asked)
    on_pattern(face, {added.canonical, asked.error().text()});
}

void SubscriptionManager::unsubscribe(const records::Subscription& record, Session& session,
                                      const ReturnAddress& from) {
  if (session.topics.remove(record.topic)) {
    sender_.forget_topic(session, record.topic);
    Face& face = faces_.of(session);
    const auto removed = face.subscriptions.remove(record.topic, from);
    if (removed.last) release(face, record.topic);
    for (const ReturnAddress& asker : removed.waiting) responses_.respond(done(asker));
  }
  responses_.respond(done(from));
}

void SubscriptionManager::forget_all(WorkerId worker, std::uint32_t slot, Session& session) {
  Face& face = faces_.of(session);
  for (const std::string& topic : session.topics) {
    if (face.subscriptions.remove(topic, sender_.holder(worker, slot, session)).last) release(face, topic);
    sender_.forget_topic(session, topic);
  }
  session.topics.clear();
}

void SubscriptionManager::forget(WorkerId worker, std::uint32_t slot, Session& session, const std::string& topic) {
  if (!session.topics.remove(topic)) return;
  sender_.forget_topic(session, topic);
  Face& face = faces_.of(session);
  if (face.subscriptions.remove(topic, sender_.holder(worker, slot, session)).last) release(face, topic);
}

void SubscriptionManager::reconsider(Worker* attached, WorkerId worker, std::uint32_t slot, Session& session) {
  const auto topics = session.topics.copy();
  for (const std::string& topic : topics) {
    if (session.policy.allows_topic(Use::subscribe, topic)) continue;
    Face& face = faces_.of(session);
    const auto removed = face.subscriptions.remove(topic, sender_.holder(worker, slot, session));
    if (removed.last) release(face, topic);
    for (const ReturnAddress& asker : removed.waiting) refuse(asker, error_name::authorization, may_not_subscribe);
    end(attached, slot, session, topic, error_name::authorization, may_not_subscribe);
  }
}

void SubscriptionManager::move(Session& session, const ReturnAddress& from, const ReturnAddress& to) {
  for (const std::string& topic : session.topics) faces_.of(session).subscriptions.move(topic, from, to);
}

void SubscriptionManager::end(Worker* attached, std::uint32_t slot, Session& session, const std::string& topic,
                              std::string_view error, std::string_view why) {
  session.topics.remove(topic);
  sender_.end_subscription(attached, slot, session, topic,
                           error_json(error, "Topic " + topic + ": " + std::string(why.substr(0, 512))));
}

void SubscriptionManager::on_pattern(Face& face, const ServiceMeshManager::Pattern& news) {
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

/// The same for one of the ways in which sessions have written the pattern.
void SubscriptionManager::on_spelling(Face& face, const ServiceMeshManager::Pattern& news) {
  if (news.refused.empty()) {
    for (const ReturnAddress& asker : face.subscriptions.bound(news.pattern)) responses_.respond(done(asker));
    return;
  }
  if (const auto left_out = refused_pause_.due(clock_.now())) {
    log::warning("the broker refuses a topic",
                 {{"topic", news.pattern}, {"reason", news.refused}, {"left_out", *left_out}});
  }
  const auto waiting = face.subscriptions.refused(news.pattern);
  for (const ReturnAddress& asker : waiting)
    refuse(asker, error_name::transport, "the broker refuses the topic: " + news.refused);
  sessions_.each([&](Worker* attached, WorkerId worker, std::uint32_t slot, Session& session) {
    if (session.handler != face.kind || !session.topics.contains(news.pattern)) return;
    const ReturnAddress held = sender_.holder(worker, slot, session);
    const bool asked_now = std::any_of(waiting.begin(), waiting.end(), [&](const ReturnAddress& asker) {
      return asker.slot == held.slot && asker.generation == held.generation && asker.session == held.session;
    });
    if (!asked_now)
      return end(attached, slot, session, news.pattern, error_name::transport, "the broker refuses the topic");
    session.topics.remove(news.pattern);  // its request has been answered
    sender_.forget_topic(session, news.pattern);
  });
}

void SubscriptionManager::release(Face& face, std::string_view pattern) {
  if (const auto canonical = face.spellings.remove(pattern)) face.manager.unsubscribe(*canonical);
}

}  // namespace nuropb::meshd
