// The edge's part in backends: envelopes over HTTP on their way to meshd, which judges the key and answers.

#include "common/error_names.hpp"
#include "common/messages.hpp"
#include "edge/edge.hpp"
#include "edge/snorky_message.hpp"

namespace nuropb::edge {
namespace {

std::optional<HttpAnswer> judge(const HttpListener::Head& head, HttpListener::Request& request) {
  if (head.path != "/backend") return refusal(404, error_name::handling, "backends POST to /backend");
  if (head.method != "POST") {
    HttpAnswer only = refusal(405, error_name::handling, "backends POST to /backend");
    only.headers.emplace_back("Allow", "POST");
    return only;
  }
  const std::string_view key = head.field("X-Backend-Key");
  if (key.empty()) return refusal(401, error_name::authentication, "Missing X-Backend-Key header");
  if (key.size() > records::max_backend_key) return refusal(401, error_name::authentication, "Invalid API key");
  request.credential = key;
  return {};
}

}  // namespace

Result<void> Edge::start_backend() {
  if (config_.backend.key_file.empty()) return {};
  backend_ = std::make_unique<HttpListener>(
      io_,
      HttpListener::Settings{"backends", "backend", config_.backend.address, config_.backend.port,
                             config_.backend.connections, config_.limits.message_bytes, config_.backend.timeout_ms},
      judge, [this](HttpListener::Request request, HttpListener::Respond respond) {
        on_backend_request(std::move(request), std::move(respond));
      });
  if (const std::string wrong = backend_->listen(); !wrong.empty()) return failure(wrong, "", "");
  return {};
}

void Edge::on_backend_request(HttpListener::Request request, HttpListener::Respond respond) {
  const SnorkyMessage message = decode_snorky(request.body, json::Limits{config_.limits.json_depth});
  const auto* const call = std::get_if<SnorkyRequest>(&message);
  if (phase_ >= Phase::draining) return respond(come_again("this edge is stopping"));
  if (!may_call()) return respond(come_again("the gateway is not ready; nothing was done"));
  BackendCall waiting{clock_.now() + milliseconds(config_.backend.timeout_ms), std::move(respond), {}};
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
