#include "bench/loadgen/wire.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iostream>

namespace nuropb::bench {
namespace {

constexpr std::size_t sockets_per_source = 20'000;

SSL_CTX* client_tls() {
  static SSL_CTX* const context = [] {
    SSL_CTX* const made = ::SSL_CTX_new(::TLS_client_method());
    ::SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);
    ::SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
    return made;
  }();
  return context;
}

}  // namespace

void die(const std::string& why) {
  std::cerr << "nuropb-loadgen: " << why << '\n';
  std::exit(1);
}

void need_descriptors(std::uint64_t wanted) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted) return;
  const rlim_t hard = limit.rlim_max;
  limit.rlim_cur = limit.rlim_max = std::max<rlim_t>(hard, wanted);
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return;  // only root may exceed the hard limit
  limit.rlim_cur = limit.rlim_max = hard;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (hard < wanted)
    die("only " + std::to_string(hard) + " descriptors are available (ulimit -n), " + std::to_string(wanted) +
        " are needed");
}

Place place_of(const std::string& url) {
  Place place;
  place.tls = url.starts_with("wss://");
  const std::size_t scheme = place.tls ? 6 : 5;
  const auto colon = url.find(':', scheme);
  const auto slash = url.find('/', scheme);
  if ((!place.tls && !url.starts_with("ws://")) || colon == std::string::npos || slash == std::string::npos ||
      slash < colon) {
    die("--url is not ws://ADDRESS:PORT/PATH: " + url);
  }
  place.host = url.substr(scheme, colon - scheme);
  place.path = url.substr(slash);
  const char *const first = url.data() + colon + 1, *const last = url.data() + slash;
  if (const auto [end, wrong] = std::from_chars(first, last, place.port); wrong != std::errc() || end != last)
    die("--url has no port: " + url);
  return place;
}

int connect_to(const Place& place, std::size_t number) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die(std::string("socket: ") + std::strerror(errno));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(place.port);
  if (::inet_pton(AF_INET, place.host.c_str(), &to.sin_addr) != 1) die("the host of --url is not an IPv4 address");
  const int on = 1;
  const auto source = static_cast<std::uint32_t>(number / sockets_per_source);
  if (source > 0 && place.host.starts_with("127.")) {
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
    // The port is chosen at connect(), when it only has to be unique per destination.
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&from), sizeof from) != 0)
      die(std::string("bind: ") + std::strerror(errno));
  }
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
    die(std::string("connect: ") + std::strerror(errno));
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

Stream::Stream(const Place& place, std::size_t number) : fd_(connect_to(place, number)) {
  if (!place.tls) return;
  ssl_.reset(::SSL_new(client_tls()));
  ::SSL_set_fd(ssl_.get(), fd_);
  if (::SSL_connect(ssl_.get()) != 1) die("the TLS handshake failed");
}

Stream::~Stream() {
  ssl_.reset();
  ::close(fd_);
}

void Stream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ssl_ ? ::SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()))
                           : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && !ssl_ && errno == EINTR) continue;
    if (n <= 0) die(std::string("send: ") + std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

bool Stream::read(std::string& into, bool wait) {
  char buffer[65536];
  if (!wait) {  // also for TLS, whose records without data are read together with the next one
    char one;
    if (!(ssl_ && ::SSL_pending(ssl_.get()) > 0) && ::recv(fd_, &one, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
        (errno == EAGAIN || errno == EINTR))
      return false;
  }
  const ssize_t n = ssl_ ? ::SSL_read(ssl_.get(), buffer, sizeof buffer) : ::recv(fd_, buffer, sizeof buffer, 0);
  if (n <= 0) die("the server closed a connection");
  into.append(buffer, static_cast<std::size_t>(n));
  return true;
}

std::optional<Frame> next_frame(std::string_view in, std::size_t& at, bool may_close) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(in[at + i]); };
  const std::size_t there = in.size() - at;
  if (there < 2) return {};
  std::size_t head = 2, size = byte(1) & 0x7f;
  if (size == 126) {
    if (there < 4) return {};
    size = static_cast<std::size_t>(byte(2) << 8 | byte(3));
    head = 4;
  } else if (size == 127) {
    if (there < 10) return {};
    size = 0;
    for (std::size_t i = 2; i < 10; ++i) size = size << 8 | byte(i);
    head = 10;
  }
  if (there - head < size || there < head) return {};
  const unsigned opcode = byte(0) & 0x0f;
  if (opcode == 8 && !may_close)
    die("the server closed with code " + std::to_string(size >= 2 ? byte(head) << 8 | byte(head + 1) : 0));
  if ((byte(0) & 0xf0) != 0x80 || (opcode != 1 && opcode != 8 && opcode != 9 && opcode != 10))
    die("a frame that is not a whole text");
  const Frame frame{opcode, in.substr(at + head, size)};
  at += head + size;
  return frame;
}

void append_frame(std::string& out, unsigned opcode, std::string_view payload) {
  const std::size_t size = payload.size();
  out.push_back(static_cast<char>(0x80 | opcode));
  // Clients have to mask; with a zero mask the payload is unchanged (RFC 6455 section 5.3).
  if (size < 126) {
    out.push_back(static_cast<char>(0x80 | size));
  } else if (size < 65536) {
    out.push_back(static_cast<char>(0x80 | 126));
    out.push_back(static_cast<char>(size >> 8));
    out.push_back(static_cast<char>(size));
  } else {
    out.push_back(static_cast<char>(0x80 | 127));
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(size >> shift));
  }
  out.append(4, '\0');
  out += payload;
}

void open_websocket(Stream& stream, const Place& place, const std::string& token, bool hello, std::string& in) {
  stream.write("GET " + place.path + " HTTP/1.1\r\nHost: " + place.host +
               "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer " +
               token + "\r\n\r\n");
  std::size_t end;
  while ((end = in.find("\r\n\r\n")) == std::string::npos) stream.read(in, true);
  if (in.compare(9, 3, "101") != 0) die("handshake: " + in.substr(0, in.find('\r')));
  in.erase(0, end + 4);
  if (!hello) return;
  for (std::size_t at = 0;;) {
    if (const auto frame = next_frame(in, at)) {
      if (frame->opcode == 9) {
        std::string pong;
        append_frame(pong, 10, frame->payload);
        stream.write(pong);
        continue;
      }
      if (frame->payload.find("\"hello\"") == std::string_view::npos) die("no hello: " + std::string(frame->payload));
      in.erase(0, at);
      return;
    }
    stream.read(in, true);
  }
}

}  // namespace nuropb::bench
