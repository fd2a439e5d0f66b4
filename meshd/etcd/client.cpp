#include "meshd/etcd/client.hpp"

namespace nuropb::etcd {
namespace {

constexpr std::size_t max_answer = 1U << 20;
constexpr auto for_ever = std::chrono::hours(24 * 365);  // a watch ends with its connection, or when it is cancelled

bool token_refused(const std::string& reason) {
  return reason.find("invalid auth token") != std::string::npos || reason.find("auth: revision") != std::string::npos;
}

}  // namespace

Result<std::vector<WatchEvent>> Watch::next() {
  for (;;) {
    auto line = stream_->next_line(for_ever);
    if (!line) return tl::unexpected(line.error());
    if (!*line) return failure("etcd has ended the watch", where_);
    if ((*line)->empty()) continue;
    auto events = read_watch_line(**line, keys_);
    if (!events) {
      events.error().where = where_;
      return events;
    }
    if (!events->empty()) return events;  // otherwise the line confirms the watch, or is a progress notification
  }
}

Client::Client(Settings settings, const std::string& prefix) : settings_(std::move(settings)), keys_(Keys::of(prefix)) {
  for (const auto& url : settings_.urls)
    members_.push_back(std::make_unique<http::Client>(http::Client::Settings{url, settings_.tls, max_answer}));
}

void Client::cancel() {
  for (const auto& each : members_) each->cancel();
}

http::Request Client::request(const std::string& path, std::string body) const {
  http::Request out{"POST", path, std::move(body), {}};
  if (!token_.empty()) out.headers.emplace_back("Authorization", token_);
  return out;
}

tl::unexpected<Error> Client::failed(Error error) {
  if (error.where.empty()) error.where = member().url().redacted();
  ++current_;
  token_.clear();
  return tl::unexpected(std::move(error));
}

Result<void> Client::log_in() {
  if (settings_.user.empty() || !token_.empty()) return {};
  const auto answer =
      member().send({"POST", "/v3/auth/authenticate", authenticate_request(settings_.user, settings_.password), {}},
                    settings_.timeout);
  if (!answer) return failed(answer.error());
  if (answer->status != 200)
    return failed({"etcd refuses user '" + settings_.user + "': " + refusal(answer->body),
                   {},
                   "check etcd.user and etcd.password_file"});
  auto token = read_token(answer->body);
  if (!token) return failed(token.error());
  token_ = std::move(*token);
  return {};
}

Result<std::string> Client::call(const std::string& path, const std::string& body) {
  for (bool again = false;; again = true) {
    if (const auto done = log_in(); !done) return tl::unexpected(done.error());
    auto answer = member().send(request(path, body), settings_.timeout);
    if (!answer) return failed(answer.error());
    if (answer->status == 200) return std::move(answer->body);
    const std::string reason = refusal(answer->body);
    if (!again && !settings_.user.empty() && token_refused(reason)) {
      token_.clear();  // tokens expire: retry once with a new one
      continue;
    }
    const bool needs_user = reason.find("user name is empty") != std::string::npos;
    const bool denied = reason.find("permission denied") != std::string::npos;
    return failed({"etcd refused " + path + ": HTTP " + std::to_string(answer->status) + " " + reason,
                   {},
                   needs_user ? "this cluster requires authentication: set etcd.user and etcd.password_file"
                   : denied   ? "user '" + settings_.user + "' needs readwrite on " + keys_.from + "…"
                              : ""});
  }
}

Result<Lease> Client::grant(std::int64_t ttl_s) {
  const auto answer = call("/v3/lease/grant", grant_request(ttl_s));
  if (!answer) return tl::unexpected(answer.error());
  const auto lease = read_grant(*answer);
  if (!lease) return failed(lease.error());
  return *lease;
}

Result<Lease> Client::keep_alive(std::int64_t lease) {
  const auto answer = call("/v3/lease/keepalive", lease_request(lease));
  if (!answer) return tl::unexpected(answer.error());
  const auto kept = read_keep_alive(*answer);
  if (!kept) return failed(kept.error());
  if (kept->id != lease) return failed({"etcd's answer is about another lease", {}, {}});
  return *kept;
}

Result<Nomination> Client::nominate(const std::string& instance_id, std::int64_t lease) {
  const auto answer = call("/v3/kv/txn", nominate_request(keys_, instance_id, lease));
  if (!answer) return tl::unexpected(answer.error());
  auto nomination = read_nomination(*answer, keys_, instance_id, lease);
  if (!nomination) return failed(nomination.error());
  return nomination;
}

Result<bool> Client::publish(std::int64_t lease) {
  const auto answer = call("/v3/kv/txn", publish_request(keys_, lease));
  if (!answer) return tl::unexpected(answer.error());
  const auto done = read_publish(*answer);
  if (!done) return failed(done.error());
  return *done;
}

Result<void> Client::revoke(std::int64_t lease) {
  const auto answer = call("/v3/lease/revoke", lease_request(lease));
  if (!answer) return tl::unexpected(answer.error());
  return {};
}

Result<std::shared_ptr<Watch>> Client::watch(std::int64_t from_revision) {
  if (const auto done = log_in(); !done) return tl::unexpected(done.error());
  auto stream = member().stream(request("/v3/watch", watch_request(keys_, from_revision)), settings_.timeout);
  if (!stream) return failed(stream.error());
  if ((*stream)->status() != 200)
    return failed({"etcd refused a watch: HTTP " + std::to_string((*stream)->status()), {}, {}});
  return std::make_shared<Watch>(std::move(*stream), keys_, member().url().redacted());
}

}  // namespace nuropb::etcd
