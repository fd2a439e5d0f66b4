#include "common/service_notice.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace nuropb {
namespace {

/// The integer value of an environment variable; 0 if it is not set or not a number.
std::uint64_t number_of(const char* variable) {
  const char* const named = std::getenv(variable);
  if (!named) return 0;
  std::uint64_t number = 0;
  const char* const end = named + std::strlen(named);
  const auto [at, error] = std::from_chars(named, end, number);
  return error == std::errc() && at == end ? number : 0;
}

/// A socket connected to the address: a path, or after '@' a name in the abstract namespace. -1 for other addresses.
int connected_to(std::string_view name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() < 2 || name.size() >= sizeof address.sun_path || (name[0] != '/' && name[0] != '@')) return -1;
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name[0] == '@') address.sun_path[0] = '\0';
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  if (fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) return fd;
  if (fd >= 0) ::close(fd);
  return -1;
}

}  // namespace

ServiceNotice& ServiceNotice::ours() {
  static ServiceNotice notice;
  return notice;
}

ServiceNotice::ServiceNotice() {
  if (const char* const named = std::getenv("NOTIFY_SOCKET")) fd_ = connected_to(named);
  const std::uint64_t pid = number_of("WATCHDOG_PID");
  watched_ = number_of("WATCHDOG_USEC") > 0 && (pid == 0 || pid == static_cast<std::uint64_t>(::getpid()));
}

ServiceNotice::~ServiceNotice() {
  if (fd_ >= 0) ::close(fd_);
}

void ServiceNotice::reloading() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto us = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us));
}

void ServiceNotice::send(std::string_view text) const {
  if (fd_ >= 0) (void)!::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace nuropb
