#pragma once
// Private to the config's files: the table of keys.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/config.hpp"

namespace nuropb {

/// A setting's value as any source says it.
using ConfigValue = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

struct ConfigKey {
  enum class Type { boolean, integer, text, list, path, choice } type = Type::text;
  std::string_view section, name;
  std::string_view doc;                   ///< a sentence or two for the commented sample
  std::int64_t minimum = 0, maximum = 0;  ///< integers
  std::vector<std::string_view> choices;  ///< choices
  bool secret = false;                    ///< URLs with passwords in them: never repeated in an error
  ConfigValue (*get)(const Config&) = nullptr;
  void (*set)(Config&, const ConfigValue&) = nullptr;  ///< the value has the right type and is within bounds
  /// A further condition on the value: what is wrong with it, or nothing.
  std::optional<std::string> (*check)(const ConfigValue&) = nullptr;
  bool paths = false;  ///< a list of files: relative ones like Type::path

  [[nodiscard]] std::string full_name() const { return std::string(section) + "." + std::string(name); }
};

struct ConfigSection {
  std::string_view name, doc;
  bool for_meshd = false;  ///< no edge is told of it
};

std::span<const ConfigSection> config_sections();
std::span<const ConfigKey> config_keys();
const ConfigKey* find_config_key(std::string_view section, std::string_view name);

/// From the text of an environment variable or of --set.
tl::expected<ConfigValue, std::string> value_from_text(const ConfigKey& key, std::string_view text);
/// Type, bounds, choices and the key's own condition; sets it if all is well.
std::optional<std::string> apply(Config& config, const ConfigKey& key, const ConfigValue& value);
/// As TOML.
std::string to_toml(const ConfigValue& value);

}  // namespace nuropb
