#include "meshd/ctl/say.hpp"

#include <iostream>

#include "common/standard_streams.hpp"
#include "meshd/ctl/admin_client.hpp"

namespace nuropb::ctl {

using nlohmann::json;

int fail(int code, const std::string& text) {
  complain(text);
  return code;
}
int fail(int code, const Error& error) { return fail(code, "nuropb-ctl: " + error.text()); }

std::string written(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

std::string shown(std::string_view text) {
  if (text.empty()) return "-";
  const std::string quoted = json(text).dump(-1, ' ', true, json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}
std::string shown(const json& value) {
  return value.is_string() ? shown(std::string_view(value.get_ref<const std::string&>())) : "-";
}

std::uint64_t number(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::string text(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? "-" : shown(*found);
}

std::string duration(std::uint64_t seconds) {
  const auto two = [](std::uint64_t a, const char* of, std::uint64_t b, const char* rest) {
    return std::to_string(a) + of + std::to_string(b) + rest;
  };
  if (seconds >= 86'400) return two(seconds / 86'400, " d ", seconds % 86'400 / 3600, " h");
  if (seconds >= 3600) return two(seconds / 3600, " h ", seconds % 3600 / 60, " m");
  if (seconds >= 60) return two(seconds / 60, " m ", seconds % 60, " s");
  return std::to_string(seconds) + " s";
}

Result<json> ask(const Config& config, const std::string& name, const json& params) {
  // Twice the time that meshd waits for others (for a page and its count), and a little for itself.
  const milliseconds timeout(2 * config.push.timeout_ms + 5000);
  const auto text = operate(config.gateway.runtime_dir, name, written(params), timeout);
  if (!text) return tl::unexpected(text.error());
  auto answer = json::parse(*text, nullptr, false);
  if (!answer.is_object()) return failure("meshd's answer can't be read");
  return answer;
}

}  // namespace nuropb::ctl
