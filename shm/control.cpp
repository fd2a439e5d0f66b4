#include "shm/control.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "common/errno_text.hpp"

namespace nuropb::shm {
namespace {

// A message is one packet: a head, then the text.
enum class Kind : std::uint32_t { hello = 0x4c48'504e, welcome = 0x4d57'504e, refusal = 0x4652'504e };
struct Head {
  Kind kind;
  std::uint32_t a, b;  ///< hello: abi, 0; welcome: slot, generation; refusal: 0, 0
};
constexpr std::size_t max_text = 512;
constexpr std::size_t max_packet = sizeof(Head) + max_text;
constexpr int max_fds = 4;  // in a welcome: M, E, and the edge's two ends of the doorbell

Result<sockaddr_un> address(const std::string& path) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof out.sun_path) {
    return failure("the path of a Unix socket has 1 to " + std::to_string(sizeof out.sun_path - 1) + " bytes", path,
                   "choose a shorter gateway.runtime_dir");
  }
  std::memcpy(out.sun_path, path.c_str(), path.size() + 1);
  return out;
}

Result<void> send_packet(int fd, const Head& head, std::string_view text, const int* fds, int fd_count) {
  if (text.size() > max_text) text = text.substr(0, max_text);
  std::array<char, max_packet> packet;
  std::memcpy(packet.data(), &head, sizeof head);
  if (!text.empty()) std::memcpy(packet.data() + sizeof head, text.data(), text.size());
  iovec part{packet.data(), sizeof head + text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * max_fds)] = {};
  if (fd_count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * static_cast<std::size_t>(fd_count));
    cmsghdr* const c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * static_cast<std::size_t>(fd_count));
    std::memcpy(CMSG_DATA(c), fds, sizeof(int) * static_cast<std::size_t>(fd_count));
  }
  if (::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return failure("sending failed: " + errno_text(), "control socket");
  return {};
}

}  // namespace

Result<ControlChannel> ControlChannel::connect(const std::string& path) {
  const auto to = address(path);
  if (!to) return tl::unexpected(to.error());
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return failure("no socket: " + errno_text(), path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*to), sizeof *to) != 0) {
    return failure("connecting failed: " + errno_text(), path,
                   "is nuropb-meshd running with this gateway.runtime_dir?");
  }
  return ControlChannel(std::move(fd));
}

Result<PeerCredentials> ControlChannel::peer() const {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
    return failure("no credentials: " + errno_text(), "control socket");
  return PeerCredentials{who.pid, who.uid, who.gid};
}

Result<void> ControlChannel::send_hello(const Hello& hello) {
  return send_packet(fd_.get(), {Kind::hello, hello.abi, 0}, hello.ticket, nullptr, 0);
}
Result<void> ControlChannel::send_welcome(const Welcome& welcome, int fd_m, int fd_e, const Doorbell& theirs) {
  const int fds[max_fds] = {fd_m, fd_e, theirs.fd(), theirs.ring_fd()};
  return send_packet(fd_.get(), {Kind::welcome, welcome.slot, welcome.generation}, welcome.ticket, fds, max_fds);
}
Result<void> ControlChannel::send_refusal(const Refusal& refusal) {
  return send_packet(fd_.get(), {Kind::refusal, 0, 0}, refusal.reason, nullptr, 0);
}

namespace {

/// The buffer for one packet. Not cleared: the kernel reports how much it has written.
struct Place {
  Place() {}
  msghdr message() {
    part = {packet.data(), packet.size()};
    msghdr out{};
    out.msg_iov = &part;
    out.msg_iovlen = 1;
    out.msg_control = control;
    out.msg_controllen = sizeof control;
    return out;
  }
  std::array<char, max_packet> packet;
  iovec part;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * max_fds) + CMSG_SPACE(sizeof(ucred))];
};

bool is_pipe(const UniqueFd& fd) {
  struct stat found{};
  return ::fstat(fd.get(), &found) == 0 && S_ISFIFO(found.st_mode);
}

ControlChannel::Received::What why_none() {
  using What = ControlChannel::Received::What;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? What::nothing : What::closed;
}

