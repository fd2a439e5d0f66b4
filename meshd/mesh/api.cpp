#include "meshd/mesh/api.hpp"

#include <algorithm>
#include <unordered_map>

#include "common/error_names.hpp"
#include "common/ids.hpp"
#include "common/log.hpp"
#include "common/log_pause.hpp"
#include "meshd/mesh/deadlines.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;

std::string text(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

constexpr std::size_t question_cost = 256;                          // what a caller that waits for a description costs
constexpr milliseconds longest_ttl = std::chrono::hours(24 * 365);  // an unlimited ttl must not overflow the clock

SteadyTime now() { return std::chrono::steady_clock::now(); }

tl::unexpected<ServiceError> error(std::string_view name, std::string description, bool outcome_unknown = false) {
  return tl::unexpected(ServiceError{std::string(name), std::move(description), outcome_unknown});
}

/// A future together with the callback that completes it.
template <class Value>
std::pair<std::future<Value>, std::function<void(Value)>> promised() {
  auto promise = std::make_shared<std::promise<Value>>();
  return {promise->get_future(), [promise](Value value) { promise->set_value(std::move(value)); }};
}

}  // namespace

struct Api::Impl {
  struct Pending {
    std::string service, method;
    OnAnswer on_answer;
    bool encrypted = false;
    Deadlines::Place deadline{};
  };

  Impl(TransportSettings settings, RequestKeys request_keys)
      : keys(request_keys),
        discovery({.max_waiting_bytes = settings.queued_bytes, .max_waiting_for_one = settings.queued_bytes},
                  [this](const std::string& service) { ask_for_description(service); }),
        transport(std::move(settings),
                  {.on_response = [this](Incoming&& m) { on_response(std::move(m)); },
                   .on_service_message = [this](Incoming&& m) { on_service_message(std::move(m)); },
                   .on_report = [this](Report&& r) { on_report(std::move(r)); },
                   .on_state =
                       [this](State state, const std::string& detail) {
                         if (state == State::stopped) end_all(detail);
                       },
                   .on_batch_end = nullptr}) {}

  void on_response(Incoming&& message) {
    transport.ack(message.delivery);
    finish(message.correlation_id, [&](const Pending& asked) {
      Answer answer = read_answer(message, asked.encrypted, keys);
      if (description_may_be_old(answer)) discovery.forget(asked.service);
      return answer;
    });
  }

  void on_service_message(Incoming&& message) {
    if (host) host->handle(transport, std::move(message));
    else transport.reject(message.delivery, false);
  }

  void on_report(Report&& report) {
    if (report.outcome == Outcome::confirmed) return;
    if (report.type == MessageType::command) return command_lost(report.routing_key, report.detail);
    finish(report.correlation_id, [&](const Pending& asked) -> Answer {
      switch (report.outcome) {
        case Outcome::not_delivered: return not_delivered(asked.service, asked.method);
        case Outcome::expired: return timed_out(asked);
        case Outcome::unknown:
          return error(error_name::transport,
                       "the connection was lost while the request was being sent: " + report.detail, true);
        default: return error(error_name::transport, "not sent: " + report.detail);
      }
    });
  }

  static tl::unexpected<ServiceError> not_delivered(const std::string& service, const std::string& method) {
    return error(error_name::not_delivered, "Service " + service + " not available. unable to call method " + method);
  }
  static tl::unexpected<ServiceError> timed_out(const Pending& asked) {
    return error(error_name::timeout, "no answer from " + asked.service + "." + asked.method + " in time");
  }

  /// No one waits for the outcome of a command, so failures are logged, at a limited rate.
  void command_lost(const std::string& where, const std::string& why) {
    const std::lock_guard lock(mutex);
    if (const auto left_out = log_pause.due(now()))
      log::warning("a command did not reach its service",
                   {{"command", where}, {"reason", why}, {"left_out", *left_out}});
  }

  /// Ends a request unless it has already ended: some services send a second response.
  template <class MakeAnswer>
  void finish(const std::string& correlation_id, MakeAnswer&& make) {
    Pending done;
    {
      const std::lock_guard lock(mutex);
      const auto found = pending.find(correlation_id);
      if (found == pending.end()) return;
      done = std::move(found->second);
      deadlines.remove(done.deadline);
      pending.erase(found);
    }
    done.on_answer(make(done));
  }

  void add(const std::string& id, Pending&& asked, SteadyTime deadline) {
    const std::lock_guard lock(mutex);
    asked.deadline = deadlines.add(deadline, id);
    pending[id] = std::move(asked);
    set_timer();
  }

