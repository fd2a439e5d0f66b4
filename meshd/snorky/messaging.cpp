#include "meshd/snorky/messaging.hpp"

#include "meshd/snorky/value.hpp"

namespace nuropb::meshd::snorky {
namespace {

constexpr std::size_t max_participant = 1024;  // the maximum length of a user id

std::optional<std::string> text_of(json::Slice value) {
  if (value.kind != json::Kind::string || value.text.size() > 6 * max_participant) return {};
  std::string out = json::unescape(value);
  return out.size() <= max_participant ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

Outcome MessagingService::run(const Call& call) {
  if (call.command == "registerParticipant") return register_participant(call);
  if (call.command == "unregisterParticipant") return unregister_participant(call);
  if (call.command == "listParticipants") return bind(call.params, {}) ? list() : Outcome::failed(text::invalid_params);
  if (call.command == "send") return send(call);
  return Outcome::failed(text::unknown_command);
}

Outcome MessagingService::register_participant(const Call& call) {
  json::Slice raw;
  if (!bind(call.params, {{"name", &raw}})) return Outcome::failed(text::invalid_params);
  auto name = text_of(raw);
  const auto taken = name ? participants_.find(*name) : participants_.end();
  if (taken != participants_.end()) {
    return call.restoring && taken->second == call.caller.session ? Outcome::keeps(std::move(*name))
                                                                  : Outcome::failed("Name already registered");
  }
  if (!name || (names_ == Names::user && (call.caller.user.empty() || *name != call.caller.user)))
    return Outcome::failed("Name not allowed");
  auto& own = by_session_[call.caller.session];
  if (own.size() >= limits_.per_session) return Outcome::failed(too_many("names", limits_.per_session));
  own.insert(*name);
  participants_.emplace(*name, call.caller.session);
  return Outcome::keeps(std::move(*name));
}

Outcome MessagingService::unregister_participant(const Call& call) {
  json::Slice raw;
  if (!bind(call.params, {{"name", &raw}})) return Outcome::failed(text::invalid_params);
  const auto name = text_of(raw);
  const auto found = name ? participants_.find(*name) : participants_.end();
  if (found == participants_.end()) return Outcome::failed("Unknown participant");
  if (found->second != call.caller.session) return Outcome::failed("Invalid participant");
  participants_.erase(found);
  const auto own = by_session_.find(call.caller.session);
  own->second.erase(*name);
  if (own->second.empty()) by_session_.erase(own);
  return Outcome::drops(*name);
}

Outcome MessagingService::list() const {
  Outcome out;
  out.data = "[";
  for (const auto& [name, session] : participants_) {
    if (out.data.size() > limits_.answer_bytes) return Outcome::failed("More participants than fit into one answer");
    if (out.data.size() > 1) out.data += ',';
    json::append_quoted(out.data, name);
  }
  out.data += ']';
  return out;
}

Outcome MessagingService::send(const Call& call) {
  json::Slice raw_sender, raw_dest, body;
  if (!bind(call.params, {{"sender", &raw_sender}, {"dest", &raw_dest}, {"body", &body}}))
    return Outcome::failed(text::invalid_params);
  const auto sender = text_of(raw_sender), dest = text_of(raw_dest);
  const auto from = sender ? participants_.find(*sender) : participants_.end();
  if (from == participants_.end() || from->second != call.caller.session) return Outcome::failed("Invalid sender");
  const auto to = dest ? participants_.find(*dest) : participants_.end();
  if (to == participants_.end()) return Outcome::failed("Unknown destination");
  std::string members = ",\"sender\":";
  members.append(raw_sender.text).append(",\"dest\":").append(raw_dest.text).append(",\"body\":").append(body.text);
  if (!outlet_.notify({to->second}, notification("message", members))) return Outcome::failed(text::too_large);
  return {};
}

void MessagingService::on_session_closed(const SessionRef& session) {
  const auto own = by_session_.find(session);
  if (own == by_session_.end()) return;
  for (const std::string& name : own->second) participants_.erase(name);
  by_session_.erase(own);
}

}  // namespace nuropb::meshd::snorky
