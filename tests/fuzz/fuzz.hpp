#pragma once
// Shared by all fuzz targets.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string_view>

namespace nuropb::fuzz {

inline std::string_view text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A property that has to hold for every input.
inline void must(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "property violated: " << what << std::endl;
  std::abort();
}

}  // namespace nuropb::fuzz
