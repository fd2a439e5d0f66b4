#pragma once
// Functions that make a ConfigKey from a row of the table in config_keys.cpp, one per type. Included by config_keys.cpp
// only.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config_keys.hpp"

namespace nuropb {

using Type = ConfigKey::Type;
inline constexpr std::int64_t u32_max = 0xffff'ffff;
inline constexpr std::int64_t day_ms = 24LL * 3600 * 1000;

template <auto Section, auto Member>
ConfigValue get_integer(const Config& c) {
  return static_cast<std::int64_t>(c.*Section.*Member);
}
template <auto Section, auto Member>
void set_integer(Config& c, const ConfigValue& v) {
  auto& target = c.*Section.*Member;
  target = static_cast<std::decay_t<decltype(target)>>(std::get<std::int64_t>(v));
}
template <auto Section, auto Member, class T>
ConfigValue get_as(const Config& c) {
  return c.*Section.*Member;
}
template <auto Section, auto Member, class T>
void set_as(Config& c, const ConfigValue& v) {
  c.*Section.*Member = std::get<T>(v);
}

template <auto Section, auto Member>
ConfigKey integer(std::string_view section, std::string_view name, std::int64_t minimum, std::int64_t maximum,
                  std::string_view doc) {
  return {Type::integer,
          section,
          name,
          doc,
          minimum,
          maximum,
          {},
          false,
          get_integer<Section, Member>,
          set_integer<Section, Member>,
          nullptr};
}
template <auto Section, auto Member, class T>
ConfigKey plain_key(Type type, std::string_view section, std::string_view name, std::string_view doc) {
  return {type, section, name, doc, 0, 0, {}, false, get_as<Section, Member, T>, set_as<Section, Member, T>, nullptr};
}
template <auto Section, auto Member>
ConfigKey text(std::string_view section, std::string_view name, std::string_view doc) {
  return plain_key<Section, Member, std::string>(Type::text, section, name, doc);
}
template <auto Section, auto Member>
ConfigKey path(std::string_view section, std::string_view name, std::string_view doc) {
  return plain_key<Section, Member, std::string>(Type::path, section, name, doc);
}
template <auto Section, auto Member>
ConfigKey list(std::string_view section, std::string_view name, std::string_view doc) {
  return plain_key<Section, Member, std::vector<std::string>>(Type::list, section, name, doc);
}
template <auto Section, auto Member>
ConfigKey boolean(std::string_view section, std::string_view name, std::string_view doc) {
  return plain_key<Section, Member, bool>(Type::boolean, section, name, doc);
}

inline ConfigKey checked(ConfigKey key, std::optional<std::string> (*check)(const ConfigValue&)) {
  key.check = check;
  return key;
}

/// A key of limits.connection or limits.user.
template <auto Set, auto Member>
ConfigKey rate(std::string_view name, std::string_view doc) {
  ConfigKey key{Type::integer, "limits", name, doc, 0, u32_max, {}, false, nullptr, nullptr, nullptr};
  key.get = [](const Config& c) -> ConfigValue { return static_cast<std::int64_t>(c.limits.*Set.*Member); };
  key.set = [](Config& c, const ConfigValue& v) {
    c.limits.*Set.*Member = static_cast<std::uint32_t>(std::get<std::int64_t>(v));
  };
  return key;
}

/// `Words` are the names of the enum's values, starting at 0.
template <auto Section, auto Member, const auto& Words>
ConfigKey choice(std::string_view section, std::string_view name, std::string_view doc) {
  ConfigKey key{Type::choice, section, name, doc, 0, 0, {Words.begin(), Words.end()}, false, nullptr, nullptr, nullptr};
  key.get = [](const Config& c) -> ConfigValue {
    return std::string(Words[static_cast<std::size_t>(c.*Section.*Member)]);
  };
  key.set = [](Config& c, const ConfigValue& v) {
    auto& target = c.*Section.*Member;
    target = static_cast<std::decay_t<decltype(target)>>(
        std::find(Words.begin(), Words.end(), std::get<std::string>(v)) - Words.begin());
  };
  return key;
}
template <auto Section, auto Member>
ConfigKey path_list(std::string_view section, std::string_view name, std::string_view doc) {
  ConfigKey key = list<Section, Member>(section, name, doc);
  key.paths = true;
  key.check = [](const ConfigValue& v) -> std::optional<std::string> {
    for (const auto& file : std::get<std::vector<std::string>>(v)) {
      if (file.empty()) return "has an empty entry";
    }
    return {};
  };
  return key;
}

}  // namespace nuropb
