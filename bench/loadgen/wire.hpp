#pragma once
// What a consumer needs of WebSocket, and no more: an upgrade, whole text frames out, whole frames in.

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace nuropb::bench {

[[noreturn]] void die(const std::string& why);

/// As many descriptors as `wanted`; the limit is raised where the machine lets us, or that is the end.
void need_descriptors(std::uint64_t wanted);

/// ws://ADDRESS:PORT/PATH or wss://…, with an IPv4 address.
struct Place {
  std::string host, path;
  std::uint16_t port = 0;
  bool tls = false;
};
Place place_of(const std::string& url);

/// A connected socket. One source address has 28,000 ports to one place, so beyond 20,000 sockets `number` chooses
/// another one of 127.0.0.0/8; other addresses than loopback ones are left to the kernel.
int connect_to(const Place& place, std::size_t number);

/// A blocking stream, with or without TLS (certificates are not looked at: it is our own server).
class Stream {
 public:
  Stream(const Place& place, std::size_t number);
  Stream(const Stream&) = delete;
  ~Stream();
  [[nodiscard]] int fd() const { return fd_; }
  void write(std::string_view bytes);
  /// Appends what comes next; false if nothing is there and `wait` is not set.
  bool read(std::string& into, bool wait);

 private:
  struct Free {
    void operator()(SSL* ssl) const { ::SSL_free(ssl); }
  };
  int fd_;
  std::unique_ptr<SSL, Free> ssl_;
};

struct Frame {
  unsigned opcode = 0;
  std::string_view payload;
};
/// The whole frame at `at`, if one is there; `at` moves behind it. A part of a message ends the program, and a close
/// frame unless it may come.
std::optional<Frame> next_frame(std::string_view in, std::size_t& at, bool may_close = false);
void append_frame(std::string& out, unsigned opcode, std::string_view payload);

/// Upgrades, and reads the hello where one is to come. What came behind them stays in `in`.
void open_websocket(Stream& stream, const Place& place, const std::string& token, bool hello, std::string& in);

}  // namespace nuropb::bench
