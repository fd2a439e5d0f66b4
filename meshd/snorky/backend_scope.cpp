#include "meshd/snorky/backend_scope.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "common/glob.hpp"
#include "common/json/scan.hpp"
#include "meshd/snorky/services_file.hpp"
#include "meshd/snorky/value.hpp"

namespace nuropb::meshd::snorky {
namespace {

enum Operation : unsigned { publish, send, close, list, operations };
constexpr std::array<std::string_view, operations> names{"publish", "send", "close", "list"};

bool any_globs(const BackendScope::Patterns& patterns, std::string_view text) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) { return globs(pattern, text); });
}

std::optional<Operation> operation_of(std::string_view service, std::string_view command) {
  if (service != gateway_service) return command == "publish" ? std::optional(publish) : std::nullopt;
  if (command.starts_with("send_to_")) return send;
  if (command.starts_with("close_")) return close;
  return command == "sessions" ? std::optional(list) : std::nullopt;
}

}  // namespace

Result<BackendScope> BackendScope::of(const std::vector<std::string>& may, Patterns channels, Patterns users) {
  BackendScope out;
  out.may_ = 0;
  for (const std::string& word : may) {
    const auto* const found = std::ranges::find(names, word);
    if (found == names.end())
      return failure("'" + word.substr(0, 64) + "' is not an operation", "",
                     "operations are publish, send, close and list");
    out.may_ |= 1U << static_cast<unsigned>(found - names.begin());
  }
  out.channels_ = std::move(channels);
  out.users_ = std::move(users);
  return out;
}

std::optional<std::string> BackendScope::refuses(std::string_view service, std::string_view command,
                                                 std::string_view params) const {
  if (may_ == ~0U) return {};
  const auto operation = operation_of(service, command);
  if (!operation || (may_ & 1U << *operation) == 0)
    return "this key may not call " + std::string(command.substr(0, 64)) + " of " + std::string(service.substr(0, 64));
  return *operation == publish ? refuses_channel(params) : refuses_users(command, params);
}

/// Invalid channels are passed on to the service, which refuses them.
std::optional<std::string> BackendScope::refuses_channel(std::string_view params) const {
  json::Slice channel, message;
  if (channels_.empty() || !bind(params, {{"channel", &channel}, {"message", &message}})) return {};
  if (any_globs(channels_, as_text(channel.text))) return {};
  return "this key may not publish to this channel";
}

std::optional<std::string> BackendScope::refuses_users(std::string_view command, std::string_view params) const {
  if (users_.empty()) return {};
  const char* const others = "this key may reach certain users only, and has to name them";
  const auto all = nlohmann::json::parse(params, nullptr, false);
  if (!all.is_object()) return others;
  if (command == "sessions") {
    const auto user = all.find("user_id");
    return user != all.end() && user->is_string() && any_globs(users_, user->get<std::string>())
               ? std::nullopt
               : std::optional<std::string>(others);
  }
  if (!command.ends_with("_users")) return others;
  const auto users = all.find("user_ids");
  if (users == all.end() || !users->is_array()) return others;
  for (const auto& user : *users) {
    if (!user.is_string() || !any_globs(users_, user.get<std::string>()))
      return "this key may not reach one of these users";
  }
  return {};
}

}  // namespace nuropb::meshd::snorky
