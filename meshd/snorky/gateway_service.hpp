#pragma once
// The service `gateway` for backends: HandlerManager's functions across all edges and gateways.
//
//   send_to_session(session_id, message)   send_to_users(user_ids, message)   send_to_all(message)
//   close_session(session_id, code?, reason?)   close_users(user_ids, code?, reason?)   close_all(code?, reason?)
//   sessions(user_id?, cursor?, limit?)
//
// Parameters and results are those of meshd/operations.hpp. Messages are forwarded byte for byte: to /websocket as they
// are, to /ws in an envelope of the service `gateway`.

#include "meshd/pushes.hpp"
#include "meshd/snorky/service.hpp"

namespace nuropb::meshd::snorky {

class GatewayService final : public Service {
 public:
  explicit GatewayService(Pushes& pushes);
  void call(const Call& call, const Answer& answer) override;

 private:
  void send(const Call& call, const Answer& answer);
  void operate(const Call& call, const Answer& answer);
  Pushes& pushes_;
};

}  // namespace nuropb::meshd::snorky
