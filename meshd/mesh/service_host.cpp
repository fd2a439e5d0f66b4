#include "meshd/mesh/service_host.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <typeinfo>
#include <utility>

#include "common/error_names.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;

std::string type_name(const std::exception& e) {
  int status = 0;
  char* const name = abi::__cxa_demangle(typeid(e).name(), nullptr, nullptr, &status);
  std::string out = status == 0 && name ? name : "exception";
  std::free(name);
  return out;
}

/// Runs a handler; an exception ends the call, if it has not ended.
template <class Handler>
void guard(Reply& reply, const std::string& calling, Handler&& handler) {
  try {
    handler();
  } catch (const CallAgain& e) { reply.call_again(e.what()); } catch (const CallError& e) {
    reply.error(e.name(), e.what());
  } catch (const std::exception& e) {
    reply.error(error_name::exception, "Runtime exception calling " + calling + ":" + type_name(e) + ": " + e.what());
  } catch (...) {
    reply.error(error_name::exception, "Runtime exception calling " + calling + ": not a std::exception");
  }
}

}  // namespace

/// Why a message is not passed to a handler.
struct ServiceHost::Refused {
  Refusal reason;
  std::string_view error;
  std::string description;
};

ServiceHost::ServiceHost(std::string service_name, std::string version, std::string description)
    : service_name_(std::move(service_name)), version_(std::move(version)), description_(std::move(description)) {
  method("nuropb_describe",
         {.description = "Describes this service and its methods", .hidden = true, .any_parameters = true},
         [this](const Call&) { return describe(); });
}

void ServiceHost::add(const std::string& name, Entry entry) {
  check_declaration(name, entry.info);
  if (!methods_.emplace(name, std::move(entry)).second)
    throw std::invalid_argument("method '" + name + "' is declared twice");
}

void ServiceHost::method(const std::string& name, MethodInfo info, Method handler) {
  add(name, {.info = std::move(info), .plain = std::move(handler)});
}
void ServiceHost::async_method(const std::string& name, MethodInfo info, AsyncMethod handler) {
  add(name, {.info = std::move(info), .async = std::move(handler)});
}
void ServiceHost::raw_method(const std::string& name, MethodInfo info, RawMethod handler) {
  add(name, {.info = std::move(info), .raw = std::move(handler)});
}
void ServiceHost::use_key(PrivateKey key) { key_ = std::move(key); }
void ServiceHost::on_event(EventHandler handler) { on_event_ = std::move(handler); }

Reply ServiceHost::reply_to(const Transport::Sender& sender, const Incoming& message) const {
  return Reply(
      std::make_unique<Reply::State>(Reply::State{sender, message.type, message.correlation_id, message.reply_to,
                                                  message.trace_id, message.delivery, message.redelivered}));
}

void ServiceHost::refuse(Reply& reply, const Incoming& message, const Refused& why) {
  refusals_.note(why.reason, why.description, message.routing_key, message.correlation_id);
  reply.error(why.error, why.description);
}

void ServiceHost::handle(const Transport::Sender& sender, Incoming&& message) {
  Reply reply = reply_to(sender, message);
  // Bodies of events are never encrypted, although the Python peer marks those published by an encrypted call as
  // encrypted.
  if (message.type == MessageType::event) return event(message, std::move(reply));
  if (message.encrypted && !decrypt(message, reply)) return;
  call(message, std::move(reply));
}

/// Replaces the body by its plain text, and arranges that the response is encrypted with the same key.
bool ServiceHost::decrypt(Incoming& message, Reply& reply) {
  const auto refused = [&](std::string why) {
    refuse(reply, message, {Refusal::encryption, error_name::message, std::move(why)});
  };
  if (!key_) {
    refused("service " + service_name_ + " has no key to decrypt this message with");
    return false;
  }
  auto opened = decrypt_request(message.body, *key_);
  if (!opened) {
    refused(opened.error().text());
    return false;
  }
  message.body = std::move(opened->json);
  reply.state_->seal = [key = opened->key, own = key_->public_key()](std::string_view json) {
    return encrypt_response(json, key, own);
  };
  return true;
}

void ServiceHost::call(const Incoming& message, Reply reply) {
  const auto body = decode_call(message.body, message.type);
  if (!body) return refuse(reply, message, {Refusal::body, error_name::message, body.error().text()});
  reply.state_->name = body->method;
  reply.state_->context = body->context;
  const auto found = methods_.find(body->method);
  if (found == methods_.end())
    return refuse(reply, message, {Refusal::method, error_name::handling, "Unknown method " + reply.state_->name});
  // If a message has no context, the view points to a static default.
  const bool has_context =
      body->context.data() >= message.body.data() && body->context.data() < message.body.data() + message.body.size();
  guard(reply, service_name_ + "." + reply.state_->name,
        [&] { run(found->second, *body, has_context, message, reply); });
}

