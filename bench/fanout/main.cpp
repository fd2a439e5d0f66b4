// bench_fanout: both ends of ten thousand sockets, as cheap as possible, for bench/fanout/run.
//
//   bench_fanout hold   clients: opens the given number of WebSockets and compares every received byte with what has to
//                       arrive. A line "wait N" on standard input is answered once every socket has received N messages.
//                       Pings are answered meanwhile, however long that takes.
//   bench_fanout serve  the baseline: accepts as many, answers the upgrade, sends one text, and for each line "push N"
//                       writes a frame with N bytes of text to every socket by one send() each. No WebSocket library, no
//                       limits, no counting: only what the kernel needs for a delivery.
//
// One thread each; a socket is a descriptor and three words. RLIMIT_NOFILE is raised as far as possible.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "bench/input.hpp"

namespace {

constexpr int batch = 512;  // events of one epoll_wait
constexpr char ping = '\x89', pong = '\x8a', close_frame = '\x88';

[[noreturn]] void die(const std::string& why) {
  std::cerr << "bench_fanout: " << why << '\n';
  std::exit(1);
}

[[noreturn]] void die_errno(const std::string& what) { die(what + ": " + std::strerror(errno)); }

/// Raises the limit to `wanted` descriptors, or ends the program.
std::uint64_t raise_descriptors(std::uint64_t wanted) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted) return limit.rlim_cur;
  const rlim_t hard = limit.rlim_max;
  limit.rlim_cur = limit.rlim_max = std::max<rlim_t>(hard, wanted);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {  // only root may exceed the hard limit
    limit.rlim_cur = limit.rlim_max = hard;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < wanted)
    die("only " + std::to_string(limit.rlim_cur) + " descriptors are available (ulimit -n), " + std::to_string(wanted) +
        " are needed");
  return limit.rlim_cur;
}

double cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

/// The frame of a server's text message, unmasked.
std::string frame_of(std::string_view text) {
  std::string out = "\x81";
  if (text.size() < 126) {
    out += static_cast<char>(text.size());
  } else {
    if (text.size() > 65535) die("the message is longer than 65,535 bytes");
    out += {static_cast<char>(126), static_cast<char>(text.size() >> 8), static_cast<char>(text.size())};
  }
  return out.append(text);
}

/// A message with this many bytes: a JSON text.
std::string text_of(std::size_t bytes) { return "\"" + std::string(bytes < 2 ? 0 : bytes - 2, 'm') + "\""; }

/// The number of a line "word 12".
std::uint64_t number_of(const std::string& line, std::string_view word) {
  std::uint64_t number = 0;
  const char* const last = line.data() + line.size();
  if (!line.starts_with(word) || line.size() <= word.size()) die("no such command: " + line);
  const auto [end, wrong] = std::from_chars(line.data() + word.size() + 1, last, number);
  if (wrong != std::errc() || end != last) die("no such command: " + line);
  return number;
}

struct Place {
  sockaddr_in address{};
  std::string path;
};

Place place_of(const std::string& url) {
  constexpr std::string_view scheme = "ws://";
  const auto colon = url.find(':', scheme.size()), slash = url.find('/', scheme.size());
  Place out;
  if (!url.starts_with(scheme) || colon == std::string::npos || slash == std::string::npos || slash < colon)
    die("--url is not ws://ADDRESS:PORT/PATH: " + url);
  std::uint16_t port = 0;
  std::from_chars(url.data() + colon + 1, url.data() + slash, port);
  out.address.sin_family = AF_INET;
  out.address.sin_port = htons(port);
  if (::inet_pton(AF_INET, url.substr(scheme.size(), colon - scheme.size()).c_str(), &out.address.sin_addr) != 1)
    die("no IPv4 address: " + url);
  out.path = url.substr(slash);
  return out;
}

// hold

struct Held {
  int fd = -1;
  std::uint64_t messages = 0;  ///< complete ones
  std::uint32_t at = 0;        ///< received bytes of the next one
  bool upgraded = false;
  bool hello = false;  ///< the first text was received
  std::string part{};  ///< a part of the response to the upgrade, of the first text, or of a control frame
};

