#include "meshd/mesh/service_host.hpp"

#include <cxxabi.h>

#include <algorithm>

#include <cstdlib>
#include <typeinfo>
#include <utility>

#include "common/error_names.hpp"
#include "common/json/scan.hpp"
#include "common/log.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;

constexpr auto answer_retry = milliseconds(5);

std::string type_name(const std::exception& e) {
  int status = 0;
  char* const name = abi::__cxa_demangle(typeid(e).name(), nullptr, nullptr, &status);
  std::string out = status == 0 && name ? name : "exception";
  std::free(name);
  return out;
}

/// What is wrong with a call's parameters, or nothing.
std::optional<std::string> parameter_mistake(const MethodInfo& info, const std::string& method, const json& params) {
  for (const Parameter& parameter : info.parameters) {
    if (parameter.required && !params.contains(parameter.name)) return method + "() is missing its argument '" + parameter.name + "'";
  }
  if (info.any_parameters) return {};
  for (const auto& [name, value] : params.items()) {
    const bool known = std::any_of(info.parameters.begin(), info.parameters.end(), [&](const Parameter& p) { return p.name == name; });
    if (!known) return method + "() has no argument '" + name + "'";
  }
  return {};
}

json describe_method(const MethodInfo& info) {
  json properties = json::array(), required = json::array();
  for (const Parameter& parameter : info.parameters) {
    if (parameter.required) required.push_back(parameter.name);
    properties.push_back(json::array({parameter.name, {{"type", parameter.type}, {"description", parameter.description}, {"default", parameter.fallback}}}));
  }
  return {{"description", info.description},
          {"requires_encryption", false},
          {"parameters", {{"type", "object"}, {"properties", properties}, {"required", required}}}};
}

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

/// What has to be known to answer and acknowledge one message.
struct Reply::State {
  Transport::Sender sender;
  std::string service, method;
  MessageType type;
  std::string correlation_id, reply_to, trace_id;
  std::string context;  // raw JSON
  Delivery delivery;
  bool redelivered;

  enum class Then { ack, reject };
  void answer(std::string_view result, std::string_view error, Then then) {
    if (type != MessageType::request || reply_to.empty()) return settle(sender, delivery, then);
    Outgoing out;
    out.type = MessageType::response;
    out.routing_key = reply_to;
    out.correlation_id = correlation_id;
    out.trace_id = trace_id;
    const std::string trace = nuropb::json::quoted(trace_id);
    out.body = encode_response({result, error, correlation_id, trace, context, "null", ""});
    send(sender, std::move(out), delivery, then);
  }
  /// The answer before the acknowledgement: if we die or stop in between, the request is delivered again rather than
  /// lost. Answers are few enough to be kept (the prefetch bounds them) while the queue is full.
  static void send(const Transport::Sender& sender, Outgoing&& message, Delivery delivery, Then then) {
    if (sender.submit(std::move(message))) return settle(sender, delivery, then);
    // A transport that has stopped drops this, and the message in it.
    auto kept = std::make_shared<Outgoing>(std::move(message));
    sender.post_at(std::chrono::steady_clock::now() + answer_retry, [sender, kept, delivery, then] { send(sender, std::move(*kept), delivery, then); });
  }
  static void settle(const Transport::Sender& sender, Delivery delivery, Then then) {
    if (then == Then::ack) sender.ack(delivery);
    else sender.reject(delivery, false);
  }
  void succeed(std::string_view result) { answer(result, "null", Then::ack); }
  void fail(std::string_view name, std::string_view description) { answer("null", error_json(name, description), Then::reject); }
};

Reply::Reply(std::unique_ptr<State> state) : state_(std::move(state)) {}
Reply::Reply(Reply&&) noexcept = default;
Reply& Reply::operator=(Reply&&) noexcept = default;
Reply::~Reply() {
  if (state_) error(error_name::handling, "method " + state_->method + " ended without an answer");
}

void Reply::result(const nlohmann::json& value) { raw_result(dump(value)); }
void Reply::raw_result(std::string_view json) {
  if (const auto state = std::exchange(state_, nullptr)) state->succeed(json);
}
void Reply::error(std::string_view name, std::string_view description) {
  if (const auto state = std::exchange(state_, nullptr)) state->fail(name, description);
}
void Reply::call_again(std::string_view description) {
  const auto state = std::exchange(state_, nullptr);
  if (!state) return;
  // Once and only once: what comes for the second time is not put back again.
  if (state->redelivered) state->fail(error_name::call_again_reject, description);
  else state->sender.reject(state->delivery, true);
}

