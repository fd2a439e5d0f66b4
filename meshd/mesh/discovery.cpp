#include "meshd/mesh/discovery.hpp"

#include "common/error_names.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;

constexpr std::size_t largest_description = 1U << 20;

tl::unexpected<ServiceError> no_description(std::string_view name, std::string description) {
  return tl::unexpected(ServiceError{std::string(name), std::move(description), false});
}

/// Anything except an explicit false: if the meaning of a value is unknown, encrypting is safer.
bool required(const json& method) {
  const auto found = method.find("requires_encryption");
  return found != method.end() && !found->is_null() && *found != false;
}

}  // namespace

Described read_description(const std::string& service, const Answer& answer) {
  auto out = std::make_shared<Description>();
  if (!answer) {
    if (answer.error().name != error_name::handling) return tl::unexpected(answer.error());
    out->undescribed = answer.error();
    out->bytes = service.size() + sizeof(Description);
    return out;
  }
  const json& document = *answer;
  if (!document.is_object())
    return no_description(error_name::message, "Invalid service_info returned for service " + service);
  out->bytes = document.dump(-1, ' ', false, json::error_handler_t::replace).size();
  if (out->bytes > largest_description) {
    return no_description(error_name::message, "the description of service " + service + " has " +
                                                   std::to_string(out->bytes) + " bytes, more than " +
                                                   std::to_string(largest_description));
  }
  out->bytes += service.size() + sizeof(Description);
  out->document = document;
  if (const auto methods = document.find("methods"); methods != document.end() && methods->is_object()) {
    for (const auto& [name, method] : methods->items()) out->methods[name] = method.is_object() && required(method);
  }
  if (const auto pem = document.find("public_key"); pem != document.end() && pem->is_string() && *pem != "") {
    auto key = PublicKey::from_pem(pem->get_ref<const std::string&>());
    if (key) out->public_key = std::move(*key);
    else out->key_problem = key.error().text();
  }
  return out;
}

tl::expected<std::optional<PublicKey>, ServiceError> encryption_key(const Description& described,
                                                                    const std::string& service, std::string_view method,
                                                                    Encryption wanted) {
  const auto found = described.methods.find(method);
  const bool encrypted = wanted == Encryption::always ||
                         (wanted == Encryption::automatic && found != described.methods.end() && found->second);
  if (!encrypted) return std::nullopt;
  if (described.public_key) return described.public_key;
  return no_description(error_name::handling,
                        "Service public key not found for service: " + service +
                            (described.key_problem.empty() ? "" : " (" + described.key_problem + ")"));
}

Result<void> encrypt(Outgoing& message, const PublicKey& service, const RequestKeys& keys) {
  const auto key = keys.of(message.correlation_id);
  if (!key) return tl::unexpected(key.error());
  auto body = encrypt_request(message.body, *key, service);
  if (!body) return tl::unexpected(body.error());
  message.body = std::move(*body);
  message.encrypted = true;
  return {};
}

std::shared_ptr<const Description> Discovery::known(const std::string& service, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(service);
  if (found == entries_.end()) return nullptr;
  found->second.used = now;
  return found->second.expires > now ? found->second.believed(now) : nullptr;
}

void Discovery::want(const std::string& service, SteadyTime now, std::size_t cost, Ready ready, bool refresh) {
  std::shared_ptr<const Description> description;
  bool room = true, ask = false;
  {
    const std::lock_guard lock(mutex_);
    auto found = entries_.find(service);
    if (!refresh && found != entries_.end()) description = found->second.believed(now);
    if (!description) {
      const std::size_t of_this = found == entries_.end() ? 0 : found->second.waiting_bytes;
      const auto fits = [cost](std::size_t waiting, std::size_t most) {
        return waiting == 0 || waiting + cost <= most;
      };
      room = fits(waiting_bytes_, settings_.max_waiting_bytes) && fits(of_this, settings_.max_waiting_for_one) &&
             (found != entries_.end() || make_room(settings_.max_services - 1));
    }
    if (room && found == entries_.end()) found = entries_.try_emplace(service).first;
    if (room) found->second.used = now;
    if (description) {
      ask = found->second.expires <= now && !std::exchange(found->second.asking, true);
    } else if (room) {
      found->second.queue(refresh).emplace_back(cost, std::move(ready));
      waiting_bytes_ += cost;
      found->second.waiting_bytes += cost;
      ask = !std::exchange(found->second.asking, true);
    }
  }
  // NOLINTNEXTLINE(bugprone-use-after-move): it was moved only if there is room and no description
  if (description) ready(std::move(description));
  else if (!room)
    ready(no_description(error_name::transport, "not sent: too many messages are waiting for service descriptions"));
  if (ask) ask_(service);
}

void Discovery::answered(const std::string& service, SteadyTime now, const Answer& answer) {
  Described described = read_description(service, answer);
  std::unique_lock lock(mutex_);
  const auto found = entries_.find(service);
  if (found == entries_.end() || !found->second.asking || found->second.telling) return;
  Entry& entry = found->second;  // the entry is not removed while `asking`
  const bool silent =
      !described && (described.error().name == error_name::timeout || described.error().name == error_name::transport);
  if (described) {
    bytes_ -= entry.description ? entry.description->bytes : 0;
    bytes_ += (*described)->bytes;
    entry.description = *described;
    entry.expires = now + settings_.ttl;
    entry.ends = now + settings_.max_age;
  } else if (silent && entry.description && entry.ends > now) {
    // The service did not respond, so its earlier description stays valid for a while.
    described = entry.description;
    entry.expires = now + settings_.retry;
  }
  // Callers that arrive while earlier ones are being notified are queued behind them, so one thread's messages keep their
  // order. But a caller that was told about a failure and retries triggers a new request.
  entry.telling = true;
  entry.failed = !described;
  while (!entry.waiting.empty()) {
    const auto waiting = std::exchange(entry.waiting, {});
    for (const auto& [cost, ready] : waiting) {
      waiting_bytes_ -= cost;
      entry.waiting_bytes -= cost;
    }
    lock.unlock();
    for (const auto& [cost, ready] : waiting) ready(described);
    lock.lock();
  }
  entry.telling = false;
  if (!entry.waiting_anew.empty()) {
    entry.waiting.swap(entry.waiting_anew);
    lock.unlock();
    return ask_(service);
  }
  entry.asking = false;
  if (!described || !entry.description) drop(entries_.find(service));
  (void)make_room(settings_.max_services);
}

void Discovery::forget(const std::string& service) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(service);
  if (found == entries_.end()) return;
  if (!found->second.asking) return drop(found);
  bytes_ -= found->second.description ? found->second.description->bytes : 0;
  found->second.description.reset();
}

std::size_t Discovery::services() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void Discovery::drop(Entries::iterator entry) {
  bytes_ -= entry->second.description ? entry->second.description->bytes : 0;
  entries_.erase(entry);
}

/// Evicts the least recently used entries until at most `most` services are left. Returns false if that is impossible
/// because too many are being requested.
bool Discovery::make_room(std::size_t most) {
  while (entries_.size() > most || bytes_ > settings_.max_bytes) {
    auto oldest = entries_.end();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (!at->second.asking && (oldest == entries_.end() || at->second.used < oldest->second.used)) oldest = at;
    }
    if (oldest == entries_.end()) return false;
    drop(oldest);
  }
  return true;
}

}  // namespace nuropb::mesh
