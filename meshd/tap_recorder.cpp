#include "meshd/tap_recorder.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "common/topic.hpp"

namespace nuropb::meshd {
namespace {

const char* verb_name(records::Type type) {
  switch (type) {
    case records::Type::request: return "request";
    case records::Type::command: return "command";
    case records::Type::describe: return "describe";
    case records::Type::subscribe: return "subscribe";
    case records::Type::unsubscribe: return "unsubscribe";
    default: return "other";
  }
}

Taps::Who who_is(const Session& session) { return {session.id, session.identity.user_id()}; }

}  // namespace

std::optional<AdminSocket::Answer> TapRecorder::start(const std::string& body, std::shared_ptr<Taps::Reader> reader) {
  const auto refuse = [](const std::string& why) {
    return AdminSocket::Answer{false, nlohmann::json{{"error", why}}.dump()};
  };
  if (!allowed_) return refuse("watching messages is disabled (admin.tap)");
  const auto params =
      json::validate(body, nullptr, {8}) ? nlohmann::json() : nlohmann::json::parse(body, nullptr, false);
  const auto text = [&](const char* name) {
    const auto found = params.is_object() ? params.find(name) : params.end();
    return params.is_object() && found != params.end() && found->is_string() ? found->get<std::string>()
                                                                             : std::string();
  };
  Taps::Filter filter{text("user_id"), SessionId::from_hex(text("session_id"))};
  if (filter.user.empty() == !filter.session) return refuse("one of 'user_id', 'session_id' is needed");
  const std::string session = filter.session ? filter.session->hex() : "", user = filter.user;
  taps_.forget_gone();
  if (!taps_.add(std::move(filter), std::move(reader)))
    return refuse("too many operators are watching already (" + std::to_string(Taps::most_readers) + ")");
  log::warning("an operator watches messages of a client", {{"user", user}, {"session", session}});
  return {};
}

void TapRecorder::forget_gone() {
  if (const std::size_t left = taps_.forget_gone(); left > 0)
    log::warning("an operator has stopped watching", {{"operators", left}});
}

void TapRecorder::asked(records::Type type, const records::Request& record, const Session& session,
                        const ReturnAddress& from) {
  if (!taps_.wants(who_is(session))) return;
  nlohmann::json line{{"service", record.service}, {"bytes", record.params.size()}};
  if (type != records::Type::describe) {
    line["method"] = record.method;
    line["params"] = shape_of(record.params);
  }
  taps_.asked(who_is(session), from, verb_name(type), std::move(line), clock_.now());
}

void TapRecorder::asked(records::Type, const records::Event& record, const Session& session,
                        const ReturnAddress& from) {
  if (!taps_.wants(who_is(session))) return;
  taps_.asked(who_is(session), from, "event",
              {{"topic", record.topic}, {"bytes", record.event.size()}, {"event", shape_of(record.event)}},
              clock_.now());
}

void TapRecorder::asked(records::Type type, const records::Subscription& record, const Session& session,
                        const ReturnAddress& from) {
  taps_.asked(who_is(session), from, verb_name(type), {{"topic", record.topic}}, clock_.now());
}

void TapRecorder::asked(records::Type, const records::Authorize&, const Session& session, const ReturnAddress& from) {
  taps_.asked(who_is(session), from, "authorize", nlohmann::json::object(), clock_.now());
}

void TapRecorder::answered(const Returned& returned) {
  const auto record = records::decode<records::Response>(returned.payload);
  if (!record) return;
  ReturnAddress to = returned.to;
  if (to.slot == numbered_worker.slot) {  // the mailbox stores the original address of the request
    const Mailbox* const box = mailboxes_.find(to.session);
    if (!box) return;
    const auto asked = box->pending().find(to.sequence);
    if (asked == box->pending().end()) return;
    to = asked->second.from;
  }
  taps_.answered(to, record->result, record->error, clock_.now());
}

void TapRecorder::pushed(WorkerId worker, const std::string& payload) {
  const auto record = records::decode<records::Push>(payload);
  if (!record) return;
  each_table_([&](WorkerId id, SessionTable& table) {
    if (id != worker) return;
    table.each([&](std::uint32_t slot, const Session& session) {
      if (session.state != SessionState::open || session.handler != record->handler || session.mailbox) return;
      if (!taps_.wants(who_is(session))) return;
      bool meant = record->all;
      for (std::size_t i = 0; !meant && i < record->sessions.size(); ++i)
        meant = record->sessions[i] == records::SessionRef{slot, session.serial};
      if (meant) pushed(session, record->text);
    });
  });
}

void TapRecorder::pushed(const Session& session, std::string_view text) {
  if (taps_.wants(who_is(session)))
    taps_.tell(who_is(session), "out", "push", {{"bytes", text.size()}, {"message", shape_of(text)}});
}

void TapRecorder::event(HandlerKind kind, const std::string& topic, const std::string& payload) {
  const auto record = records::decode<records::MeshEvent>(payload);
  if (!record) return;
  each_table_([&](WorkerId, SessionTable& table) {
    table.each([&](std::uint32_t, const Session& session) {
      if (session.state != SessionState::open || session.handler != kind || !taps_.wants(who_is(session))) return;
      if (std::none_of(session.topics.begin(), session.topics.end(),
                       [&](const std::string& pattern) { return topic_covers(pattern, topic); }))
        return;
      const auto target = nlohmann::json::parse(record->target, nullptr, false);
      if (target.is_array() && std::find(target.begin(), target.end(), session.identity.user_id()) == target.end())
        return;
      taps_.tell(who_is(session), "out", "event",
                 {{"topic", topic}, {"bytes", record->event.size()}, {"event", shape_of(record->event)}});
    });
  });
}

}  // namespace nuropb::meshd
