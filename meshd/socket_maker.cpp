#include "meshd/socket_maker.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "common/sandbox.hpp"
#include "shm/control.hpp"
#include "shm/descriptor_packet.hpp"

namespace nuropb::meshd {
namespace {

constexpr int longest_wait_ms = 2000;

bool made(const SocketMaker::Place& place, shm::UniqueFd& out) {
  errno = 0;
  auto fd = shm::listen_at(place.path, place.type, 0600);
  if (!fd) return false;
  if (place.group && (::chown(place.path.c_str(), static_cast<uid_t>(-1), *place.group) != 0 ||
                      ::chmod(place.path.c_str(), 0660) != 0))
    return false;
  out = std::move(*fd);
  return true;
}

[[noreturn]] void serve(int socket, const std::vector<SocketMaker::Place>& places) {
  for (;;) {
    std::uint8_t number = 0;
    const ssize_t n = ::recv(socket, &number, sizeof number, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n != sizeof number || number >= places.size()) ::_exit(0);
    shm::UniqueFd fd;
    int error = 0;  // errno, if there is no descriptor
    if (!made(places[number], fd)) error = errno != 0 ? errno : EINVAL;
    shm::DescriptorPacket answer(&error, sizeof error);
    if (answer.send(socket, fd.get()) < 0) ::_exit(0);
  }
}

}  // namespace

Result<SocketMaker> SocketMaker::start(const std::vector<Place>& places) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return failure(std::string("cannot create sockets for the socket maker:  ") + std::strerror(errno));
  SocketMaker out;
  out.socket_.reset(ends[0]);
  shm::UniqueFd theirs(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return failure(std::string("cannot fork the socket maker:  ") + std::strerror(errno));
  if (child == 0) {
    // The helper ends together with meshd, and only then: a Ctrl-C reaches both.
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_IGN);
    ::prctl(PR_SET_NAME, "nuropb-sockets", 0, 0, 0);
    ::dup2(theirs.release(), 3);
    ::close_range(4, ~0U, 0);
    if (!sandbox::give_up(false, false)) ::_exit(1);
    serve(3, places);
  }
  return out;
}

Result<shm::UniqueFd> SocketMaker::make(std::size_t place) {
  const auto lost = [&](const char* why) {
    socket_.reset();  // a late answer would be taken for the answer to another request
    return failure(std::string("can't be made: ") + why, "", "the next meshd makes it");
  };
  if (!socket_) return lost("the process that makes sockets is gone");
  const auto number = static_cast<std::uint8_t>(place);
  if (::send(socket_.get(), &number, sizeof number, MSG_NOSIGNAL) != sizeof number)
    return lost("the process that makes sockets is gone");
  pollfd wait{socket_.get(), POLLIN, 0};
  if (::poll(&wait, 1, longest_wait_ms) != 1) return lost("the process that makes sockets does not answer");
  int error = 0;
  shm::DescriptorPacket answer(&error, sizeof error);
  if (answer.receive(socket_.get(), MSG_DONTWAIT) != sizeof error)
    return lost("the process that makes sockets is gone");
  if (auto fd = answer.take()) return fd;
  return failure(std::string("can't be made: ") + std::strerror(error), "", "");
}

}  // namespace nuropb::meshd
