#include "meshd/ctl/figures.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

#include "meshd/ctl/say.hpp"

namespace nuropb::ctl {
namespace {

using nlohmann::json;

const json& at(const json& object, const char* name) {
  static const json none;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? none : *found;
}

double rate(const json& before, const json& now, const char* name, double seconds) {
  const std::uint64_t from = number(before, name), to = number(now, name);
  return seconds > 0 && to > from ? static_cast<double>(to - from) / seconds : 0;
}

std::string padded(std::string text, std::size_t width, bool left = true) {
  if (text.size() >= width) return text;
  return left ? text + std::string(width - text.size(), ' ') : std::string(width - text.size(), ' ') + text;
}

std::string rounded(double value) {
  char out[32];
  std::snprintf(out, sizeof out, value < 10 && value != 0 ? "%.1f" : "%.0f", value);
  return out;
}

/// [####......]  12 %
std::string bar(const json& ring) {
  constexpr std::uint64_t cells = 10;
  const std::uint64_t bytes = number(ring, "bytes"), capacity = std::max<std::uint64_t>(number(ring, "capacity"), 1);
  const auto share = static_cast<double>(std::min(bytes, capacity)) / static_cast<double>(capacity);
  // A share above 0 is shown as at least one cell.
  const auto full = bytes == 0 ? 0 : std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::lround(share * cells)));
  return "[" + std::string(full, '#') + std::string(cells - full, '.') + "]" + padded(rounded(share * 100), 4, false) +
         " %";
}

/// A readable name of a histogram: `edge_in` for stage_seconds{stage="edge_in"}, `request` for request_seconds.
std::string stage_name(const json& one) {
  std::string name = text(one, "name");
  constexpr std::string_view unit = "_seconds";
  if (name.ends_with(unit)) name.resize(name.size() - unit.size());
  const json& labels = at(one, "labels");
  if (!labels.is_string() || labels.get_ref<const std::string&>().empty()) return name;
  std::string values;
  const std::string& text = labels.get_ref<const std::string&>();
  for (std::size_t from = text.find('"'); from != std::string::npos; from = text.find('"', from)) {
    const std::size_t to = text.find('"', from + 1);
    if (to == std::string::npos) break;
    values += (values.empty() ? "" : " ") + shown(std::string_view(text).substr(from + 1, to - from - 1));
    from = to + 1;
  }
  return name == "stage" ? values : name + " " + values;
}

const json* same_worker(const json& all, const json& worker) {
  for (const json& one : all) {
    if (number(one, "slot") == number(worker, "slot") && number(one, "generation") == number(worker, "generation"))
      return &one;
  }
  return nullptr;
}

}  // namespace

json rates(const json& before, const json& now, double seconds) {
  const bool same = number(before, "pid") == number(now, "pid");
  const json nothing;
  const auto of = [&](const json& from, const json& to) {
    json out = json::object();
    for (const char* name : {"requests", "responses", "events", "timeouts"}) out[name] = rate(from, to, name, seconds);
    return out;
  };
  json out = same ? of(at(before, "counts"), at(now, "counts")) : of(at(now, "counts"), at(now, "counts"));
  out["workers"] = json::array();
  for (const json& worker : at(now, "workers")) {
    const json* const then = same ? same_worker(at(before, "workers"), worker) : nullptr;
    out["workers"].push_back(of(then ? *then : worker, worker));
  }
  return out;
}

json latencies(const json& before, const json& now) {
  json out = json::array();
  for (const json& one : at(now, "latencies")) {
    const json &bounds = at(one, "le"), &counts = at(one, "counts");
    if (!bounds.is_array() || !counts.is_array() || counts.empty() || bounds.size() != counts.size()) continue;
    std::vector<std::uint64_t> total;
    for (const json& count : counts) total.push_back(count.is_number_unsigned() ? count.get<std::uint64_t>() : 0);
    if (number(before, "pid") == number(now, "pid")) {
      for (const json& then : at(before, "latencies")) {
        const json& earlier = at(then, "counts");
        if (at(then, "name") != at(one, "name") || at(then, "labels") != at(one, "labels") ||
            earlier.size() != total.size())
          continue;
        for (std::size_t i = 0; i < total.size(); ++i) {
          const std::uint64_t less = earlier[i].is_number_unsigned() ? earlier[i].get<std::uint64_t>() : 0;
          total[i] -= std::min(total[i], less);
        }
      }
    }
    const std::uint64_t all = total.back();
    if (all == 0) continue;
    json line{{"name", at(one, "name")}, {"labels", at(one, "labels")}, {"count", all}};
    for (const auto& [name, share] : {std::pair("p50_ms", 0.5), std::pair("p90_ms", 0.9), std::pair("p99_ms", 0.99)}) {
      const auto wanted = static_cast<double>(all) * share;
      std::size_t place = 0;
      while (place + 1 < total.size() && static_cast<double>(total[place]) < wanted) ++place;
      // The last bucket has no bound: at least the previous one.
      while (place > 0 && !bounds[place].is_number()) --place;
      line[name] = bounds[place].is_number() ? bounds[place].get<double>() * 1000 : 0;
    }
    out.push_back(std::move(line));
  }
  return out;
}