/// Parses a packet of `n` bytes with the descriptors that came with it.
ControlChannel::Received understand(msghdr& message, std::size_t n) {
  using What = ControlChannel::Received::What;
  ControlChannel::Received out;
  const char* const packet = static_cast<const char*>(message.msg_iov->iov_base);
  // Descriptors are owned from here on, whether expected or not.
  std::array<UniqueFd, max_fds> fds;
  std::size_t fd_count = 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(ucred))) {
      ucred who;
      std::memcpy(&who, CMSG_DATA(c), sizeof who);
      if (who.pid > 0) out.sender = PeerCredentials{who.pid, who.uid, who.gid};
    }
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count && fd_count < fds.size(); ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      fds[fd_count++].reset(fd);
    }
  }
  if (n == 0) {
    out.what = What::closed;  // the peer has closed: no peer sends an empty packet
    return out;
  }
  const auto rubbish = [&](const char* why) {
    out.what = What::rubbish;
    out.rubbish = why;
    return std::move(out);
  };
  if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) return rubbish("a packet that is too long");
  Head head;
  if (n < sizeof head) return rubbish("a packet that is too short");
  std::memcpy(&head, packet, sizeof head);
  std::string text(packet + sizeof head, n - sizeof head);
  if (head.kind != Kind::welcome && fd_count > 0) return rubbish("unexpected descriptors");
  switch (head.kind) {
    case Kind::hello:
      out.what = What::hello;
      out.hello = {head.a, std::move(text)};
      return out;
    case Kind::welcome:
      if (fd_count != max_fds) return rubbish("a welcome without its four descriptors");
      if (!is_pipe(fds[2]) || !is_pipe(fds[3])) return rubbish("a welcome whose doorbell is not a pair of pipes");
      out.what = What::welcome;
      out.welcome = {head.a, head.b, std::move(text)};
      out.fd_m = std::move(fds[0]);
      out.fd_e = std::move(fds[1]);
      out.bell = Doorbell(std::move(fds[2]), std::move(fds[3]));
      return out;
    case Kind::refusal:
      out.what = What::refusal;
      out.refusal = {std::move(text)};
      return out;
  }
  return rubbish("a packet of unknown kind");
}

}  // namespace

ControlChannel::Received ControlChannel::receive() {
  Place place;
  msghdr message = place.message();
  const ssize_t n = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n >= 0) return understand(message, static_cast<std::size_t>(n));
  Received out;
  out.what = why_none();
  return out;
}

Result<ControlListener> ControlListener::listen(const std::string& path, mode_t mode) {
  ControlListener out;
  out.path_ = path;
  if (const auto locked = out.lock(); !locked) return tl::unexpected(locked.error());
  if (const auto taken = out.take(listen_at(path, SOCK_SEQPACKET, mode)); !taken) return tl::unexpected(taken.error());
  return out;
}

Result<void> ControlListener::lock() {
  // The lock's holder owns the path; the kernel releases the lock when the process ends, in whatever way.
  UniqueFd lock(::open((path_ + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return failure("can't be opened: " + errno_text(), path_ + ".lock");
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return failure("another nuropb-meshd is running here", path_, "stop it, or choose another gateway.runtime_dir");
  }
  lock_ = std::move(lock);
  return {};
}

Result<UniqueFd> listen_at(const std::string& path, int type, mode_t mode) {
  const auto where = address(path);
  if (!where) return tl::unexpected(where.error());
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return failure("no socket: " + errno_text(), path);
  // Must be set before the first connection, which inherits it.
  if (const int on = 1; type == SOCK_SEQPACKET && ::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
    return failure("receiving credentials failed: " + errno_text(), path);
  ::unlink(path.c_str());
  const mode_t before = ::umask(static_cast<mode_t>(~mode & 0777));
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*where), sizeof *where);
  const int why = errno;
  ::umask(before);
  errno = why;
  if (bound != 0) return failure("binding failed: " + errno_text(), path);
  if (::listen(fd.get(), 128) != 0) return failure("listening failed: " + errno_text(), path);
  return fd;
}

Result<void> ControlListener::take(Result<UniqueFd> fd) {
  if (!fd) return tl::unexpected(fd.error());
  struct stat made{};
  if (::stat(path_.c_str(), &made) != 0) return failure(errno_text(), path_);
  device_ = made.st_dev;
  inode_ = made.st_ino;
  fd_ = std::move(*fd);
  return {};
}

bool ControlListener::there() const {
  struct stat now{};
  return ::stat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_;
}

Result<void> ControlListener::listen_again(const std::function<Result<UniqueFd>()>& make) {
  struct stat file{}, ours{};
  const bool locked = ::stat((path_ + ".lock").c_str(), &file) == 0 && ::fstat(lock_.get(), &ours) == 0 &&
                      file.st_dev == ours.st_dev && file.st_ino == ours.st_ino;
  if (!locked) {
    if (auto done = lock(); !done) return done;
  }
  return take(make());
}

ControlListener::~ControlListener() {
  if (fd_ && there()) ::unlink(path_.c_str());
}

std::optional<ControlChannel> ControlListener::accept() {
  const int fd = ::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return {};
  return ControlChannel(UniqueFd(fd));
}

}  // namespace nuropb::shm
