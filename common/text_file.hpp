#pragma once
// A small file that a person wrote, read whole, with a bound. A byte order mark at its begin is left out; a file in UTF-16
// is refused with that reason, since all readers would take it for something else.

#include <cstddef>
#include <string>

#include "common/result.hpp"

namespace nuropb {

Result<std::string> read_text_file(const std::string& file, std::size_t max_bytes);

}  // namespace nuropb
