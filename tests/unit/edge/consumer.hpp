#pragma once
// A client for tests of the edge: a WebSocket client on a plain socket that does exactly what it is told, mistakes
// included. Waits for states with a limit, and throws on a timeout.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "shm/unique_fd.hpp"

namespace nuropb::edge {

class Consumer {
 public:
  struct Frame {
    int opcode = 0;
    std::string payload;
  };
  struct Close {
    int code = 0;  ///< 0: the socket ended without a close frame
    std::string reason;
    bool operator==(const Close&) const = default;
  };
  static constexpr int patience_ms = 60'000;

  /// Connected; nothing was sent yet. `receive_buffer`: the kernel's, for tests that need a small one.
  explicit Consumer(std::uint16_t port, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error("can't connect");
  }

  static std::string upgrade(std::string_view path, const std::vector<std::string>& headers,
                             std::string_view version = "13") {
    std::string out = "GET " + std::string(path) +
                      " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    if (!version.empty()) out += "Sec-WebSocket-Version: " + std::string(version) + "\r\n";
    for (const std::string& header : headers) out += header + "\r\n";
    return out + "\r\n";
  }

  void send_bytes(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) throw std::runtime_error("the edge does not take more");
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  /// The response to what was sent, up to the end of its head.
  std::string read_head() {
    std::size_t end;
    while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) throw std::runtime_error("the socket ended in a head: " + in_);
    }
    std::string head = in_.substr(0, end + 4);
    in_.erase(0, end + 4);
    return head;
  }
  std::string read_to_end() {
    while (more()) {}
    return std::move(in_);
  }

  void handshake(const std::vector<std::string>& headers = {"Authorization: Bearer secret"}) {
    send_bytes(upgrade("/websocket", headers));
    const std::string head = read_head();
    if (!head.starts_with("HTTP/1.1 101")) throw std::runtime_error("no upgrade: " + head);
  }

  static std::string frame(std::string_view payload, int opcode = 1) {
    std::string out(1, static_cast<char>(0x80 | opcode));
    if (payload.size() < 126) {
      out += static_cast<char>(0x80 | payload.size());
    } else if (payload.size() < 65536) {
      out += static_cast<char>(0x80 | 126);
      for (int shift = 8; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
    } else {
      out += static_cast<char>(0x80 | 127);
      for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
    }
    return out.append(4, '\0').append(payload);  // a zero mask changes nothing
  }
  void send(std::string_view text) { send_bytes(frame(text)); }

  Frame read_frame() {
    need(2);
    Frame out{in_[0] & 0x0f, {}};
    std::size_t head = 2, length = static_cast<unsigned char>(in_[1]) & 0x7f;
    if (length >= 126) {
      head = length == 126 ? 4 : 10;
      need(head);
      length = 0;
      for (std::size_t i = 2; i < head; ++i) length = length << 8 | static_cast<unsigned char>(in_[i]);
    }
    need(head + length);
    out.payload = in_.substr(head, length);
    in_.erase(0, head + length);
    return out;
  }
  std::string read_text() {
    const Frame frame = read_frame();
    if (frame.opcode != 1)
      throw std::runtime_error("not a text: opcode " + std::to_string(frame.opcode) + " " + frame.payload);
    return frame.payload;
  }
  /// Reads up to the closing handshake, answers it, and returns the number of texts before it.
  Close read_close(int* texts = nullptr) {
    try {
      for (;;) {
        const Frame frame = read_frame();
        if (frame.opcode == 1 && texts) ++*texts;
        if (frame.opcode != 8) continue;
        const std::string echo = Consumer::frame(frame.payload, 8);
        // If the edge did not read a message to its end, it may already have closed the socket.
        (void)::send(fd_.get(), echo.data(), echo.size(), MSG_NOSIGNAL);
        if (frame.payload.size() < 2) return {1005, {}};
        return {static_cast<unsigned char>(frame.payload[0]) << 8 | static_cast<unsigned char>(frame.payload[1]),
                frame.payload.substr(2)};
      }
    } catch (const Ended&) { return {}; }
  }

  /// True if nothing arrives for a short time. Only for checks that something does not arrive: a wait for a state is
  /// never a sleep.
  bool silent(int ms = 60) {
    if (!in_.empty()) return false;
    pollfd readable{fd_.get(), POLLIN, 0};
    return ::poll(&readable, 1, ms) == 0;
  }

 private:
  struct Ended : std::runtime_error {
    Ended() : std::runtime_error("the socket ended") {}
  };
  void need(std::size_t bytes) {
    while (in_.size() < bytes) {
      if (!more()) throw Ended();
    }
  }
  bool more() {
    pollfd readable{fd_.get(), POLLIN, 0};
    if (::poll(&readable, 1, patience_ms) <= 0) throw std::runtime_error("nothing came in time");
    char buffer[16384];
    const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    in_.append(buffer, static_cast<std::size_t>(n));
    return true;
  }
  shm::UniqueFd fd_;
  std::string in_;
};

}  // namespace nuropb::edge
