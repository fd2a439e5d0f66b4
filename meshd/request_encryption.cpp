#include "meshd/request_encryption.hpp"

#include <memory>

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
  if (method == mesh::name_of_describe) return output_.send.push_back(std::move(message));
  if (const auto description = discovery_.known(message.routing_key, now)) return release(description, std::move(message), method);
  const std::string service = message.routing_key;
  const std::size_t cost = message.body.size() + sizeof(mesh::Outgoing);
  auto waiting = std::make_shared<mesh::Outgoing>(std::move(message));
  discovery_.want(service, now, cost, [this, waiting, method = std::string(method)](const mesh::Described& described) {
    release(described, std::move(*waiting), method);
  });
}

void RequestEncryption::release(const mesh::Described& described, mesh::Outgoing&& message, std::string_view method) {
  const auto refuse = [&](mesh::ServiceError why) { output_.refused.push_back({std::move(message), std::move(why)}); };
  if (!described) {
    const std::string& service = message.routing_key;
    const auto& why = described.error();
    if (why.name == error_name::not_delivered) return refuse({why.name, not_available(service, method), false});
    return refuse({why.name, "not sent to " + service + ", because it could not be described: " + why.description, false});
  }
  const auto key = mesh::encryption_key(**described, message.routing_key, method, mesh::Encryption::automatic);
  if (!key) return refuse(key.error());
  if (*key) {
    if (const auto done = mesh::encrypt(message, **key, keys_); !done) return refuse({std::string(error_name::handling), "not sent: " + done.error().text(), false});
  }
  output_.send.push_back(std::move(message));
}

void RequestEncryption::ask(const std::string& service) {
  mesh::Outgoing question;
  question.routing_key = service;
  question.correlation_id = "describe-" + random_hex32();  // no ReturnAddress: it can't be taken for a consumer's
  question.trace_id = random_hex32();
  question.deadline = now_ + mesh::describe_ttl;
  const std::string trace = json::quoted(question.trace_id);
  question.body = encode_call(MessageType::request, {service, std::string(mesh::name_of_describe), "{}", question.correlation_id, "{}", trace});
  questions_[question.correlation_id] = {service, *question.deadline};
  output_.send.push_back(std::move(question));
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
  if (!message.encrypted) return false;
  const auto key = keys_.of(message.correlation_id);
  auto json = key ? mesh::decrypt_response(message.body, *key) : tl::unexpected(key.error());
  message.body = json ? std::move(*json)
                      : encode_response({"null", error_json(error_name::message, "the response could not be decrypted: " + json.error().text()),
                                         message.correlation_id, "null", "{}", "null", ""});
  message.encrypted = false;
  return false;
}

bool RequestEncryption::open(mesh::Report& report, SteadyTime now) {
  if (const auto question = questions_.find(report.correlation_id); question != questions_.end()) {
    switch (report.outcome) {
      case mesh::Outcome::confirmed: break;
      case mesh::Outcome::not_delivered: answered(report.correlation_id, now, error(error_name::not_delivered, not_available(report.routing_key, mesh::name_of_describe))); break;
      case mesh::Outcome::expired: answered(report.correlation_id, now, error(error_name::timeout, "it was not asked in time")); break;
      default: answered(report.correlation_id, now, error(error_name::transport, report.detail));
    }
    return true;
  }
  if (!report.encrypted || report.returned_body.empty()) return false;
  if (const auto key = keys_.of(report.correlation_id)) {
    if (auto json = mesh::decrypt_returned(report.returned_body, *key)) report.returned_body = std::move(*json);
  }
  return false;
}

void RequestEncryption::tick(SteadyTime now) {
  std::vector<std::string> late;
  for (const auto& [correlation_id, question] : questions_) {
    if (question.deadline <= now) late.push_back(correlation_id);
  }
  for (const std::string& correlation_id : late) answered(correlation_id, now, error(error_name::timeout, "it did not answer in time"));
}

}  // namespace nuropb::meshd
