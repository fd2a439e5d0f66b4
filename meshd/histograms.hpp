#pragma once
// Histograms, as they stand on a page in Prometheus' text format: for those who show latencies and draw no page of their
// own. Whatever the page counts is found, and what it does not count is not. Pure.

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace nuropb::meshd {

/// Of each `*_seconds_bucket` of the page: [{"name": "…_seconds", "labels": "stage=\"ring\"", "le": [0.001, …], "counts":
/// [12, …]}], cumulative, the last one without a bound (le null). At most 64 of them, of 64 buckets each.
nlohmann::json histograms_of(std::string_view page);

}  // namespace nuropb::meshd
