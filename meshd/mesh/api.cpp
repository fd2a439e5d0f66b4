#include "meshd/mesh/api.hpp"

#include <map>
#include <unordered_map>

#include "common/error_names.hpp"
#include "common/ids.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;

std::string text(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

Answer to_answer(const Incoming& message) {
  const auto refuse = [](const std::string& why) { return tl::unexpected(ServiceError{std::string(error_name::message), why, false}); };
  if (message.encrypted) return refuse("the response is encrypted, but the request was not");
  const auto body = decode_response(message.body);
  if (!body) return refuse(body.error().text());
  const json error = json::parse(body->error, nullptr, false);
  if (error.is_object()) {
    const auto member = [&](const char* name) { return error.contains(name) && error[name].is_string() ? error[name].get<std::string>() : std::string(); };
    return tl::unexpected(ServiceError{member("error"), member("description"), member("outcome") == "unknown"});
  }
  json result = json::parse(body->result, nullptr, false);
  if (result.is_discarded()) return refuse("the result can't be represented here");
  return result;
}

}  // namespace

struct Api::Impl {
  using Deadlines = std::multimap<SteadyTime, std::string>;  // to correlation ids
  struct Pending {
    std::string service, method;
    OnAnswer on_answer;
    Deadlines::iterator deadline{};
  };

  explicit Impl(TransportSettings settings)
      : transport(std::move(settings),
                  {.on_response = [this](Incoming&& m) { on_response(std::move(m)); },
                   .on_service_message = [this](Incoming&& m) { on_service_message(std::move(m)); },
                   .on_report = [this](Report&& r) { on_report(std::move(r)); },
                   .on_state = [this](State state, const std::string& detail) { if (state == State::stopped) end_all(detail); },
                   .on_batch_end = nullptr}) {}

  void on_response(Incoming&& message) {
    transport.ack(message.delivery);
    finish(message.correlation_id, [&](const Pending&) { return to_answer(message); });
  }

  void on_service_message(Incoming&& message) {
    if (host) host->handle(transport, std::move(message));
    else transport.reject(message.delivery, false);
  }

  void on_report(Report&& report) {
    if (report.outcome == Outcome::confirmed) return;
    finish(report.correlation_id, [&](const Pending& asked) -> Answer {
      switch (report.outcome) {
        case Outcome::not_delivered:
          return error(error_name::not_delivered, "Service " + asked.service + " not available. unable to call method " + asked.method);
        case Outcome::expired: return timed_out(asked);
        case Outcome::unknown: return tl::unexpected(ServiceError{std::string(error_name::transport), "the connection was lost while the request was being sent: " + report.detail, true});
        default: return error(error_name::transport, "not sent: " + report.detail);
      }
    });
  }

  static tl::unexpected<ServiceError> error(std::string_view name, std::string description) {
    return tl::unexpected(ServiceError{std::string(name), std::move(description), false});
  }
  static tl::unexpected<ServiceError> timed_out(const Pending& asked) {
    return error(error_name::timeout, "no answer from " + asked.service + "." + asked.method + " in time");
  }

  /// Ends a request, if it has not ended before: the second answer of services that send one finds nobody.
  template <class MakeAnswer>
  void finish(const std::string& correlation_id, MakeAnswer&& make) {
    Pending done;
    {
      const std::lock_guard lock(mutex);
      const auto found = pending.find(correlation_id);
      if (found == pending.end()) return;
      done = std::move(found->second);
      deadlines.erase(done.deadline);
      pending.erase(found);
    }
    done.on_answer(make(done));
  }

  void add(const std::string& id, Pending&& asked, SteadyTime deadline) {
    const std::lock_guard lock(mutex);
    asked.deadline = deadlines.emplace(deadline, id);
    pending[id] = std::move(asked);
    arm();
  }

  /// One timer, for the earliest deadline: most requests are answered long before theirs.
  void arm() {  // under mutex
    if (deadlines.empty() || deadlines.begin()->first >= armed) return;
    armed = deadlines.begin()->first;
    transport.post_at(armed, [this] { time_out(); });
  }

