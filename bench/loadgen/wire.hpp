#pragma once
// The minimal WebSocket client for a load generator: an upgrade, whole text frames out, whole frames in.

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace nuropb::bench {

[[noreturn]] void die(const std::string& why);

/// Raises the limit to `wanted` descriptors, or ends the program.
void need_descriptors(std::uint64_t wanted);

/// ws://ADDRESS:PORT/PATH or wss://…, with an IPv4 address.
struct Place {
  std::string host, path;
  std::uint16_t port = 0;
  bool tls = false;
};
Place place_of(const std::string& url);

/// A connected socket. One source address has 28,000 ports per destination, so above 20,000 sockets `number` selects
/// another address of 127.0.0.0/8; for other destinations than loopback the kernel selects it.
int connect_to(const Place& place, std::size_t number);

/// A blocking stream, with or without TLS (certificates are not verified: it is our own server).
class Stream {
 public:
  Stream(const Place& place, std::size_t number);
  Stream(const Stream&) = delete;
  ~Stream();
  [[nodiscard]] int fd() const { return fd_; }
  void write(std::string_view bytes);
  /// Appends received data; returns false if there is none and `wait` is not set.
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
/// The complete frame at `at`, if there is one; `at` moves behind it. A fragmented message ends the program, and so
/// does a close frame, unless it is allowed.
std::optional<Frame> next_frame(std::string_view in, std::size_t& at, bool may_close = false);
void append_frame(std::string& out, unsigned opcode, std::string_view payload);

/// Upgrades, and reads the hello if one is expected. Data after them stays in `in`.
void open_websocket(Stream& stream, const Place& place, const std::string& token, bool hello, std::string& in);

}  // namespace nuropb::bench
