#include "edge/http_api/backend_endpoint.hpp"

#include "common/error_names.hpp"
#include "edge/http_api/meshd_calls.hpp"
#include "edge/protocol/snorky_message.hpp"

namespace nuropb::edge {
namespace {

/// The answer, if the head alone is wrong.
std::optional<HttpAnswer> refusal_of_head(const RequestHead& head, HttpServer::Request& request) {
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

constexpr std::string_view backend_not_ready = "the gateway is not ready; nothing was done",
                           backend_no_room = "the gateway is busy; nothing was done";

}  // namespace

Result<void> BackendEndpoint::start() {
  if (config_.backend.key_file.empty()) return {};
  const HttpServer::Settings server{"backends",
                                    "backend.connections",
                                    "backend.timeout_ms",
                                    "limits.message_bytes",
                                    config_.backend.connections,
                                    config_.limits.message_bytes,
                                    timeout()};
  port_ = std::make_unique<HttpPort>(
      io_,
      HttpPort::Settings{server, "backend", config_.backend.address, config_.backend.port, config_.gateway.runtime_dir},
      [this](const RequestHead& head, HttpServer::Request& request) {
        auto refused = refusal_of_head(head, request);
        return refused ? refused : calls_.refused_as_guess(request, "keys of backends from this address");
      },
      [this](HttpServer::Request request, HttpServer::Respond respond) {
        on_request(std::move(request), std::move(respond));
      },
      [this](const HttpServer::Request& request, HttpServer::Checked checked) { check(request, std::move(checked)); });
  if (const std::string wrong = port_->listen(); !wrong.empty()) return failure(wrong, "", "");
  return {};
}

/// Asks meshd about the key alone: no body is read of a client that has no valid one.
void BackendEndpoint::check(const HttpServer::Request& request, HttpServer::Checked checked) {
  if (auto wrong = calls_.unavailable(backend_not_ready)) return checked(std::move(wrong));
  MeshdCalls::Call call{timeout(),
                        [checked](HttpAnswer answer) {
                          if (answer.status < 300) checked({});
                          else checked(std::move(answer));
                        },
                        request.peer, request.credential};
  if (!calls_.send(records::Type::backend_call, records::BackendCall{request.credential, {}, {}, {}, {}}, call))
    checked(come_again(backend_no_room));
}

void BackendEndpoint::on_request(HttpServer::Request request, HttpServer::Respond respond) {
  const SnorkyMessage message = decode_snorky(request.body, config_.limits.json());
  if (auto wrong = calls_.unavailable(backend_not_ready)) return respond(std::move(*wrong));
  MeshdCalls::Call call{timeout(), std::move(respond), request.peer, request.credential};
  // A client without a valid key learns nothing about what else is wrong.
  records::BackendCall record{request.credential, {}, {}, {}, {}};
  if (const auto* const envelope = std::get_if<SnorkyRequest>(&message)) {
    record = {request.credential, envelope->service, envelope->command, envelope->call_id, envelope->params};
  } else {
    call.mistake = refusal(400, error_name::validation, std::get<SnorkyMistake>(message).text);
    link_.count(shm::EdgeCounter::bad_messages);
  }
  if (!calls_.send(records::Type::backend_call, record, call)) return call.respond(come_again(backend_no_room));
  link_.count_message(records::Type::backend_call);
}

}  // namespace nuropb::edge