ServiceHost::ServiceHost(std::string service_name, std::string version, std::string description)
    : service_name_(std::move(service_name)), version_(std::move(version)), description_(std::move(description)) {
  async_method("nuropb_describe", {.description = "Describes this service and its methods", .parameters = {}, .hidden = true, .any_parameters = true},
               [this](Call, Reply reply) { reply.result(describe()); });
}

void ServiceHost::method(const std::string& name, MethodInfo info, Method handler) {
  async_method(name, std::move(info), [service = service_name_, handler = std::move(handler)](Call call, Reply reply) {
    // Outside of the try: an answer that fails to be sent is not an error of the method.
    std::optional<json> result;
    try {
      result = handler(call);
    } catch (const CallAgain& e) {
      return reply.call_again(e.what());
    } catch (const CallError& e) {
      return reply.error(e.name(), e.what());
    } catch (const std::exception& e) {
      return reply.error(error_name::exception, "Runtime exception calling " + service + "." + call.method + ":" + type_name(e) + ": " + e.what());
    }
    reply.result(*result);
  });
}

void ServiceHost::async_method(const std::string& name, MethodInfo info, AsyncMethod handler) {
  methods_[name] = {std::move(info), std::move(handler), nullptr};
}
void ServiceHost::raw_method(const std::string& name, MethodInfo info, RawMethod handler) {
  methods_[name] = {std::move(info), nullptr, std::move(handler)};
}
void ServiceHost::on_event(EventHandler handler) { on_event_ = std::move(handler); }

void ServiceHost::handle(Transport& transport, Incoming&& message) {
  if (message.type == MessageType::event) return event(transport, message);
  Reply reply(std::make_unique<Reply::State>(Reply::State{transport.sender(), service_name_, {}, message.type, message.correlation_id, message.reply_to,
                                                          message.trace_id, "{}", message.delivery, message.redelivered}));
  if (message.encrypted) return reply.error(error_name::message, "service " + service_name_ + " has no key to decrypt this message with");
  const auto body = decode_call(message.body, message.type);
  if (!body) return reply.error(error_name::message, body.error().text());
  reply.state_->method = body->method;
  reply.state_->context = body->context;
  const auto found = methods_.find(body->method);
  if (found == methods_.end() || body->method.starts_with('_')) return reply.error(error_name::handling, "Unknown method " + body->method);
  call(found->second, *body, std::move(reply), message.type == MessageType::command, message.redelivered);
}

void ServiceHost::call(const Entry& entry, const CallBody& body, Reply reply, bool is_command, bool redelivered) {
  const std::string trace_id = reply.state_->trace_id;
  try {
    if (entry.raw) return reply.raw_result(entry.raw(body.params));
    Call call{body.method, json::parse(body.params), json::parse(body.context), body.correlation_id, trace_id, is_command, redelivered};
    if (const auto mistake = parameter_mistake(entry.info, body.method, call.params)) return reply.error(error_name::handling, *mistake);
    entry.handler(std::move(call), std::move(reply));
  } catch (const CallError& e) {
    reply.error(e.name(), e.what());
  } catch (const std::exception& e) {
    // After an async handler has thrown, its Reply has answered already and this one is empty.
    reply.error(error_name::exception, "Runtime exception calling " + service_name_ + "." + body.method + ":" + type_name(e) + ": " + e.what());
  }
}

void ServiceHost::event(Transport& transport, const Incoming& message) {
  const auto body = decode_event(message.body);
  bool handled = false;
  if (!body) {
    log::warning("event could not be read", {{"topic", message.routing_key}, {"reason", body.error().text()}});
  } else if (on_event_) {
    try {
      on_event_(body->topic, json::parse(body->event), json::parse(body->context));
      handled = true;
    } catch (const CallAgain&) {
      return transport.reject(message.delivery, !message.redelivered);
    } catch (const std::exception& e) {
      log::warning("event handler failed", {{"topic", body->topic}, {"reason", e.what()}});
    }
  }
  if (handled) transport.ack(message.delivery);
  else transport.reject(message.delivery, false);
}

nlohmann::json ServiceHost::describe() const {
  json methods = json::object();
  for (const auto& [name, entry] : methods_) {
    if (!entry.info.hidden && !name.starts_with('_')) methods[name] = describe_method(entry.info);
  }
  return {{"service_name", service_name_}, {"service_version", version_}, {"description", description_}, {"warnings", json::array()},
          {"encrypted_methods", false}, {"public_key", nullptr}, {"methods", methods}};
}

}  // namespace nuropb::mesh
