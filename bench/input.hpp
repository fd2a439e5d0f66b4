#pragma once
// Lines of standard input for a program that serves sockets meanwhile. A gateway closes a socket that does not answer
// its pings, so the sockets must be served however long the wait for a line is.

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>

namespace nuropb::bench {

class Input {
 public:
  /// The next line, or nothing at the end. `serve` is called whenever `epoll` has something ready (-1: no sockets); it
  /// must not block.
  template <class Serve>
  std::optional<std::string> line(int epoll, Serve&& serve) {
    for (;;) {
      if (const auto end = buffer_.find('\n'); end != std::string::npos) {
        std::string out = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return out;
      }
      if (ended_) return {};
      pollfd ready[] = {{STDIN_FILENO, POLLIN, 0}, {epoll, POLLIN, 0}};
      if (::poll(ready, 2, -1) < 0) continue;
      if (ready[1].revents != 0) serve();
      if (ready[0].revents != 0) read();
    }
  }

 private:
  void read() {
    char bytes[4096];
    const ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (n > 0) buffer_.append(bytes, static_cast<std::size_t>(n));
    else if (n == 0 || errno != EINTR) ended_ = true;
  }

  std::string buffer_;
  bool ended_ = false;
};

}  // namespace nuropb::bench
