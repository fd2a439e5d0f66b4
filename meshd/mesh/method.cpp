#include "meshd/mesh/method.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace nuropb::mesh {
namespace {

using nlohmann::json;

/// As in JSON schema, 2.0 is an integer: callers in JavaScript cannot distinguish the two.
bool is_whole(const json& value) {
  return value.is_number_integer() || (value.is_number_float() && std::isfinite(value.get<double>()) &&
                                       std::trunc(value.get<double>()) == value.get<double>());
}

struct Type {
  std::string_view name, python_name;
  bool (*fits)(const json&);
};
constexpr std::array<Type, 7> types{{
    {"any", "Any", [](const json&) { return true; }},
    {"string", "str", [](const json& v) { return v.is_string(); }},
    {"number", "float", [](const json& v) { return v.is_number(); }},
    {"integer", "int", is_whole},
    {"boolean", "bool", [](const json& v) { return v.is_boolean(); }},
    {"object", "dict", [](const json& v) { return v.is_object(); }},
    {"array", "list", [](const json& v) { return v.is_array(); }},
}};

const Type* type_of(std::string_view name) {
  const auto found = std::find_if(types.begin(), types.end(),
                                  [&](const Type& type) { return name == type.name || name == type.python_name; });
  return found == types.end() ? nullptr : found;
}

const Parameter* find(const MethodInfo& info, std::string_view name) {
  const auto found =
      std::find_if(info.parameters.begin(), info.parameters.end(), [&](const Parameter& p) { return p.name == name; });
  return found == info.parameters.end() ? nullptr : &*found;
}

}  // namespace

void check_declaration(const std::string& method, const MethodInfo& info) {
  const auto wrong = [&](const std::string& why) { throw std::invalid_argument("method '" + method + "': " + why); };
  // Such methods could never be called (nuropb-wire.md, "Unknown or underscore-prefixed methods").
  if (method.empty() || method.front() == '_') wrong("a name must not be empty or begin with an underscore");
  for (const Parameter& parameter : info.parameters) {
    const Type* const type = type_of(parameter.type);
    if (!type) wrong("parameter '" + parameter.name + "' has the unknown type '" + parameter.type + "'");
    if (find(info, parameter.name) != &parameter) wrong("parameter '" + parameter.name + "' is declared twice");
    if (!parameter.fallback.is_null() && !type->fits(parameter.fallback))
      wrong("the default of '" + parameter.name + "' is not of type " + parameter.type);
  }
}

std::optional<std::string> accept_parameters(const MethodInfo& info, const std::string& method, json& params) {
  std::size_t declared = 0;
  for (const Parameter& parameter : info.parameters) {
    const auto given = params.find(parameter.name);
    if (given == params.end()) {
      if (parameter.required) return method + "() is missing its argument '" + parameter.name + "'";
      params[parameter.name] = parameter.fallback;
      ++declared;
      continue;
    }
    ++declared;
    if (given->is_null() && !parameter.required) continue;
    if (!type_of(parameter.type)->fits(*given)) {
      return method + "() takes '" + parameter.name + "' as " + parameter.type + ", not as " + given->type_name();
    }
  }
  if (info.any_parameters || params.size() == declared) return {};
  for (const auto& [name, value] : params.items()) {
    if (!find(info, name)) return method + "() has no argument '" + name + "'";
  }
  return {};
}

json description_of(const MethodInfo& info) {
  json properties = json::array(), required = json::array();
  for (const Parameter& parameter : info.parameters) {
    if (parameter.required) required.push_back(parameter.name);
    properties.push_back(json::array(
        {parameter.name,
         {{"type", parameter.type}, {"description", parameter.description}, {"default", parameter.fallback}}}));
  }
  return {{"description", info.description},
          {"requires_encryption", info.requires_encryption},
          {"parameters", {{"type", "object"}, {"properties", properties}, {"required", required}}}};
}

}  // namespace nuropb::mesh
