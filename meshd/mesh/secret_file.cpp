#include "meshd/mesh/secret_file.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "common/byte_order_mark.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::mesh {

SecretFile::Look SecretFile::look() const {
  struct stat s{};
  if (::stat(path_.c_str(), &s) != 0) return {};
  return {s.st_dev, s.st_ino, s.st_size, s.st_mtim};
}

bool SecretFile::changed() const {
  const Look now = look();
  return now.size < 0 || now.device != read_.device || now.inode != read_.inode || now.size != read_.size ||
         now.changed.tv_sec != read_.changed.tv_sec || now.changed.tv_nsec != read_.changed.tv_nsec;
}

Result<std::string> SecretFile::read_lines() {
  read_ = look();  // before reading, so that a concurrent change is detected as one
  // O_NONBLOCK: does not wait for a writer if the path is a FIFO.
  const shm::UniqueFd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return failure(std::string("can't be read: ") + std::strerror(errno), path_, setting_ + " names it");
  std::string out(largest + 1, '\0');
  std::size_t size = 0;
  while (size < out.size()) {
    const auto got = ::read(file.get(), out.data() + size, out.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure(std::string("can't be read: ") + std::strerror(errno), path_, setting_ + " names it");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > largest) return failure("is larger than 64 KiB", path_, setting_ + " names it");
  out.resize(size);
  if (looks_like_utf16(out)) return failure("is written in UTF-16", path_, "save it as UTF-8");
  if (out.starts_with(byte_order_mark)) out.erase(0, byte_order_mark.size());
  while (!out.empty() && (out.back() == '\n' || out.back() == '\r')) out.pop_back();
  if (out.empty()) return failure("is empty", path_, setting_ + " names it");
  return out;
}

Result<std::string> SecretFile::read() {
  auto out = read_lines();
  if (out && out->find_first_of(std::string_view("\0\n", 2)) != std::string::npos)
    return failure("holds more than one line of text", path_,
                   setting_ + " names a file with a password or token and nothing else");
  return out;
}

}  // namespace nuropb::mesh