std::vector<std::string> screen(const json& now, const json& rated, const json& measured, std::size_t width) {
  std::vector<std::string> out;
  const json& broker = at(now, "broker");
  out.push_back("nuropb-gateway " + text(now, "version") + "  service " + text(now, "service") + "  up " +
                duration(number(now, "uptime_s")) + "  pid " + std::to_string(number(now, "pid")));
  std::string line = "broker    " + text(broker, "state");
  if (text(now, "mesh") == "loopback") line += " (there is none: loopback)";
  else
    line += "  connections " + std::to_string(number(broker, "connections")) + " of " +
            std::to_string(number(broker, "attempts")) + " attempts  waiting to be published " +
            std::to_string(number(broker, "queued_bytes")) + " bytes";
  out.push_back(line);
  line = "sessions  open " + std::to_string(number(now, "sessions")) + "  resumable " +
         std::to_string(number(now, "sessions_waiting"));
  for (const auto& [kind, count] : at(now, "handler_sessions").items())
    line += "  " + shown(std::string_view(kind)) + " " + (count.is_number_unsigned() ? count.dump() : "-");
  out.push_back(line + "  topics " + std::to_string(number(now, "topics")) + "  other gateways " +
                std::to_string(number(now, "peers")));
  const json& counts = at(now, "counts");
  line = "counts    ";
  for (const char* name : {"requests", "responses", "events", "timeouts", "ring_stalls", "killed_workers"})
    line += std::string(name) + " " + std::to_string(number(counts, name)) + "  ";
  out.push_back(line);
  if (rated.is_object()) {
    line = "per second  ";
    for (const char* name : {"requests", "responses", "events", "timeouts"})
      line += std::string(name) + " " + rounded(at(rated, name).is_number() ? at(rated, name).get<double>() : 0) + "  ";
    out.push_back(line);
  }
  for (const json& one : measured) {
    std::string row = "latency   " + padded(stage_name(one), 24);
    for (const char* share : {"p50", "p90", "p99"}) {
      const json& within = at(one, (std::string(share) + "_ms").c_str());
      row += std::string("  ") + share +
             " <= " + padded((within.is_number() ? rounded(within.get<double>()) : "-") + " ms", 8);
    }
    out.push_back(std::move(row));
  }
  out.emplace_back();
  const bool rates_too = rated.is_object();
  out.push_back(padded("worker", 10) + padded("pid", 9) + padded("sessions", 10) +
                (rates_too ? padded("req/s", 9) : "") + padded("request ring", 20) + padded("return ring", 20) +
                "heartbeat");
  std::size_t place = 0;
  for (const json& worker : at(now, "workers")) {
    const json& its = rates_too ? at(rated, "workers") : rated;
    const std::uint64_t silent = number(worker, "silent_s");
    std::string row =
        padded(std::to_string(number(worker, "slot")) + "." + std::to_string(number(worker, "generation")), 10) +
        padded(std::to_string(number(worker, "pid")), 9) + padded(std::to_string(number(worker, "sessions")), 10);
    if (rates_too) {
      const json& requests = its.is_array() && place < its.size() ? at(its[place], "requests") : rated;
      row += padded(requests.is_number() ? rounded(requests.get<double>()) : "-", 9);
    }
    row += padded(bar(at(worker, "request_ring")), 20) + padded(bar(at(worker, "return_ring")), 20) +
           (silent > 1 ? "silent for " + std::to_string(silent) + " s" : "ok");
    if (const std::uint64_t waits = number(worker, "outbox_bytes"); waits > 0)
      row += "  " + std::to_string(waits) + " bytes wait for room";
    out.push_back(row);
    ++place;
  }
  if (place == 0) out.emplace_back("no worker is attached");
  for (std::string& one : out) {
    while (!one.empty() && one.back() == ' ') one.pop_back();
    if (one.size() > width) one.resize(width);
  }
  return out;
}

}  // namespace nuropb::ctl
