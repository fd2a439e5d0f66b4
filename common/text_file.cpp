#include "common/text_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/byte_order_mark.hpp"
#include "common/errno_text.hpp"

namespace nuropb {

Result<std::string> read_text_file(const std::string& file, std::size_t max_bytes) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return failure("can't be read: " + errno_text(), file);
  std::string text(max_bytes + 1, '\0');
  std::size_t size = 0;
  ssize_t got = 0;
  do {
    got = ::read(descriptor, text.data() + size, text.size() - size);
    if (got > 0) size += static_cast<std::size_t>(got);
  } while (size < text.size() && (got > 0 || (got < 0 && errno == EINTR)));
  // A folder can be opened but not read, and must not count as an empty file.
  const std::string why = got < 0 ? errno_text() : std::string();
  ::close(descriptor);
  if (got < 0) return failure("can't be read: " + why, file);
  text.resize(size);
  if (text.size() > max_bytes) return failure("larger than " + std::to_string(max_bytes / 1024) + " KiB", file);
  if (looks_like_utf16(text)) return failure("is written in UTF-16", file, "save it as UTF-8");
  if (text.starts_with(byte_order_mark)) text.erase(0, byte_order_mark.size());
  return text;
}

}  // namespace nuropb