/// Checks the call against its declaration (the table in the header) and runs it.
void ServiceHost::run(const Entry& entry, const CallBody& body, bool has_context, const Incoming& message,
                      Reply& reply) {
  const MethodInfo& info = entry.info;
  const std::string method(body.method);
  const auto refused = [&](Refusal reason, std::string_view error, std::string description) {
    refuse(reply, message, {reason, error, std::move(description)});
  };
  if (info.requires_encryption && !message.encrypted)
    return refused(Refusal::encryption, error_name::message, method + "() requires encryption and came unencrypted");
  if (info.needs_context && !has_context)
    return refused(Refusal::parameters, error_name::validation, method + "() needs a context");
  if (entry.raw && !info.authorize) return reply.raw_result(entry.raw(body.params));

  Call call{method,
            json::parse(body.params, nullptr, false),
            json::parse(body.context, nullptr, false),
            nullptr,
            message.correlation_id,
            message.trace_id,
            message.type == MessageType::command,
            message.redelivered,
            message.encrypted,
            std::make_shared<KeptEvents>(),
            message.reply_to};
  // Valid JSON that cannot be represented as a tree: a number beyond a double, half a surrogate pair.
  if (call.params.is_discarded())
    return refused(Refusal::body, error_name::message, "member 'params' can't be represented here");
  if (call.context.is_discarded())
    return refused(Refusal::body, error_name::message, "member 'context' can't be represented here");
  if (info.authorize) {
    const auto token = call.context.find(info.context_token_key);
    if (token == call.context.end() || !token->is_string()) {
      return refused(Refusal::identity, error_name::authentication,
                     "the context has no token '" + info.context_token_key + "', which " + method + "() needs");
    }
    try {
      call.claims = info.authorize(token->get_ref<const std::string&>());
    } catch (const CallError& e) { return refused(Refusal::identity, e.name(), e.what()); }
    if (call.claims.is_null())
      return refused(Refusal::identity, error_name::authorization,
                     "the token is not one that " + method + "() accepts");
  }
  if (entry.raw) return reply.raw_result(entry.raw(body.params));
  if (const auto mistake = accept_parameters(info, method, call.params))
    return refused(Refusal::parameters, error_name::validation, *mistake);
  reply.state_->events = call.events;
  if (entry.plain) return reply.success(entry.plain(call));
  entry.async(std::move(call), std::move(reply));
}

void ServiceHost::event(const Incoming& message, Reply reply) {
  const auto body = decode_event(message.body);
  if (!body) return refuse(reply, message, {Refusal::body, error_name::message, body.error().text()});
  reply.state_->name = body->topic;
  reply.state_->context = body->context;
  guard(reply, "the handler of event " + reply.state_->name, [&] {
    Event event{std::string(body->topic),
                json::parse(body->event, nullptr, false),
                json::parse(body->target, nullptr, false),
                json::parse(body->context, nullptr, false),
                message.correlation_id,
                message.trace_id,
                message.redelivered,
                std::make_shared<KeptEvents>()};
    if (event.payload.is_discarded() || event.target.is_discarded() || event.context.is_discarded()) {
      return refuse(reply, message, {Refusal::body, error_name::message, "a member can't be represented here"});
    }
    if (!on_event_) return reply.error(error_name::handling, "this service has no event handler");
    reply.state_->events = event.events;
    on_event_(event);
    reply.raw_result("null");
  });
}

json ServiceHost::describe() const {
  json methods = json::object(), warnings = json::array(), public_key = nullptr;
  bool encrypted = false;
  for (const auto& [name, entry] : methods_) {
    if (entry.info.hidden) continue;
    methods[name] = description_of(entry.info);
    encrypted = encrypted || entry.info.requires_encryption;
  }
  if (encrypted && key_) public_key = key_->public_key().pem();
  if (encrypted && !key_) warnings.push_back("Service has encrypted methods but no private key has been set.");
  return {{"service_name", service_name_},
          {"service_version", version_},
          {"description", description_},
          {"warnings", warnings},
          {"encrypted_methods", encrypted},
          {"public_key", public_key},
          {"methods", methods}};
}

}  // namespace nuropb::mesh