  void time_out() {
    std::vector<std::string> late;
    {
      const std::lock_guard lock(mutex);
      const auto now = std::chrono::steady_clock::now();
      for (auto at = deadlines.begin(); at != deadlines.end() && at->first <= now; ++at) late.push_back(at->second);
    }
    for (const std::string& id : late) finish(id, [](const Pending& asked) { return timed_out(asked); });
    const std::lock_guard lock(mutex);
    armed = SteadyTime::max();
    arm();
  }

  /// Whoever still waits is told so rather than left.
  void end_all(const std::string& why) {
    std::unordered_map<std::string, Pending> left;
    {
      const std::lock_guard lock(mutex);
      left.swap(pending);
      deadlines.clear();
    }
    for (auto& [id, waiting] : left) {
      waiting.on_answer(tl::unexpected(ServiceError{std::string(error_name::transport), "no answer came before the connection ended for good: " + why, true}));
    }
  }

  Result<void> send(MessageType type, const std::string& service, const std::string& method, const json& params,
                    const CallOptions& options, const std::string& correlation_id) {
    Outgoing out;
    out.type = type;
    out.routing_key = service;
    out.correlation_id = correlation_id;
    out.trace_id = options.trace_id.empty() ? random_hex32() : options.trace_id;
    out.priority = options.priority;
    out.deadline = std::chrono::steady_clock::now() + options.ttl;
    const std::string trace = nuropb::json::quoted(out.trace_id), raw_params = text(params), context = text(options.context);
    out.body = encode_call(type, {service, method, raw_params, correlation_id, context, trace});
    if (!transport.submit(std::move(out))) return failure("too much is waiting to be sent", service + "." + method);
    return {};
  }

  std::mutex mutex;
  std::unordered_map<std::string, Pending> pending;  // under mutex
  Deadlines deadlines;                               // under mutex
  SteadyTime armed = SteadyTime::max();              // under mutex: when the timer that was posted runs
  ServiceHost* host = nullptr;
  Transport transport;  // last: its thread uses all of the above
};

Api::Api(TransportSettings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}
Api::~Api() { stop(); }

void Api::serve(ServiceHost& host) { impl_->host = &host; }

Result<void> Api::start(milliseconds timeout) {
  impl_->transport.start();
  return impl_->transport.wait_ready(timeout);
}

void Api::stop() {
  impl_->transport.stop();
  impl_->end_all("stopped");
}

void Api::request(const std::string& service, const std::string& method, const nlohmann::json& params, CallOptions options, OnAnswer on_answer) {
  const std::string id = random_hex32();
  const auto deadline = std::chrono::steady_clock::now() + options.ttl;
  impl_->add(id, {service, method, std::move(on_answer)}, deadline);
  if (const auto sent = impl_->send(MessageType::request, service, method, params, options, id); !sent) {
    impl_->finish(id, [&](const Impl::Pending&) { return Impl::error(error_name::transport, sent.error().text()); });
  }
}

std::future<Answer> Api::request(const std::string& service, const std::string& method, const nlohmann::json& params, CallOptions options) {
  auto promise = std::make_shared<std::promise<Answer>>();
  auto future = promise->get_future();
  request(service, method, params, std::move(options), [promise](Answer answer) { promise->set_value(std::move(answer)); });
  return future;
}

Result<void> Api::command(const std::string& service, const std::string& method, const nlohmann::json& params, CallOptions options) {
  return impl_->send(MessageType::command, service, method, params, options, random_hex32());
}

Result<void> Api::publish_event(const std::string& topic, const nlohmann::json& event, CallOptions options) {
  Outgoing out;
  out.type = MessageType::event;
  out.routing_key = topic;
  out.correlation_id = random_hex32();
  out.trace_id = options.trace_id.empty() ? random_hex32() : options.trace_id;
  out.priority = options.priority;
  const std::string trace = nuropb::json::quoted(out.trace_id), raw = text(event), context = text(options.context);
  out.body = encode_event({topic, raw, context, out.correlation_id, trace, "null"});
  if (!impl_->transport.submit(std::move(out))) return failure("too much is waiting to be sent", "event " + topic);
  return {};
}

std::future<Answer> Api::describe(const std::string& service) { return request(service, "nuropb_describe", json::object()); }

Transport& Api::transport() { return impl_->transport; }

}  // namespace nuropb::mesh
