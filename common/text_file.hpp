#pragma once
// Reads a small text file completely, up to a bound. A leading byte order mark is skipped; a file in UTF-16 is refused
// with that reason, since every parser would misread it.

#include <cstddef>
#include <string>

#include "common/result.hpp"

namespace nuropb {

Result<std::string> read_text_file(const std::string& file, std::size_t max_bytes);

}  // namespace nuropb
