#pragma once
// A small file that a person wrote, read whole, with a bound.

#include <cstddef>
#include <string>

#include "common/result.hpp"

namespace nuropb {

Result<std::string> read_text_file(const std::string& file, std::size_t max_bytes);

}  // namespace nuropb
