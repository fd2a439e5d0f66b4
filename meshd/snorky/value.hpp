#pragma once
// JSON values as Snorky's services compare them: a channel is any value, compared by meaning and not by spelling;
// params are exactly the named ones. Pure; the text comes from a client or a backend and was validated before.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/json/scan.hpp"

namespace nuropb::meshd::snorky {

/// The canonical spelling of a value: no white space, members sorted by name (of duplicates the last), strings with the
/// fewest escapes, numbers by their exact decimal value (1, 1.0 and 10e-1 are equal; so are 0 and -0). Unlike in
/// Python, `true` differs from 1. The result is JSON. Precondition: `raw` is valid JSON.
std::string canonical(std::string_view raw);

/// The text that policy patterns are matched against: a string's content, or the canonical JSON of any other value.
std::string as_text(std::string_view raw);

/// Binds the members of `params` like keyword arguments in the original: each requested member must exist, and no
/// other. Otherwise returns false ("Invalid params"). Precondition: `params` is valid JSON of any kind.
bool bind(std::string_view params, std::initializer_list<std::pair<std::string_view, json::Slice*>> wanted);
/// The same with optional members.
bool bind(std::string_view params, std::initializer_list<std::pair<std::string_view, json::Slice*>> wanted,
          std::initializer_list<std::pair<std::string_view, json::Slice*>> optional);

}  // namespace nuropb::meshd::snorky
