#pragma once
// JSON values as Snorky's services look at them: a channel is any value, equal by what it says and not by how it is
// written; params are exactly the named ones. Pure; the text is a consumer's or a backend's, and was validated before.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/json/scan.hpp"

namespace nuropb::meshd::snorky {

/// The one spelling of a value: no white space, members sorted by name (of two with one name the last), strings with
/// the fewest escapes, numbers by their exact decimal value (1, 1.0 and 10e-1 are one; so are 0 and -0). `true` is not 1,
/// other than in Python. Itself JSON. Precondition: `raw` is valid JSON.
std::string canonical(std::string_view raw);

/// What patterns of a policy see of a value: the text of a string, of anything else its canonical JSON.
std::string as_text(std::string_view raw);

/// Binds the members of `params`: each of those asked for has to be there, and no other, as the original binds keyword
/// arguments. False ("Invalid params") otherwise. Precondition: `params` is valid JSON of any kind.
bool bind(std::string_view params, std::initializer_list<std::pair<std::string_view, json::Slice*>> wanted);
/// The same with some that may be missing.
bool bind(std::string_view params, std::initializer_list<std::pair<std::string_view, json::Slice*>> wanted,
          std::initializer_list<std::pair<std::string_view, json::Slice*>> optional);

}  // namespace nuropb::meshd::snorky
