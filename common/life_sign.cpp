#include "common/life_sign.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "common/service_notice.hpp"

namespace nuropb {

int LifeSign::inherited() {
  const char* const named = std::getenv(variable);
  if (!named) return -1;
  const std::string_view text = named;
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  // An inherited variable with a stale value must not make us write into some other file of ours.
  struct stat is{};
  if (error != std::errc() || end != text.data() + text.size() || fd < 0 || ::fstat(fd, &is) != 0 ||
      !S_ISFIFO(is.st_mode))
    return -1;
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) == O_WRONLY ? fd : -1;
}

LifeSign::LifeSign() {
  const int fd = inherited();
  if (fd < 0) return;
  const int flags = ::fcntl(fd, F_GETFL);
  if (::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return;
  fd_ = fd;
}

LifeSign::~LifeSign() {
  if (fd_ >= 0) ::close(fd_);
}

void LifeSign::give() {
  if (fd_ >= 0) (void)!::write(fd_, ".", 1);
  ServiceNotice::ours().alive();
}

}  // namespace nuropb
