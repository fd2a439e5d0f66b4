#include "meshd/snorky/chat.hpp"

#include <array>
#include <ctime>

#include "meshd/snorky/value.hpp"

namespace nuropb::meshd::snorky {

Outcome ChatService::run(const Call& call) {
  json::Slice raw, body;
  const bool sending = call.command == "send";
  if (!sending && call.command != "join" && call.command != "leave" && call.command != "read")
    return Outcome::failed(text::unknown_command);
  if (sending ? !bind(call.params, {{"channel", &raw}, {"body", &body}}) : !bind(call.params, {{"channel", &raw}}))
    return Outcome::failed(text::invalid_params);
  if (call.command == "join" && call.caller.user.empty()) return Outcome::failed("Not authenticated");
  if (raw.text.size() > max_channel) return Outcome::failed(text::channel_too_long);
  const std::string channel = canonical(raw.text);
  if (call.command == "join") return join(call, raw.text, channel);
  if (call.command == "read") return read(call, raw.text, channel);
  if (!sockets_.contains(channel, call.caller.session)) return Outcome::failed("Not joined");
  if (sending) return send(call, raw.text, channel, body.text);
  leave(call.caller.session, std::string(call.caller.user), channel);
  return Outcome::drops(channel);
}

Outcome ChatService::join(const Call& call, std::string_view raw, const std::string& channel) {
  const std::string user(call.caller.user);
  if (sockets_.contains(channel, call.caller.session))
    return call.restoring ? Outcome::keeps(channel) : Outcome::failed("Already joined");
  if (sockets_.count(call.caller.session) >= limits_.per_session)
    return Outcome::failed(too_many("channels", limits_.per_session));
  Place& place = places_.try_emplace(channel, Place{std::string(raw)}).first->second;
  // Like the original, notifies the existing members before adding the new one.
  if (!place.by_user.contains(user) && !call.restoring) tell_presence(channel, place, user, "joined");
  place.by_user[user].insert(call.caller.session);
  sockets_.add(channel, call.caller.session);
  users_[call.caller.session] = user;
  Outcome out = Outcome::keeps(channel);
  out.data = "{\"members\":[";
  for (bool first = true; const auto& [member, sockets] : place.by_user) {
    if (out.data.size() > limits_.answer_bytes) break;  // further members become visible when they write
    if (!first) out.data += ',';
    json::append_quoted(out.data, member);
    first = false;
  }
  out.data += "]}";
  return out;
}

void ChatService::leave(const SessionRef& session, const std::string& user, const std::string& channel) {
  sockets_.remove(channel, session);
  if (sockets_.count(session) == 0) users_.erase(session);
  const auto found = places_.find(channel);
  if (found == places_.end()) return;
  const auto own = found->second.by_user.find(user);
  if (own == found->second.by_user.end()) return;
  own->second.erase(session);
  if (!own->second.empty()) return;  // still in the channel with another socket
  found->second.by_user.erase(own);
  if (found->second.by_user.empty()) places_.erase(found);
  else tell_presence(channel, found->second, user, "left");
}

Outcome ChatService::send(const Call& call, std::string_view raw, const std::string& channel, std::string_view body) {
  std::string members = ",\"from\":";
  json::append_quoted(members, call.caller.user);
  members.append(",\"channel\":")
      .append(raw)
      .append(",\"body\":")
      .append(body)
      .append(",\"timestamp\":")
      .append(timestamp());
  if (!outlet_.notify(*sockets_.members(channel), notification("message", members)))
    return Outcome::failed(text::too_large);
  return {};
}

Outcome ChatService::read(const Call& call, std::string_view raw, const std::string& channel) {
  const auto place = places_.find(channel);
  if (place == places_.end()) return {};
  const auto own = place->second.by_user.find(call.caller.user);
  if (own == place->second.by_user.end() || call.caller.user.empty()) return {};
  Sessions others = own->second;
  others.erase(call.caller.session);
  std::string members = ",\"channel\":";
  members.append(raw).append(",\"timestamp\":").append(timestamp());
  if (!others.empty()) outlet_.notify(others, notification("read", members));
  return {};
}

void ChatService::on_session_closed(const SessionRef& session) {
  const auto known = users_.find(session);
  if (known == users_.end()) return;
  const std::string user = known->second;
  users_.erase(known);
  for (const std::string& channel : sockets_.remove_all(session)) leave(session, user, channel);
}

void ChatService::tell_presence(const std::string& channel, const Place& place, std::string_view user,
                                std::string_view status) {
  const Sessions* const to = sockets_.members(channel);
  if (!to) return;
  std::string members = ",\"from\":";
  json::append_quoted(members, user);
  members.append(",\"channel\":")
      .append(place.raw)
      .append(",\"status\":\"")
      .append(status)
      .append("\",\"timestamp\":")
      .append(timestamp());
  outlet_.notify(*to, notification("presence", members));
}

std::string ChatService::timestamp() const {
  const auto now = now_();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(now));
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(now - std::chrono::floor<std::chrono::seconds>(now))
          .count();
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "\"%04d-%02d-%02dT%02d:%02d:%02d.%06d+00:00\"", utc.tm_year + 1900,
                utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, static_cast<int>(micros));
  return text.data();
}

}  // namespace nuropb::meshd::snorky
