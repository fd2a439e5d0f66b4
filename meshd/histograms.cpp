#include "meshd/histograms.hpp"

#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace nuropb::meshd {
namespace {

constexpr std::string_view prefix = "nuropb_gateway_", suffix = "_seconds_bucket";
constexpr std::size_t most = 64;

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(out) : std::nullopt;
}

struct Line {
  std::string name, labels;
  std::optional<double> bound;  ///< nothing: +Inf
  std::uint64_t count = 0;
};

std::optional<Line> bucket(std::string_view line) {
  const auto open = line.find('{'), close = line.rfind('}');
  if (!line.starts_with(prefix) || open == std::string_view::npos || close == std::string_view::npos || close < open)
    return {};
  std::string_view name = line.substr(0, open);
  if (!name.ends_with(suffix)) return {};
  name = name.substr(prefix.size(), name.size() - prefix.size() - std::string_view("_bucket").size());
  Line out{std::string(name), {}, {}, 0};
  std::string_view labels = line.substr(open + 1, close - open - 1);
  // Our labels' values have no commas.
  bool bounded = false;
  while (!labels.empty()) {
    const auto comma = labels.find(',');
    const std::string_view one = labels.substr(0, comma);
    labels.remove_prefix(comma == std::string_view::npos ? labels.size() : comma + 1);
    if (!one.starts_with("le=\"") || !one.ends_with('"') || one.size() < 6) {
      out.labels += (out.labels.empty() ? "" : ",") + std::string(one);
      continue;
    }
    const std::string_view bound = one.substr(4, one.size() - 5);
    bounded = true;
    if (bound == "+Inf") continue;
    out.bound = number<double>(bound);
    if (!out.bound) return {};
  }
  std::string_view value = line.substr(close + 1);
  while (value.starts_with(' ')) value.remove_prefix(1);
  const auto count = number<std::uint64_t>(value.substr(0, value.find(' ')));
  if (!count || !bounded) return {};
  out.count = *count;
  return out;
}

}  // namespace

nlohmann::json histograms_of(std::string_view page) {
  nlohmann::json out = nlohmann::json::array();
  while (!page.empty()) {
    const auto end = page.find('\n');
    const auto line = bucket(page.substr(0, end));
    page.remove_prefix(end == std::string_view::npos ? page.size() : end + 1);
    if (!line) continue;
    if (out.empty() || out.back()["name"] != line->name || out.back()["labels"] != line->labels) {
      if (out.size() == most) break;
      out.push_back({{"name", line->name},
                     {"labels", line->labels},
                     {"le", nlohmann::json::array()},
                     {"counts", nlohmann::json::array()}});
    }
    nlohmann::json& histogram = out.back();
    if (histogram["le"].size() == most) continue;
    histogram["le"].push_back(line->bound ? nlohmann::json(*line->bound) : nlohmann::json());
    histogram["counts"].push_back(line->count);
  }
  return out;
}

}  // namespace nuropb::meshd
