// The ring loop's part in pushes: records to edges, and messages to and from other gateways.

#include <nlohmann/json.hpp>

#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "meshd/attached.hpp"
#include "meshd/operations.hpp"
#include "meshd/ring_loop.hpp"

namespace nuropb::meshd {
namespace {

constexpr auto push_tick = std::chrono::milliseconds(100);

}  // namespace

void RingLoop::each(const std::function<void(WorkerId, SessionTable&)>& work) {
  for (auto& [id, attached] : workers_) work(id, attached->worker.sessions());
  if (mailboxes_.count() > 0) work(numbered_worker, parked_);
}

void RingLoop::send(WorkerId worker, records::Type type, std::string payload) {
  if (taps_.watching() && type == records::Type::push) [[unlikely]]
    taps_.pushed(worker, payload);
  if (worker == numbered_worker) return push_numbered(type, payload);
  Attached* const attached = find(worker);
  if (!attached) return;
  touch(*attached);
  if (!attached->worker.send(type, 0, std::move(payload))) {
    attached->worker.violate("does not read its messages: " + std::to_string(attached->worker.outbox_bytes()) +
                             " bytes wait");
  }
  schedule_turn();  // which makes it visible, with all that was sent until then
}

void RingLoop::tick_soon() {
  if (push_timer_.armed()) return;
  push_timer_.after(push_tick, [this] {
    each_face([this](Face& face) {
      face.pushes.tick();
      if (face.pushes.waiting()) tick_soon();
    });
  });
}

/// For nuropb-ctl, over the admin socket: a process that has its key may do everything.
void RingLoop::operate(const std::string& name, const std::string& body,
                       std::function<void(AdminSocket::Answer)> answer) {
  const auto refuse = [&answer](const std::string& why) {
    answer({false, nlohmann::json{{"error", why}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)});
  };
  const auto problem = json::validate(body, nullptr, {config_.limits.json_depth + 8U});
  if (problem) return refuse("the body is not JSON: " + problem->text());
  const auto params = nlohmann::json::parse(body, nullptr, false);
  if (!params.is_object()) return refuse("the body is no JSON object");
  const auto say = [answer](const Result<nlohmann::json>& result) {
    const nlohmann::json said = result ? *result : nlohmann::json{{"error", result.error().text()}};
    answer({result.has_value(), said.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)});
  };
  if (gateway_operation(name, params, say)) return;
  // Whose consumers are meant: the WebSockets' unless it says otherwise.
  const std::string handler = params.contains("handler") && params["handler"].is_string()
                                  ? params["handler"].get<std::string>()
                                  : std::string(name_of(HandlerKind::web_socket));
  Face* face = nullptr;
  each_face([&](Face& one) {
    if (name_of(one.kind) == handler) face = &one;
  });
  if (!face) return refuse("no consumers of handler '" + handler.substr(0, 64) + "' are served here");
  run_operation(face->pushes, name, params, say);
}

}  // namespace nuropb::meshd
