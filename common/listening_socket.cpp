#include "common/listening_socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nuropb {
namespace {

struct Place {
  sockaddr_storage address{};
  socklen_t size = 0;
};

bool place_of(const ListenAt& at, Place& out) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (at.address.empty() || ::getaddrinfo(at.address.c_str(), std::to_string(at.port).c_str(), &hints, &found) != 0)
    return false;
  std::memcpy(&out.address, found->ai_addr, found->ai_addrlen);
  out.size = found->ai_addrlen;
  ::freeaddrinfo(found);
  return true;
}

bool set(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

bool set_up(int fd, const ListenAt& at, const Place& place) {
  const bool v6 = place.address.ss_family == AF_INET6;
  return set(fd, SOL_SOCKET, SO_REUSEADDR, 1) && (!v6 || set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
         (!at.shared || set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
         ::bind(fd, reinterpret_cast<const sockaddr*>(&place.address), place.size) == 0 &&
         ::listen(fd, at.backlog) == 0;
}

}  // namespace

Result<int> listening_socket(const ListenAt& at) {
  Place place;
  if (!place_of(at, place)) return failure("'" + at.address + "' is not an IP address");
  const int fd = ::socket(place.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (fd < 0) return failure(std::strerror(errno));
  if (set_up(fd, at, place)) return fd;
  const std::string why = std::strerror(errno);
  ::close(fd);
  return failure(why);
}

}  // namespace nuropb
