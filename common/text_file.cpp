#include "common/text_file.hpp"

#include <fstream>

#include "common/byte_order_mark.hpp"

namespace nuropb {

Result<std::string> read_text_file(const std::string& file, std::size_t max_bytes) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return failure("can't be read", file);
  std::string text(max_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad())
    // For example a folder: it can be opened, and must not be taken for an empty file.
    return failure("can't be read", file);
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > max_bytes) return failure("larger than " + std::to_string(max_bytes / 1024) + " KiB", file);
  if (looks_like_utf16(text)) return failure("is written in UTF-16", file, "save it as UTF-8");
  if (text.starts_with(byte_order_mark)) text.erase(0, byte_order_mark.size());
  return text;
}

}  // namespace nuropb
