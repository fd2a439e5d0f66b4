#include "meshd/snorky/hub.hpp"

#include <array>

#include "common/error_names.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"
#include "meshd/snorky/chat.hpp"

namespace nuropb::meshd::snorky {

Result<std::optional<Hub::Parts>> Hub::parts(const Config& config) {
  if (config.snorky.path.empty() && config.backend.key_file.empty()) return std::optional<Parts>();
  Parts parts;
  auto services = config.snorky.services_file.empty() ? Result<Services>(default_services())
                                                      : load_services(config.snorky.services_file);
  if (!services) return tl::unexpected(services.error());
  parts.services = std::move(*services);
  if (!config.backend.key_file.empty()) {
    auto keys = BackendKeys::load(config.backend.key_file);
    if (!keys) return tl::unexpected(keys.error());
    parts.keys = std::move(*keys);
  }
  parts.max_message = config.limits.message_bytes;
  parts.json_depth = config.limits.json_depth;
  parts.channels_per_session = config.snorky.channels_per_session;
  return std::optional<Parts>(std::move(parts));
}

Hub::Hub(Parts parts, Outlet& outlet)
    : keys_(std::move(parts.keys)), max_message_(parts.max_message), json_limits_{parts.json_depth} {
  const ServiceLimits limits{parts.channels_per_session, parts.max_message / 2};
  for (const ServiceSettings& service : parts.services.frontend) {
    switch (service.kind) {
      case ServiceSettings::Kind::pub_sub:
        frontend_.add(std::make_unique<PubSubService>(service.name, service.publish, limits, outlet));
        break;
      case ServiceSettings::Kind::messaging:
        frontend_.add(std::make_unique<MessagingService>(service.name, service.names, limits, outlet));
        break;
      case ServiceSettings::Kind::chat:
        frontend_.add(std::make_unique<ChatService>(service.name, limits, outlet));
        break;
    }
  }
  for (const BackendSettings& service : parts.services.backend) {
    if (auto* frontend = dynamic_cast<PubSubService*>(frontend_.find(service.frontend)))
      backend_.add(std::make_unique<PubSubBackend>(service.name, *frontend));
  }
}

bool Hub::honest(std::string_view call_id, std::string_view params) const {
  return (call_id.empty() || !json::validate(call_id, nullptr, json_limits_)) &&
         !json::validate(params, nullptr, json_limits_);
}

std::string Hub::answer_text(std::string_view service, std::string_view call_id, const Outcome& outcome) const {
  std::string out = encode_answer(service, call_id, outcome);
  if (out.size() > max_message_ + records::max_error)
    out = encode_answer(service, call_id, Outcome::failed("The answer is too large"));
  return out;
}

bool Hub::consumer_call(const records::SnorkyCall& call, const Caller& caller,
                        std::function<void(ConsumerAnswer)> done) {
  if (!honest(call.call_id, call.params)) return false;
  Service* const service = frontend_.find(call.service);
  if (!service) {
    done({{}, {}, answer_text(call.service, call.call_id, Outcome::failed("Unknown service"))});
    return true;
  }
  // The call that the edge may have to replay is copied now, because a service may answer later.
  std::string standing = call.params.size() <= records::max_standing / 2
                             ? encode_call(call.service, call.command, call.params)
                             : std::string();
  service->call({caller, call.command, call.params, call.restoring},
                [this, name = std::string(call.service), call_id = std::string(call.call_id),
                 standing = std::move(standing), done = std::move(done)](Outcome outcome) {
                  ConsumerAnswer answer{{}, {}, answer_text(name, call_id, outcome)};
                  if (outcome.standing != Outcome::Standing::nothing) {
                    answer.key = name + '\0' + outcome.key;
                    if (outcome.standing == Outcome::Standing::keep) answer.call = standing;
                    // Without being stored at the edge the call does not survive a restart of meshd, which is better
                    // than a record that the edge cannot read.
                    const bool fits =
                        answer.key.size() <= records::max_standing && answer.call.size() <= records::max_standing;
                    if (!fits || (outcome.standing == Outcome::Standing::keep && answer.call.empty()))
                      answer.key.clear(), answer.call.clear();
                  }
                  done(std::move(answer));
                });
  return true;
}

bool Hub::backend_call(const records::BackendCall& call, std::function<void(HttpAnswer)> done) {
  const bool only_the_key = call.service.empty();
  if (!only_the_key && !honest(call.call_id, call.params)) return false;
  const BackendKeys::Owner* const key = keys_ ? keys_->judge(call.key) : nullptr;
  if (!key) {
    done({401, error_json(error_name::authentication, "Invalid API key"), {}});
    return true;
  }
  if (only_the_key) {
    done({204, "", {}});
    return true;
  }
  Service* const service = backend_.find(call.service);
  if (!service) {
    done({404, error_json(error_name::handling, "Unknown service " + std::string(call.service)), {}});
    return true;
  }
  if (const auto why = key->scope.refuses(call.service, call.command, call.params)) {
    done({403, error_json(error_name::authorization, *why), key->name});
    return true;
  }
  Caller caller;
  caller.backend = key->name;
  service->call({caller, call.command, call.params, false},
                [this, name = std::string(call.service), call_id = std::string(call.call_id), done = std::move(done)](
                    const Outcome& outcome) { done({200, answer_text(name, call_id, outcome), {}}); });
  return true;
}

void Hub::on_peer(std::string_view text) {
  std::array<json::Field, 2> fields{{{"service"}, {"body"}}};
  json::Slice root;
  if (json::scan(text, fields, &root, json_limits_) || root.kind != json::Kind::object) return;
  const auto& [name, body] = fields;
  if (name.value.kind != json::Kind::string || !body.value.present()) return;
  if (Service* const service = frontend_.find(json::unescape(name.value))) service->on_peer(body.value.text);
}

std::string Hub::encode_peer(std::string_view service, std::string_view body) {
  std::string out = "{\"service\":";
  json::append_quoted(out, service);
  return out.append(",\"body\":").append(body).append("}");
}

Result<void> Hub::reload() { return keys_ ? keys_->reload() : Result<void>(); }

}  // namespace nuropb::meshd::snorky
