#pragma once
// The console's files (edge/web/console), compiled in, because a running edge cannot open files.

#include <span>
#include <string_view>

namespace nuropb::edge {

struct ConsoleFile {
  std::string_view name;  ///< "index.html"
  std::string_view bytes;
};
std::span<const ConsoleFile> console_files();

}  // namespace nuropb::edge
