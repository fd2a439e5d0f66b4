#pragma once
// Figures of a gateway, from two answers of the operation `status` (meshd/admin/admin_operations.cpp), as lines for a terminal. Pure.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace nuropb::ctl {

/// What happened between two answers, a second. Nothing is negative: a process that began anew counts from 0.
nlohmann::json rates(const nlohmann::json& before, const nlohmann::json& now, double seconds);

/// [{"name", "labels", "count", "p50_ms", "p90_ms", "p99_ms"}] between two answers: the bounds of the buckets in which
/// these shares lie. Those without a count are left out. `before` null: since the gateway began.
nlohmann::json latencies(const nlohmann::json& before, const nlohmann::json& now);

/// The screen of `top`, lines of at most `width` columns. `rates` null: without (status).
std::vector<std::string> screen(const nlohmann::json& now, const nlohmann::json& rates, const nlohmann::json& latencies,
                                std::size_t width);

}  // namespace nuropb::ctl