class Holder {
 public:
  Holder(const std::vector<std::string>& urls, const std::string& token, std::size_t connections, std::size_t bytes)
      : frame_(frame_of(text_of(bytes))), sockets_(connections), epoll_(::epoll_create1(0)) {
    std::vector<Place> places;
    for (const auto& url : urls) places.push_back(place_of(url));
    for (std::size_t i = 0; i < connections; ++i) {
      open(i, places[i % places.size()], token);
      if (i % 200 == 199) until([this] { return true; });  // responses are read meanwhile
    }
    until([this] { return greeted_ == sockets_.size(); });
  }

  [[nodiscard]] int epoll() const { return epoll_; }

  /// Reads what is available, without blocking.
  void serve() {
    epoll_event events[batch];
    const int n = ::epoll_wait(epoll_, events, batch, 0);
    for (int i = 0; i < n; ++i) read(sockets_[events[i].data.u64]);
  }

  void wait_for(std::uint64_t messages) {
    wanted_ = messages;
    done_ = 0;
    for (const Held& held : sockets_) done_ += held.messages >= wanted_ ? 1 : 0;
    until([this] { return done_ == sockets_.size(); });
  }

 private:
  void open(std::size_t i, const Place& place, const std::string& token) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) die_errno("socket");
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&place.address), sizeof place.address) != 0)
      die_errno("connect");
    const std::string request = "GET " + place.path +
                                " HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: "
                                "Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                "Sec-WebSocket-Version: 13\r\nAuthorization: Bearer " +
                                token + "\r\n\r\n";
    if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      die_errno("send");
    sockets_[i].fd = fd;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  /// Reads until the condition holds.
  template <class State>
  void until(State&& state) {
    epoll_event events[batch];
    for (;;) {
      const int n = ::epoll_wait(epoll_, events, batch, state() ? 0 : 60'000);
      if (n < 0 && errno != EINTR) die_errno("epoll_wait");
      if (n == 0 && state()) return;
      if (n == 0)
        die("nothing was received for a minute: " + std::to_string(greeted_) + " sockets are open, " +
            std::to_string(done_) + " have received what is awaited");
      for (int i = 0; i < n; ++i) read(sockets_[events[i].data.u64]);
    }
  }

  void read(Held& held) {
    char buffer[65536];
    const ssize_t n = ::recv(held.fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) die("a socket was closed: " + held.part);
    std::string_view bytes(buffer, static_cast<std::size_t>(n));
    if (!held.upgraded) bytes = upgrade(held, bytes);
    const bool had = held.messages >= wanted_;
    while (!bytes.empty()) {
      if (!held.hello || !held.part.empty() || (held.at == 0 && bytes.front() != frame_.front())) {
        bytes = other_frame(held, bytes);
        continue;
      }
      const std::string_view rest = std::string_view(frame_).substr(held.at), part = bytes.substr(0, rest.size());
      if (part != rest.substr(0, part.size())) die("what was received is not what was sent");
      held.at += static_cast<std::uint32_t>(part.size());
      bytes.remove_prefix(part.size());
      if (held.at < frame_.size()) break;
      held.at = 0;
      ++held.messages;
    }
    if (!had && held.messages >= wanted_) ++done_;
  }

  /// Skips the response to the upgrade; returns what is left.
  static std::string_view upgrade(Held& held, std::string_view bytes) {
    const std::size_t before = held.part.size();
    held.part += bytes;
    const auto end = held.part.find("\r\n\r\n");
    if (end == std::string::npos) return {};
    if (!held.part.starts_with("HTTP/1.1 101")) die("refused: " + held.part);
    bytes.remove_prefix(end + 4 - before);
    held.upgraded = true;
    held.part.clear();
    return bytes;
  }

  /// Handles a frame that is not one of the messages: the first text, or a ping, which a server may send between any
  /// two others and which may arrive in pieces. Returns what is left.
  std::string_view other_frame(Held& held, std::string_view bytes) {
    std::string& part = held.part;
    for (std::size_t wanted; (wanted = size_of(part)) > part.size();) {
      const std::string_view more = bytes.substr(0, wanted - part.size());
      if (more.empty()) return {};
      part += more;
      bytes.remove_prefix(more.size());
    }
    if (part.front() == ping) {
      // The mask is zero.
      const std::string answer = std::string{pong, static_cast<char>(0x80 | part[1]), 0, 0, 0, 0} + part.substr(2);
      if (::send(held.fd, answer.data(), answer.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(answer.size()))
        die_errno("send");
    } else if (part.front() == close_frame) {
      die("the server closed a socket: " + part.substr(2));
    } else if (held.hello || part.front() != frame_.front()) {
      die("what came is not what was sent");
    } else {
      held.hello = true;
      ++greeted_;
    }
    std::string().swap(part);
    return bytes;
  }

  /// The frame's length, if its beginning is sufficient: under 126 bytes, or with a two-byte length.
  static std::size_t size_of(std::string_view part) {
    const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(part[i])}; };
    if (part.size() < 2) return 2;
    if (byte(1) < 126) return 2 + byte(1);
    return part.size() < 4 ? 4 : 4 + (byte(2) << 8 | byte(3));
  }

  std::string frame_;
  std::vector<Held> sockets_;
  int epoll_;
  std::uint64_t wanted_ = ~0ULL;
  std::size_t greeted_ = 0, done_ = 0;
};

