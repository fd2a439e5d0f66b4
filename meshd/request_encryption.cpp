#include "meshd/request_encryption.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "common/error_names.hpp"
#include "common/ids.hpp"
#include "common/messages.hpp"

namespace nuropb::meshd {
namespace {

tl::unexpected<mesh::ServiceError> error(std::string_view name, std::string description) {
  return tl::unexpected(mesh::ServiceError{std::string(name), std::move(description), false});
}

std::string not_available(const std::string& service, std::string_view method) {
  return "Service " + service + " not available. unable to call method " + std::string(method);
}

}  // namespace

RequestEncryption::RequestEncryption(mesh::RequestKeys keys, mesh::Discovery::Settings settings)
    : keys_(keys), discovery_(settings, [this](const std::string& service) { ask(service); }) {}

void RequestEncryption::add(mesh::Outgoing&& message, std::string_view method, SteadyTime now) {
  now_ = now;
  if (method == mesh::name_of_describe) return send_.push_back(std::move(message));
  if (const auto description = discovery_.known(message.routing_key, now))
    return release(description, std::move(message), method);
  const std::string service = message.routing_key;
  const std::size_t cost = message.body.size() + sizeof(mesh::Outgoing);
  auto waiting = std::make_shared<mesh::Outgoing>(std::move(message));
  discovery_.want(service, now, cost, [this, waiting, method = std::string(method)](const mesh::Described& described) {
    release(described, std::move(*waiting), method);
  });
}

std::vector<RequestEncryption::Refused> RequestEncryption::take_output(std::vector<mesh::Outgoing>& send) {
  if (send.empty()) send.swap(send_);  // the common case, and it reuses the capacity
  std::move(send_.begin(), send_.end(), std::back_inserter(send));
  send_.clear();
  return std::exchange(refused_, {});
}

void RequestEncryption::release(const mesh::Described& described, mesh::Outgoing&& message, std::string_view method) {
  const auto refuse = [&](mesh::ServiceError why) { refused_.push_back({std::move(message), std::move(why)}); };
  if (!described) {
    const std::string& service = message.routing_key;
    const auto& why = described.error();
    if (why.name == error_name::not_delivered) return refuse({why.name, not_available(service, method), false});
    return refuse(
        {why.name, "not sent to " + service + ", because it could not be described: " + why.description, false});
  }
  const auto key = mesh::encryption_key(**described, message.routing_key, method, mesh::Encryption::automatic);
  if (!key) return refuse(key.error());
  if (*key) {
    if (const auto done = mesh::encrypt(message, **key, keys_); !done)
      return refuse({std::string(error_name::handling), "not sent: " + done.error().text(), false});
    if (message.type == MessageType::request && awaited_.size() < max_awaited) {
      awaited_[message.correlation_id] = {message.routing_key, message.deadline.value_or(now_ + mesh::describe_ttl)};
    }
  }
  send_.push_back(std::move(message));
}

void RequestEncryption::ask(const std::string& service) {
  mesh::Outgoing question;
  question.routing_key = service;
  // Not a ReturnAddress, so it cannot be confused with a client's request.
  question.correlation_id = "describe-" + random_hex32();
  question.trace_id = random_hex32();
  question.deadline = now_ + mesh::describe_ttl;
  const std::string trace = json::quoted(question.trace_id);
  question.body =
      encode_call(MessageType::request, {service, mesh::name_of_describe, "{}", question.correlation_id, "{}", trace});
  questions_[question.correlation_id] = {service, *question.deadline};
  send_.push_back(std::move(question));
}

void RequestEncryption::answered(const std::string& correlation_id, SteadyTime now, const mesh::Answer& answer) {
  now_ = now;
  const auto question = questions_.find(correlation_id);
  if (question == questions_.end()) return;
  const std::string service = std::move(question->second.service);
  questions_.erase(question);
  discovery_.answered(service, now, answer);
}

bool RequestEncryption::open(mesh::Incoming& message, SteadyTime now) {
  if (questions_.contains(message.correlation_id)) {
    answered(message.correlation_id, now, mesh::read_answer(message, false, keys_));
    return true;
  }
  const auto awaited = awaited_.extract(message.correlation_id);
  if (!message.encrypted) {
    if (awaited) judge_plain(message, awaited.mapped().service);
    return false;
  }
  const auto key = keys_.of(message.correlation_id);
  auto json = key ? mesh::decrypt_response(message.body, *key) : tl::unexpected(key.error());
  if (json) {
    message.body = std::move(*json);
    message.encrypted = false;
  } else {
    refuse(message, "the response could not be decrypted: " + json.error().text());
    if (awaited) discovery_.forget(awaited.mapped().service);
  }
  return false;
}

/// A plain-text response to an encrypted request: an error is accepted, a result is not (mesh/answer.hpp).
void RequestEncryption::judge_plain(mesh::Incoming& message, const std::string& service) {
  const mesh::Answer answer = mesh::read_answer(message, true, keys_);
  if (mesh::description_may_be_old(answer)) discovery_.forget(service);
  const auto body = decode_response(message.body);
  if (body && body->error == "null") refuse(message, answer.error().description);
}

void RequestEncryption::refuse(mesh::Incoming& message, const std::string& why) const {
  message.body =
      encode_response({"null", error_json(error_name::message, why), message.correlation_id, "null", "{}", "null", ""});
  message.encrypted = false;
}

bool RequestEncryption::open(mesh::Report& report, SteadyTime now) {
  if (const auto question = questions_.find(report.correlation_id); question != questions_.end()) {
    switch (report.outcome) {
      case mesh::Outcome::confirmed: break;
      case mesh::Outcome::not_delivered:
        answered(report.correlation_id, now,
                 error(error_name::not_delivered, not_available(report.routing_key, mesh::name_of_describe)));
        break;
      case mesh::Outcome::expired:
        answered(report.correlation_id, now, error(error_name::timeout, "it could not be queried in time"));
        break;
      default: answered(report.correlation_id, now, error(error_name::transport, report.detail));
    }
    return true;
  }
  if (report.encrypted && report.outcome != mesh::Outcome::confirmed) awaited_.erase(report.correlation_id);
  if (!report.encrypted || report.returned_body.empty()) return false;
  if (const auto key = keys_.of(report.correlation_id)) {
    if (auto json = mesh::decrypt_returned(report.returned_body, *key)) report.returned_body = std::move(*json);
  }
  return false;
}

void RequestEncryption::give_up(const std::string& why, SteadyTime now) {
  std::vector<std::string> open;
  for (const auto& [correlation_id, question] : questions_) open.push_back(correlation_id);
  for (const std::string& correlation_id : open) answered(correlation_id, now, error(error_name::transport, why));
}

void RequestEncryption::tick(SteadyTime now) {
  std::vector<std::string> late;
  for (const auto& [correlation_id, question] : questions_) {
    if (question.deadline <= now) late.push_back(correlation_id);
  }
  for (const std::string& correlation_id : late)
    answered(correlation_id, now, error(error_name::timeout, "it did not answer in time"));
  if (now < next_look_) return;
  next_look_ = now + std::chrono::seconds(1);
  // nuropb 0.1.8 sends no response to a request that it cannot decrypt, so the next request fetches the service's key
  // again.
  std::erase_if(awaited_, [&](const auto& entry) {
    if (entry.second.deadline > now) return false;
    discovery_.forget(entry.second.service);
    return true;
  });
}

}  // namespace nuropb::meshd