  void set_timer() {  // mutex is held
    if (const auto when = deadlines.timer()) transport.post_at(*when, [this, timer = *when] { time_out(timer); });
  }

  void time_out(SteadyTime timer) {
    std::vector<std::string> late;
    {
      const std::lock_guard lock(mutex);
      late = deadlines.fired(timer, now());
    }
    for (const std::string& id : late) {
      finish(id, [&](const Pending& asked) {
        // nuropb 0.1.8 sends no response to a request that it cannot decrypt, so the next request fetches the key
        // again.
        if (asked.encrypted) discovery.forget(asked.service);
        return timed_out(asked);
      });
    }
    const std::lock_guard lock(mutex);
    set_timer();
  }

  /// Ends all pending requests with an error.
  void end_all(const std::string& why) {
    std::unordered_map<std::string, Pending> left;
    {
      const std::lock_guard lock(mutex);
      left.swap(pending);
      deadlines.clear();
    }
    for (auto& [id, waiting] : left) {
      waiting.on_answer(
          error(error_name::transport, "no answer arrived before the connection ended permanently: " + why, true));
    }
  }

  static Outgoing to_outgoing(MessageType type, const std::string& service, const std::string& method,
                              const json& params, const CallOptions& options) {
    Outgoing out;
    out.type = type;
    out.routing_key = service;
    out.correlation_id = random_hex32();
    out.trace_id = options.trace_id.empty() ? random_hex32() : options.trace_id;
    out.priority = options.priority;
    out.deadline = now() + std::clamp(options.ttl, milliseconds(0), longest_ttl);
    const std::string trace = nuropb::json::quoted(out.trace_id), raw_params = text(params),
                      context = text(options.context);
    out.body = encode_call(type, {service, method, raw_params, out.correlation_id, context, trace});
    return out;
  }

  using NotSent = std::function<void(ServiceError)>;
  /// Encrypts if necessary and submits, at once or when the service's description has arrived. Either the message is
  /// submitted or `not_sent` is called, exactly once; neither happens for a request that has ended meanwhile.
  void send(Outgoing&& message, std::string method, Encryption encryption, NotSent not_sent) {
    if (encryption == Encryption::never || method == name_of_describe)
      return submit(std::move(message), std::nullopt, not_sent);
    if (const auto description = discovery.known(message.routing_key, now())) {
      return send_as_described(description, std::move(message), method, encryption, not_sent);
    }
    const std::string service = message.routing_key;
    const std::size_t cost = message.body.size() + sizeof(Outgoing);
    auto waiting = std::make_shared<Outgoing>(std::move(message));
    discovery.want(service, now(), cost,
                   [this, waiting, method = std::move(method), encryption, not_sent](const Described& described) {
                     send_as_described(described, std::move(*waiting), method, encryption, not_sent);
                   });
  }

  void send_as_described(const Described& described, Outgoing&& message, const std::string& method,
                         Encryption encryption, const NotSent& not_sent) {
    if (!described) {
      if (described.error().name == error_name::not_delivered)
        return not_sent(not_delivered(message.routing_key, method).value());
      // Whatever the reason, the message itself was not sent.
      return not_sent({described.error().name,
                       "not sent, because the service could not be described: " + described.error().description,
                       false});
    }
    const auto key = encryption_key(**described, message.routing_key, method, encryption);
    if (!key) return not_sent(key.error());
    submit(std::move(message), *key, not_sent);
  }

  void submit(Outgoing&& message, const std::optional<PublicKey>& key, const NotSent& not_sent) {
    const std::string service = message.routing_key;
    if (message.type == MessageType::request) {
      const std::lock_guard lock(mutex);
      const auto asked = pending.find(message.correlation_id);
      if (asked == pending.end()) return;
      asked->second.encrypted = key.has_value();
    }
    if (key) {
      if (const auto done = encrypt(message, *key, keys); !done)
        return not_sent({std::string(error_name::handling), "not sent: " + done.error().text(), false});
    }
    if (!transport.submit(std::move(message)))
      not_sent({std::string(error_name::transport), service + ": too much is waiting to be sent", false});
  }

  void request(const std::string& service, const std::string& method, const json& params, const CallOptions& options,
               OnAnswer on_answer) {
    Outgoing message = to_outgoing(MessageType::request, service, method, params, options);
    const std::string id = message.correlation_id;
    add(id, {service, method, std::move(on_answer)}, *message.deadline);
    send(std::move(message), method, options.encryption, [this, id](ServiceError why) {
      finish(id, [&](const Pending&) -> Answer { return tl::unexpected(std::move(why)); });
    });
  }

