#pragma once
// Formats a gateway's status, from two responses of the operation `status` (meshd/admin/admin_operations.cpp), for a terminal.
// Pure.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace nuropb::ctl {

/// Rates per second between two responses. Never negative: a restarted process counts from 0.
nlohmann::json rates(const nlohmann::json& before, const nlohmann::json& now, double seconds);

/// [{"name", "labels", "count", "p50_ms", "p90_ms", "p99_ms"}] between two responses: upper bounds of the histogram
/// buckets that contain these percentiles. Entries without a count are omitted. `before` null: since the gateway's
/// start.
nlohmann::json latencies(const nlohmann::json& before, const nlohmann::json& now);

/// The screen of `top`, lines of at most `width` columns. `rates` null: without rates (status).
std::vector<std::string> screen(const nlohmann::json& now, const nlohmann::json& rates, const nlohmann::json& latencies,
                                std::size_t width);

}  // namespace nuropb::ctl
