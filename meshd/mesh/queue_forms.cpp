#include "meshd/mesh/queue_forms.hpp"

namespace nuropb::mesh {
namespace {

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// RabbitMQ 4: "received 'classic' but current is 'quorum'"; 3.10 also: "received none but current is the value
/// 'quorum' of type 'longstr'" and "… but current is none". Returns the current value, "" for "none", and nothing if
/// the text has another form.
std::optional<std::string> current_value(std::string_view said) {
  constexpr std::string_view before = "but current is ";
  const auto at = said.find(before);
  if (at == std::string_view::npos) return {};
  std::string_view rest = said.substr(at + before.size());
  if (rest.starts_with("none")) return "";
  const auto open = rest.find('\'');
  if (open == std::string_view::npos) return {};
  rest.remove_prefix(open + 1);
  const auto close = rest.find('\'');
  if (close == std::string_view::npos) return {};
  return std::string(rest.substr(0, close));
}

}  // namespace

bool other_argument(std::string_view said) { return said.starts_with("406 ") && has(said, "inequivalent arg 'x-"); }

bool QueueForms::denies_transient(std::string_view said) {
  return said.starts_with("541 ") && has(said, "transient_nonexcl_queues");
}

amqp::QueueOptions QueueForms::dead_letter() const {
  amqp::QueueOptions out;
  out.passive = letters_as_they_are_;
  if (out.passive || wanted_ == DeadLetterQueue::transient ||
      (wanted_ == DeadLetterQueue::automatic && !transient_denied_))
    return out;
  out.durable = true;
  out.type = "classic";
  out.max_length = most_letters;
  out.max_bytes = most_letter_bytes;
  out.message_ttl = letters_live;
  return out;
}

amqp::QueueOptions QueueForms::service(std::string dead_letter_exchange) const {
  amqp::QueueOptions out{true, std::move(dead_letter_exchange), {}};
  out.type = service_type_;
  return out;
}

std::optional<std::string> QueueForms::dead_letter_refused(std::string_view said) {
  if (denies_transient(said)) {
    if (transient_denied_ || wanted_ != DeadLetterQueue::automatic) return {};
    transient_denied_ = true;
    return "the broker forbids transient queues that are not exclusive, so the dead-letter queue is durable and "
           "bounded "
           "there; services of the Python package nuropb 0.1.8 can't connect to this broker before "
           "deprecated_features.permit.transient_nonexcl_queues = true is in its configuration";
  }
  if (said.starts_with("406 ") && !letters_as_they_are_) {
    letters_as_they_are_ = true;
    return "the dead-letter queue exists with other properties and is used unchanged";
  }
  if (said.starts_with("404 ") && letters_as_they_are_) {
    letters_as_they_are_ = false;
    return "the existing dead-letter queue was deleted and is declared again";
  }
  return {};
}

std::optional<std::string> QueueForms::service_refused(std::string_view said) {
  if (!other_argument(said) || !has(said, "'x-queue-type'")) return {};
  const auto there = current_value(said);
  if (!there || *there == service_type_) return {};
  if (!there->empty() && *there != "classic" && *there != "quorum") return {};
  service_type_ = *there;
  return "the service queue exists with " + (there->empty() ? "no named type" : "the type " + *there) +
         ", and is used unchanged; a queue keeps its type until it is deleted";
}

}  // namespace nuropb::mesh