  void ask_for_description(const std::string& service) {
    CallOptions options;
    options.ttl = describe_ttl;
    request(service, std::string(name_of_describe), json::object(), options,
            [this, service](const Answer& answer) { discovery.answered(service, now(), answer); });
  }

  RequestKeys keys;
  Discovery discovery;
  std::mutex mutex;
  std::unordered_map<std::string, Pending> pending;  // guarded by mutex
  Deadlines deadlines;                               // guarded by mutex; of correlation ids
  log::Pause log_pause{std::chrono::seconds(10)};    // guarded by mutex
  ServiceHost* host = nullptr;
  Transport transport;  // last, because its thread uses all of the above
};

Api::Api(TransportSettings settings, RequestKeys keys) : impl_(std::make_unique<Impl>(std::move(settings), keys)) {}
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

void Api::request(const std::string& service, const std::string& method, const nlohmann::json& params,
                  CallOptions options, OnAnswer on_answer) {
  impl_->request(service, method, params, options, std::move(on_answer));
}

std::future<Answer> Api::request(const std::string& service, const std::string& method, const nlohmann::json& params,
                                 CallOptions options) {
  auto [future, on_answer] = promised<Answer>();
  impl_->request(service, method, params, options, std::move(on_answer));
  return std::move(future);
}

Result<void> Api::command(const std::string& service, const std::string& method, const nlohmann::json& params,
                          CallOptions options) {
  // The caller gets only errors that are known before this call returns; later ones are logged.
  struct Calling {
    std::mutex mutex;
    bool returned = false;
    std::optional<ServiceError> error;
  };
  auto calling = std::make_shared<Calling>();
  const std::string where = service + "." + method;
  impl_->send(Impl::to_outgoing(MessageType::command, service, method, params, options), method, options.encryption,
              [impl = impl_.get(), calling, where](const ServiceError& why) {
                const std::lock_guard lock(calling->mutex);
                if (calling->returned) impl->command_lost(where, why.description);
                else calling->error = why;
              });
  const std::lock_guard lock(calling->mutex);
  calling->returned = true;
  if (calling->error) return failure(calling->error->description, where);
  return {};
}

Result<void> Api::publish_event(const std::string& topic, const nlohmann::json& event, CallOptions options) {
  Outgoing out;
  out.type = MessageType::event;
  out.routing_key = topic;
  out.correlation_id = random_hex32();
  out.trace_id = options.trace_id.empty() ? random_hex32() : options.trace_id;
  out.priority = options.priority;
  const std::string trace = nuropb::json::quoted(out.trace_id), raw = text(event), context = text(options.context),
                    target = text(options.target);
  out.body = encode_event({topic, raw, context, out.correlation_id, trace, target});
  if (!impl_->transport.submit(std::move(out))) return failure("too much is waiting to be sent", "event " + topic);
  return {};
}

std::future<Answer> Api::describe(const std::string& service, bool refresh) {
  auto [future, fulfil] = promised<Answer>();
  impl_->discovery.want(
      service, now(), question_cost,
      [ready = std::move(fulfil)](const Described& described) {
        if (!described) ready(tl::unexpected(described.error()));
        else if ((*described)->undescribed) ready(tl::unexpected(*(*described)->undescribed));
        else ready((*described)->document);
      },
      refresh);
  return std::move(future);
}

std::future<Api::YesOrNo> Api::requires_encryption(const std::string& service, const std::string& method) {
  auto [future, fulfil] = promised<YesOrNo>();
  impl_->discovery.want(service, now(), question_cost,
                        [service, method, ready = std::move(fulfil)](const Described& described) {
                          if (!described) return ready(tl::unexpected(described.error()));
                          const auto found = (*described)->methods.find(method);
                          if (found == (*described)->methods.end())
                            ready(error(error_name::handling, "Method " + method + " not found on service " + service));
                          else ready(found->second);
                        });
  return std::move(future);
}

std::future<Api::YesOrNo> Api::has_public_key(const std::string& service) {
  auto [future, fulfil] = promised<YesOrNo>();
  impl_->discovery.want(service, now(), question_cost, [ready = std::move(fulfil)](const Described& described) {
    if (!described) ready(tl::unexpected(described.error()));
    else ready((*described)->public_key.has_value());
  });
  return std::move(future);
}

Transport& Api::transport() { return impl_->transport; }

}  // namespace nuropb::mesh