// serve

/// Accepts `connections` upgrades; the response's key is not computed, because our client does not check it.
std::vector<int> accept_all(int listener, std::size_t connections) {
  static const std::string answer =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + frame_of("\"hello\"");
  std::vector<int> out;
  while (out.size() < connections) {
    const int fd = ::accept(listener, nullptr, nullptr);
    if (fd < 0) die_errno("accept");
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::string head;
    char buffer[4096];
    while (head.find("\r\n\r\n") == std::string::npos) {
      const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
      if (n <= 0) die("a socket ended before its upgrade");
      head.append(buffer, static_cast<std::size_t>(n));
    }
    if (::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) die_errno("send");
    out.push_back(fd);
  }
  return out;
}

void serve(std::size_t connections, std::size_t bytes) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener, 4096) != 0)
    die_errno("listen");
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::cout << "{\"port\":" << ntohs(address.sin_port) << "}" << std::endl;
  const std::vector<int> sockets = accept_all(listener, connections);
  const std::string frame = frame_of(text_of(bytes));
  nuropb::bench::Input input;
  while (const auto line = input.line(-1, [] {})) {
    const std::uint64_t times = number_of(*line, "push");
    const double before = cpu_seconds();
    for (std::uint64_t i = 0; i < times; ++i) {
      for (const int fd : sockets) {
        if (::send(fd, frame.data(), frame.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(frame.size()))
          die_errno("send");
      }
    }
    std::cout << "{\"cpu_seconds\":" << cpu_seconds() - before << "}" << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Both ends of many sockets, for bench/fanout/run", "bench_fanout");
  app.require_subcommand(1);
  app.fallthrough();
  std::size_t connections = 10'000, bytes = 100;
  std::vector<std::string> urls;
  std::string token;
  app.add_option("--connections", connections)->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--bytes", bytes, "Size of the message, a JSON text")
      ->check(CLI::Range(2, 65'535))
      ->capture_default_str();
  CLI::App* const hold = app.add_subcommand("hold", "Clients: opens sockets and reads");
  hold->add_option("--url", urls, "ws://ADDRESS:PORT/PATH; may be repeated; the addresses take turns")->required();
  hold->add_option("--token", token)->required();
  app.add_subcommand("serve", "The baseline: accepts sockets and writes");
  CLI11_PARSE(app, argc, argv);
  const std::uint64_t descriptors = raise_descriptors(connections + 64);
  if (!hold->parsed()) {
    serve(connections, bytes);
    return 0;
  }
  Holder holder(urls, token, connections, bytes);
  std::cout << "{\"open\":" << connections << ",\"descriptors\":" << descriptors << "}" << std::endl;
  nuropb::bench::Input input;
  while (const auto line = input.line(holder.epoll(), [&] { holder.serve(); })) {
    const std::uint64_t messages = number_of(*line, "wait");
    holder.wait_for(messages);
    std::cout << "{\"messages\":" << messages << ",\"cpu_seconds\":" << cpu_seconds() << "}" << std::endl;
  }
  return 0;
}
