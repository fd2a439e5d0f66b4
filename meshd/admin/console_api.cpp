#include "meshd/admin/console_api.hpp"

#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/error_names.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::chrono::milliseconds status_is_new{250};

std::string written(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

void ConsoleApi::handle(WorkerId worker, std::uint64_t sequence, const records::ConsoleCall& call) {
  // An edge that was started with other settings is none the worse.
  if (!config_.console.enabled)
    return send(worker, sequence, {503, error_json(error_name::authorization, "the console is off (console.enabled)")});
  authorizer_.judge({records::CredentialKind::header, std::string(call.token),
                     (std::uint64_t{worker.slot} << 32) | worker.generation, "console"},
                    [this, worker, sequence, what = std::string(call.what), params = std::string(call.params)](
                        Verdict verdict) { send(worker, sequence, answer(verdict, what, params)); });
}

void ConsoleApi::send(WorkerId worker, std::uint64_t sequence, Answer answer) {
  auto& [code, text] = answer;
  if (text.size() > records::max_error + config_.limits.message_bytes) {
    code = 500;
    text = error_json(error_name::exception, "the answer is larger than limits.message_bytes");
  }
  std::string out;
  records::encode(records::BackendAnswer{code, text}, out);
  workers_.send(worker, records::Type::backend_answer, sequence, std::move(out));
}

ConsoleApi::Answer ConsoleApi::answer(const Verdict& verdict, const std::string& what, const std::string& params) {
  const auto refuse = [](std::uint16_t code, std::string_view name, std::string_view why) {
    return Answer(code, error_json(name, why));
  };
  if (!verdict.accepted()) {
    if (const auto left_out = refused_pause_.due(clock_.now()))
      log::warning("a token was refused at the console", {{"reason", verdict.reason}, {"left_out", *left_out}});
    if (verdict.what == Verdict::What::unavailable)
      return refuse(503, error_name::transport, "the token can't be judged now: try again");
    return refuse(401, error_name::authentication, "token refused");
  }
  const std::string& user = verdict.identity.user_id;
  const auto& users = config_.console.users;
  if (std::none_of(users.begin(), users.end(), [&](const std::string& one) { return one == "*" || one == user; }))
    return refuse(403, error_name::authorization, "this user may not see the gateway's figures (console.users)");
  if (what == "status") {
    // An edge that has such a token, and asks without end, does not have the figures gathered without end.
    if (clock_.now() >= status_until_) {
      status_ = written(operations_.status());
      status_until_ = clock_.now() + status_is_new;
    }
    return {std::uint16_t{200}, status_};
  }
  if (what != "kill") return refuse(404, error_name::handling, "there is no such thing");
  if (!config_.console.kill_workers)
    return refuse(403, error_name::authorization, "edges can't be killed from here (console.kill_workers)");
  log::warning("a user of the console kills an edge", {{"user", user}});
  const auto killed = operations_.signal_worker(nlohmann::json::parse(params, nullptr, false), SIGKILL);
  if (!killed) return refuse(400, error_name::validation, killed.error().text());
  return {std::uint16_t{200}, written(*killed)};
}

}  // namespace nuropb::meshd
