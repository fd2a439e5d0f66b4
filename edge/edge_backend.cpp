// The edge's part in backends: envelopes over HTTP on their way to meshd, which judges the key and answers.

#include "common/error_names.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"
#include "edge/edge.hpp"
#include "edge/protocol/snorky_message.hpp"

namespace nuropb::edge {
namespace {

std::optional<HttpAnswer> judge(const RequestHead& head, HttpServer::Request& request) {
  if (request.path != "/backend") return refusal(404, error_name::handling, "backends POST to /backend");
  if (request.method != "POST") {
    HttpAnswer only = refusal(405, error_name::handling, "backends POST to /backend");
    only.headers.emplace_back("Allow", "POST");
    return only;
  }
  std::string key = head.header("X-Backend-Key");
  if (key.empty()) return refusal(401, error_name::authentication, "Missing X-Backend-Key header");
  if (key.size() > records::max_backend_key) return refusal(401, error_name::authentication, "Invalid API key");
  request.credential = std::move(key);
  return {};
}

}  // namespace

/// Whether its key or token may be looked at; else what it is refused with.
std::optional<HttpAnswer> Edge::refused_as_guess(const HttpServer::Request& request, std::string_view what) {
  if (may_guess(key_guesses_, request.peer, request.credential, what)) return {};
  HttpAnswer out = refusal(429, error_name::authentication, std::string(what) + ": too many were wrong");
  out.headers.emplace_back("Retry-After", "1");
  return out;
}

Result<void> Edge::start_backend() {
  if (config_.backend.key_file.empty()) return {};
  const HttpServer::Settings server{"backends",
                                    "backend.connections",
                                    "backend.timeout_ms",
                                    "limits.message_bytes",
                                    config_.backend.connections,
                                    config_.limits.message_bytes,
                                    milliseconds(config_.backend.timeout_ms)};
  backend_ = std::make_unique<HttpPort>(
      io_,
      HttpPort::Settings{server, "backend", config_.backend.address, config_.backend.port, config_.gateway.runtime_dir},
      [this](const RequestHead& head, HttpServer::Request& request) {
        auto refused = judge(head, request);
        return refused ? refused : refused_as_guess(request, "keys of backends from this address");
      },
      [this](HttpServer::Request request, HttpServer::Respond respond) {
        on_backend_request(std::move(request), std::move(respond));
      },
      [this](const HttpServer::Request& request, HttpServer::Checked checked) {
        check_backend(request, std::move(checked));
      });
  if (const std::string wrong = backend_->listen(); !wrong.empty()) return failure(wrong, "", "");
  return {};
}

/// Asks meshd about the key alone: no body is read of a peer that has none.
void Edge::check_backend(const HttpServer::Request& request, HttpServer::Checked checked) {
  if (phase_ >= Phase::draining) return checked(come_again("this edge is stopping"));
  if (!may_call()) return checked(come_again("the gateway is not ready; nothing was done"));
  const std::uint64_t sequence = next_sequence_ & ReturnAddress::max_sequence;
  record_.clear();
  records::encode(records::BackendCall{request.credential, {}, {}, {}, {}}, record_);
  if (!link_.write(records::Type::backend_call, sequence, record_))
    return checked(come_again("the gateway is busy; nothing was done"));
  ++next_sequence_;
  const auto respond = [checked = std::move(checked)](HttpAnswer answer) {
    if (answer.status < 300) checked({});
    else checked(std::move(answer));
  };
  backend_calls_.emplace(
      sequence,
      BackendCall{
          clock_.now() + milliseconds(config_.backend.timeout_ms), respond, {}, request.peer, request.credential});
  arm_timer();
}

/// What meshd has said of a key, or of a token at the console.
void Edge::key_judged(const BackendCall& call, int status) {
  if (call.secret.empty()) return;
  // 403 and 404 are answers to who is known, too.
  if (status < 300 || status == 403 || status == 404) return key_guesses_.accepted(call.host, call.secret);
  if (status != 401) return;
  if (const auto left_out = guess_pause_.due(clock_.now()))
    log::warning("a backend's key, or a token at the console, was refused",
                 {{"address", call.host}, {"left_out", *left_out}});
}

void Edge::on_backend_request(HttpServer::Request request, HttpServer::Respond respond) {
  const SnorkyMessage message = decode_snorky(request.body, config_.limits.json());
  const auto* const call = std::get_if<SnorkyRequest>(&message);
  if (phase_ >= Phase::draining) return respond(come_again("this edge is stopping"));
  if (!may_call()) return respond(come_again("the gateway is not ready; nothing was done"));
  BackendCall waiting{clock_.now() + milliseconds(config_.backend.timeout_ms),
                      std::move(respond),
                      {},
                      request.peer,
                      request.credential};
  const std::uint64_t sequence = next_sequence_ & ReturnAddress::max_sequence;
  record_.clear();
  if (call) {
    records::encode(records::BackendCall{request.credential, call->service, call->command, call->call_id, call->params},
                    record_);
  } else {
    // Whoever has no key learns nothing of what else is wrong.
    records::encode(records::BackendCall{request.credential, {}, {}, {}, {}}, record_);
    waiting.mistake = refusal(400, error_name::validation, std::get<SnorkyMistake>(message).text);
    link_.count(shm::EdgeCounter::bad_messages);
  }
  if (!link_.write(records::Type::backend_call, sequence, record_))
    return waiting.respond(come_again("the gateway is busy; nothing was done"));
  ++next_sequence_;
  link_.count_message(records::Type::backend_call);
  backend_calls_.emplace(sequence, std::move(waiting));
  arm_timer();
}

void Edge::on_backend_answer(const shm::RecordHeader& header, const records::BackendAnswer& record) {
  const auto found = backend_calls_.find(header.sequence);
  if (found == backend_calls_.end()) return link_.count(shm::EdgeCounter::late_responses);
  const BackendCall call = std::move(found->second);
  backend_calls_.erase(found);
  key_judged(call, record.status);
  if (call.mistake && record.status < 300) return call.respond(*call.mistake);
  call.respond({record.status, std::string(record.text) + "\n", {}});
}

void Edge::fail_backend(int status, std::string_view raw_error) {
  const auto calls = std::exchange(backend_calls_, {});
  for (const auto& [sequence, call] : calls) call.respond({status, std::string(raw_error) + "\n", {}});
}

void Edge::expire_backend(SteadyTime now) {
  while (!backend_calls_.empty() && backend_calls_.begin()->second.deadline <= now) {
    const BackendCall call = std::move(backend_calls_.begin()->second);
    backend_calls_.erase(backend_calls_.begin());
    call.respond(
        {504, unknown_outcome_json("no answer in time (backend.timeout_ms); the call may have run") + "\n", {}});
  }
}

}  // namespace nuropb::edge
