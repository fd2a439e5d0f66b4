#pragma once
// The operations of Pushes by name, with JSON parameters and results: one implementation for the controller's methods,
// nuropb-ctl and other callers.
//
//   send_to_session {session_id, message}   send_to_users {user_ids, message}   send_to_all {message}
//   close_session {session_id, code, reason}   close_users {user_ids, …}   close_all {code, reason}
//     → {"connections": 3, "unanswered": [instance ids], "silent_edges": 0}
//   sessions {user_id, cursor, limit}
//     → {"sessions": [{"session_id", "user_id", "username", "gateway", "edge"}], "cursor": "…", "count": {"sessions", "users", "gateways"}, "unanswered": []}
// Operations on the gateway itself (status, reload, drain_worker) are in admin/admin_operations.cpp.
//
// Owner thread: the ring loop.

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "common/result.hpp"
#include "meshd/pushes.hpp"

namespace nuropb::meshd {

/// `done` gets the result, or what is wrong with the parameters; exactly once, immediately or later.
void run_operation(Pushes& pushes, std::string_view name, const nlohmann::json& params,
                   std::function<void(const Result<nlohmann::json>&)> done);

nlohmann::json to_json(const Outcome& outcome);

}  // namespace nuropb::meshd
