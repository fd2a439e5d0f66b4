#include "edge/http_api/meshd_calls.hpp"

#include "common/error_names.hpp"
#include "common/messages.hpp"
#include "edge/sessions/drain_controller.hpp"
#include "edge/sessions/guess_guard.hpp"

namespace nuropb::edge {

std::optional<HttpAnswer> MeshdCalls::unavailable(std::string_view not_ready) const {
  if (drain_.refusing()) return come_again("this edge is stopping");
  if (!sender_.meshd_ready()) return come_again(not_ready);
  return {};
}

std::optional<HttpAnswer> MeshdCalls::refused_as_guess(const HttpServer::Request& request, std::string_view what) {
  if (guesses_.may_present_key(request.peer, request.credential, what)) return {};
  HttpAnswer out = refusal(429, error_name::authentication, std::string(what) + ": too many were wrong");
  out.headers.emplace_back("Retry-After", "1");
  return out;
}

void MeshdCalls::on_answer(const shm::RecordHeader& header, const records::BackendAnswer& record) {
  const auto found = calls_.find(header.sequence);
  if (found == calls_.end()) return sender_.link().count(shm::EdgeCounter::late_responses);
  const Call call = std::move(found->second.call);
  calls_.erase(found);
  guesses_.key_answered(call.host, call.secret, record.status);
  if (call.mistake && record.status < 300) return call.respond(*call.mistake);
  call.respond({record.status, std::string(record.text) + "\n", {}});
}

void MeshdCalls::fail_all(int status, std::string_view raw_error) {
  const auto calls = std::exchange(calls_, {});
  for (const auto& [sequence, pending] : calls) pending.call.respond({status, std::string(raw_error) + "\n", {}});
}

void MeshdCalls::expire(SteadyTime now) {
  while (!calls_.empty() && calls_.begin()->second.deadline <= now) {
    const Call call = std::move(calls_.begin()->second.call);
    calls_.erase(calls_.begin());
    call.respond(
        {504, unknown_outcome_json("no answer in time (backend.timeout_ms); the call may have run") + "\n", {}});
  }
}

}  // namespace nuropb::edge
