// Values of keys: parsing from text, storing into a Config, formatting as TOML.

#include <algorithm>
#include <charconv>

#include "common/config_keys.hpp"
#include "common/json/scan.hpp"

namespace nuropb {

using Type = ConfigKey::Type;

tl::expected<ConfigValue, std::string> value_from_text(const ConfigKey& key, std::string_view value) {
  switch (key.type) {
    case Type::boolean:
      if (value == "true") return true;
      if (value == "false") return false;
      return tl::unexpected<std::string>("is neither true nor false");
    case Type::integer: {
      std::int64_t n = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
      if (error != std::errc() || end != value.data() + value.size())
        return tl::unexpected<std::string>("is not a whole number");
      return n;
    }
    case Type::list: {
      std::vector<std::string> out;
      while (!value.empty()) {
        const auto comma = value.find(',');
        out.emplace_back(value.substr(0, comma));
        if (comma == std::string_view::npos) break;
        value.remove_prefix(comma + 1);
      }
      return out;
    }
    case Type::text:
    case Type::path:
    case Type::choice: break;
  }
  return std::string(value);
}

std::optional<std::string> apply(Config& config, const ConfigKey& key, const ConfigValue& value) {
  const auto wrong_type = [&](const char* wanted) { return std::string("is not ") + wanted; };
  switch (key.type) {
    case Type::boolean:
      if (!std::holds_alternative<bool>(value)) return wrong_type("true or false");
      break;
    case Type::integer: {
      const auto* n = std::get_if<std::int64_t>(&value);
      if (!n) return wrong_type("a whole number");
      if (*n < key.minimum) return std::to_string(*n) + " is below " + std::to_string(key.minimum);
      if (*n > key.maximum) return std::to_string(*n) + " is above " + std::to_string(key.maximum);
      break;
    }
    case Type::list:
      if (!std::holds_alternative<std::vector<std::string>>(value)) return wrong_type("a list of strings");
      break;
    case Type::text:
    case Type::path:
      if (!std::holds_alternative<std::string>(value)) return wrong_type("a string");
      break;
    case Type::choice: {
      const auto* word = std::get_if<std::string>(&value);
      if (!word || std::find(key.choices.begin(), key.choices.end(), *word) == key.choices.end()) {
        std::string all;
        for (const auto choice : key.choices) all += (all.empty() ? "" : ", ") + std::string(choice);
        return "is not one of " + all;
      }
      break;
    }
  }
  if (key.check) {
    if (auto wrong = key.check(value)) return wrong;
  }
  key.set(config, value);
  return {};
}

std::string to_toml(const ConfigValue& value) {
  if (const auto* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
  if (const auto* n = std::get_if<std::int64_t>(&value)) return std::to_string(*n);
  if (const auto* s = std::get_if<std::string>(&value)) return json::quoted(*s);
  std::string out = "[";
  for (const auto& entry : std::get<std::vector<std::string>>(value))
    out += (out.size() > 1 ? ", " : "") + json::quoted(entry);
  return out + "]";
}

}  // namespace nuropb
