#include "meshd/snorky/pub_sub.hpp"

#include "meshd/snorky/value.hpp"

namespace nuropb::meshd::snorky {

void PubSubService::call(const Call& call, const Answer& answer) { answer(run(call)); }

Outcome PubSubService::run(const Call& call) {
  json::Slice channel, message;
  const bool publishing = call.command == "publish";
  if (!publishing && call.command != "subscribe" && call.command != "unsubscribe")
    return Outcome::failed(text::unknown_command);
  if (publishing ? !bind(call.params, {{"channel", &channel}, {"message", &message}})
                 : !bind(call.params, {{"channel", &channel}})) {
    return Outcome::failed(text::invalid_params);
  }
  if (publishing) {
    if (!may_publish(call.caller, channel.text)) return Outcome::failed(text::not_authorized);
    return Outcome::failed(publish(channel.text, message.text));  // an empty text means success
  }
  if (channel.text.size() > max_channel) return Outcome::failed(text::channel_too_long);
  std::string name = canonical(channel.text);
  if (call.command == "unsubscribe") {
    if (!channels_.remove(name, call.caller.session)) return Outcome::failed("Not subscribed");
    return Outcome::drops(std::move(name));
  }
  if (channels_.contains(name, call.caller.session))
    return call.restoring ? Outcome::keeps(std::move(name)) : Outcome::failed("Already subscribed");
  if (channels_.count(call.caller.session) >= limits_.per_session)
    return Outcome::failed(too_many("channels", limits_.per_session));
  channels_.add(name, call.caller.session);
  return Outcome::keeps(std::move(name));
}

bool PubSubService::may_publish(const Caller& caller, std::string_view channel) const {
  switch (publish_) {
    case Publish::all: return true;
    case Publish::backend: return false;
    case Publish::policy:
      return caller.policy && channel.size() <= max_channel &&
             caller.policy->allows(Use::publish, name(), as_text(channel));
  }
  return false;
}

std::string PubSubService::publish(std::string_view channel, std::string_view message) {
  if (channel.size() > max_channel) return text::channel_too_long;
  if (!deliver(channel, message)) return text::too_large;
  std::string body = "{\"channel\":";
  body.append(channel).append(",\"message\":").append(message).append("}");
  outlet_.tell_peers(name(), body);
  return {};
}

void PubSubService::on_peer(std::string_view body) {
  json::Slice channel, message;
  if (bind(body, {{"channel", &channel}, {"message", &message}}) && channel.text.size() <= max_channel)
    deliver(channel.text, message.text);
}

bool PubSubService::deliver(std::string_view channel, std::string_view message) {
  const Sessions* const to = channels_.members(canonical(channel));
  if (!to) return true;
  std::string members = ",\"channel\":";
  members.append(channel).append(",\"message\":").append(message);
  return outlet_.notify(*to, notification("message", members));
}

void PubSubBackend::call(const Call& call, const Answer& answer) {
  json::Slice channel, message;
  if (call.command != "publish") return answer(Outcome::failed(text::unknown_command));
  if (!bind(call.params, {{"channel", &channel}, {"message", &message}}))
    return answer(Outcome::failed(text::invalid_params));
  answer(Outcome::failed(frontend_.publish(channel.text, message.text)));
}

}  // namespace nuropb::meshd::snorky
