// Reference documentation of all keys.

#include <nlohmann/json.hpp>

#include "common/config_keys.hpp"

namespace nuropb {
namespace {

const char* name_of(ConfigKey::Type type) {
  switch (type) {
    case ConfigKey::Type::boolean: return "true or false";
    case ConfigKey::Type::integer: return "whole number";
    case ConfigKey::Type::text: return "text";
    case ConfigKey::Type::list: return "list of texts";
    case ConfigKey::Type::path: return "path";
    case ConfigKey::Type::choice: return "one of";
  }
  return "";
}

std::string kind_of(const ConfigKey& key) {
  std::string out = name_of(key.type);
  if (key.type == ConfigKey::Type::integer)
    out += ", " + std::to_string(key.minimum) + " to " + std::to_string(key.maximum);
  for (std::size_t i = 0; i < key.choices.size(); ++i) out += (i == 0 ? " " : ", ") + std::string(key.choices[i]);
  return out;
}

/// Escapes '|', so that it does not end a table's cell.
std::string in_a_cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

template <class Section, class Key>
void each(Section&& section, Key&& one) {
  for (const ConfigSection& part : config_sections()) {
    section(part);
    for (const ConfigKey& key : config_keys()) {
      if (key.section == part.name) one(key);
    }
  }
}

}  // namespace

std::string config_doc() {
  const Config defaults;
  std::string out = "# Settings of the NuroPb gateway\n";
  each(
      [&](const ConfigSection& section) {
        out += "\n## " + std::string(section.name) + "\n\n" + std::string(section.doc) +
               "\n\n| key | what | value | default |\n| --- | --- | --- | --- |\n";
      },
      [&](const ConfigKey& key) {
        out += "| `" + key.full_name() + "` | " + in_a_cell(key.doc) + " | " + kind_of(key) + " | `" +
               in_a_cell(to_toml(key.get(defaults))) + "` |\n";
      });
  return out;
}

std::string config_doc_json() {
  const Config defaults;
  nlohmann::json out = nlohmann::json::array();
  each([](const ConfigSection&) {},
       [&](const ConfigKey& key) {
         nlohmann::json one{
             {"key", key.full_name()},
             {"type", name_of(key.type)},
             {"doc", key.doc},
             {"default", nlohmann::json::parse(to_toml(key.get(defaults)))}};  // TOML and JSON write these values alike
         if (key.type == ConfigKey::Type::integer) {
           one["minimum"] = key.minimum;
           one["maximum"] = key.maximum;
         }
         if (!key.choices.empty()) one["choices"] = key.choices;
         out.push_back(std::move(one));
       });
  return out.dump();
}

std::string config_doc_roff() {
  const Config defaults;
  const auto roff = [](std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (c == '\\') out += "\\e";
      else if (c == '-') out += "\\-";
      else if (c == ':') out += ":\\:";  // allows a line break in a long list of names
      else out += c;
    }
    // A line that begins with a dot or a quote would be a roff request.
    return (!out.empty() && (out.front() == '.' || out.front() == '\'') ? "\\&" : "") + out;
  };
  std::string out;
  each([&](const ConfigSection& section) { out += ".SH [" + roff(section.name) + "]\n" + roff(section.doc) + "\n"; },
       [&](const ConfigKey& key) {
         out += ".TP\n.B " + roff(key.name) + "\n" + roff(key.doc) + " (" + roff(kind_of(key)) + "; default " +
                roff(to_toml(key.get(defaults))) + ")\n";
       });
  return out;
}

}  // namespace nuropb
