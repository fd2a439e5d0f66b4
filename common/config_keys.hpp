#pragma once
// The table of keys. Private to the config's files.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/config.hpp"

namespace nuropb {

/// A setting's value in the types that all sources share.
using ConfigValue = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

struct ConfigKey {
  enum class Type { boolean, integer, text, list, path, choice } type = Type::text;
  std::string_view section, name;
  std::string_view doc;                   ///< description for the sample and the reference
  std::int64_t minimum = 0, maximum = 0;  ///< integers
  std::vector<std::string_view> choices;  ///< choices
  bool secret = false;                    ///< URLs that may contain passwords: errors never repeat them
  ConfigValue (*get)(const Config&) = nullptr;
  /// Precondition: the value has the right type and is within bounds.
  void (*set)(Config&, const ConfigValue&) = nullptr;
  /// A further check of the value. Returns what is wrong with it, or nothing.
  std::optional<std::string> (*check)(const ConfigValue&) = nullptr;
  bool paths = false;  ///< a list of files; relative ones are resolved as for Type::path

  [[nodiscard]] std::string full_name() const { return std::string(section) + "." + std::string(name); }
};

struct ConfigSection {
  std::string_view name, doc;
  bool for_meshd = false;  ///< edges do not receive this section
};

std::span<const ConfigSection> config_sections();
std::span<const ConfigKey> config_keys();
const ConfigKey* find_config_key(std::string_view section, std::string_view name);

/// Parses the text of an environment variable or of --set.
tl::expected<ConfigValue, std::string> value_from_text(const ConfigKey& key, std::string_view text);
/// Checks type, bounds, choices and the key's own condition, then sets the value. Returns what is wrong, or nothing.
std::optional<std::string> apply(Config& config, const ConfigKey& key, const ConfigValue& value);
/// The value in TOML syntax.
std::string to_toml(const ConfigValue& value);

}  // namespace nuropb
