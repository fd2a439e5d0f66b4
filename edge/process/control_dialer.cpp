#include "edge/process/control_dialer.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>

#include "common/errno_text.hpp"
#include "shm/descriptor_packet.hpp"

namespace nuropb::edge {
namespace {

constexpr int patience_ms = 100;
constexpr auto between_dials = std::chrono::milliseconds(40);
constexpr const char* socket_name = "meshd.sock";

// The reason is sent instead of a descriptor. A packet cannot be empty, so a connection is sent with one byte.
constexpr std::size_t longest_reason = 512;

/// Tries the path within the folder first, because a parent folder may be closed to this user; then the full path,
/// because the folder may have been removed and recreated.
Result<shm::ControlChannel> connected(bool within, const std::string& path) {
  if (within) {
    if (auto channel = shm::ControlChannel::connect(socket_name)) return channel;
  }
  return shm::ControlChannel::connect(path);
}

[[noreturn]] void serve(int socket, bool within, const std::string& path) {
  for (;;) {
    char asked = 0;
    const ssize_t n = ::recv(socket, &asked, sizeof asked, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n != sizeof asked) ::_exit(0);
    const auto channel = connected(within, path);
    std::string text = channel ? std::string(1, '\0') : channel.error().text().substr(0, longest_reason);
    shm::DescriptorPacket answer(text.data(), text.size());
    if (answer.send(socket, channel ? channel->fd() : -1) < 0) ::_exit(0);
    std::this_thread::sleep_for(between_dials);
  }
}

}  // namespace

Result<ControlDialer> ControlDialer::start(const Settings& settings) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return failure("cannot create sockets for the control dialer:  " + errno_text());
  ControlDialer out;
  out.socket_.reset(ends[0]);
  shm::UniqueFd theirs(ends[1]);
  const std::string path = settings.folder + "/" + socket_name;
  const pid_t child = ::fork();
  if (child < 0) return failure("cannot fork the control dialer:  " + errno_text());
  if (child == 0) {
    // The dialer ends together with the edge, and only then: a Ctrl-C reaches both.
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_IGN);
    ::prctl(PR_SET_NAME, "nuropb-dialer", 0, 0, 0);
    ::dup2(theirs.release(), 3);
    ::close_range(4, ~0U, 0);
    const bool other = settings.user && settings.user->uid != 0;
    const bool within = other && ::chdir(settings.folder.c_str()) == 0;
    if (settings.user && !sandbox::become(*settings.user)) ::_exit(1);
    if (!sandbox::give_up(false, true)) ::_exit(1);
    if (settings.seccomp && !sandbox::allow_only(sandbox::Role::dialer)) ::_exit(1);
    serve(3, within, path);
  }
  return out;
}

Result<shm::ControlChannel> ControlDialer::lost() {
  socket_.reset();
  return failure("the process that connects to meshd for this edge is gone", "nuropb-dialer");
}

Result<shm::ControlChannel> ControlDialer::connect() {
  if (!socket_) return lost();
  if (const char ask = 1; !asked_ && ::send(socket_.get(), &ask, sizeof ask, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof ask)
    return lost();
  asked_ = true;
  pollfd wait{socket_.get(), POLLIN, 0};
  if (::poll(&wait, 1, patience_ms) <= 0)
    return failure("the process that connects to meshd for this edge has not answered yet", "nuropb-dialer");
  std::array<char, longest_reason> text{};
  shm::DescriptorPacket answer(text.data(), text.size());
  const ssize_t n = answer.receive(socket_.get(), MSG_DONTWAIT);
  if (n <= 0) return lost();
  asked_ = false;
  if (auto connection = answer.take()) return shm::ControlChannel(std::move(connection));
  return failure(std::string(text.data(), static_cast<std::size_t>(n)));
}

}  // namespace nuropb::edge
