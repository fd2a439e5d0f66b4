#pragma once
// A server on its own thread that keeps its connections: serves one after the other, and on each one request after the
// other, with the test's responses. With a context it uses TLS. It is also a proxy: CONNECT is a request like others.

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "meshd/http/url.hpp"

namespace nuropb::http {

class KeepingServer {
 public:
  struct Heard {
    int connection = 0;  ///< the first is 1
    std::string head, body;
  };
  struct Say {
    std::string text;    ///< as it is on the wire
    bool close = false;  ///< closes the connection behind it
  };
  using Respond = std::function<Say(const Heard&)>;

  explicit KeepingServer(Respond respond, SSL_CTX* tls = nullptr) : respond_(std::move(respond)), tls_(tls) {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(listening_, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listening_, 8) != 0 ||
        ::getsockname(listening_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      std::abort();
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~KeepingServer() {
    stopped_ = true;
    ::shutdown(listening_, SHUT_RDWR);
    hang_up();
    thread_.join();
    ::close(listening_);
  }
  KeepingServer(const KeepingServer&) = delete;
  KeepingServer& operator=(const KeepingServer&) = delete;

  /// Closes the current connection, from another thread.
  void hang_up() {
    const std::lock_guard lock(mutex_);
    if (current_ >= 0) ::shutdown(current_, SHUT_RDWR);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] Url url(const std::string& host = "127.0.0.1") const {
    Url out;
    out.tls = tls_ != nullptr;
    out.host = host;
    out.port = port_;
    return out;
  }
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] std::vector<Heard> heard() const {
    const std::lock_guard lock(mutex_);
    return heard_;
  }

  static Say answer(const std::string& body, bool close = false) {
    return {"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body, close};
  }

 private:
  struct Release {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  void serve() {
    while (!stopped_) {
      const int fd = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      {
        const std::lock_guard lock(mutex_);
        current_ = fd;
      }
      if (stopped_) ::shutdown(fd, SHUT_RDWR);
      ++connections_;
      std::unique_ptr<SSL, Release> ssl(tls_ ? SSL_new(tls_) : nullptr);
      if (!ssl || (SSL_set_fd(ssl.get(), fd) == 1 && SSL_accept(ssl.get()) == 1)) talk(fd, ssl.get());
      if (ssl) SSL_shutdown(ssl.get());
      const std::lock_guard lock(mutex_);
      current_ = -1;
      ::close(fd);
    }
  }

  void talk(int fd, SSL* ssl) {
    std::string unread;
    const auto more = [&] {
      char piece[4096];
      const long got = ssl ? SSL_read(ssl, piece, sizeof piece) : ::recv(fd, piece, sizeof piece, 0);
      if (got > 0) unread.append(piece, static_cast<std::size_t>(got));
      return got > 0;
    };
    for (;;) {
      std::size_t end = 0;
      while ((end = unread.find("\r\n\r\n")) == std::string::npos)
        if (!more()) return;
      Heard heard{connections_, unread.substr(0, end + 4), {}};
      const auto length = heard.head.find("Content-Length: ");
      const std::size_t body = length == std::string::npos ? 0 : std::stoul(heard.head.substr(length + 16));
      unread.erase(0, end + 4);
      while (unread.size() < body)
        if (!more()) return;
      heard.body = unread.substr(0, body);
      unread.erase(0, body);
      {
        const std::lock_guard lock(mutex_);
        heard_.push_back(heard);
      }
      const Say say = respond_(heard);
      const auto size = static_cast<int>(say.text.size());
      if (size > 0 && (ssl ? SSL_write(ssl, say.text.data(), size)
                           : ::send(fd, say.text.data(), say.text.size(), MSG_NOSIGNAL)) <= 0)
        return;
      if (say.close) return;
    }
  }

  Respond respond_;
  SSL_CTX* tls_;
  int listening_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopped_{false};
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  int current_ = -1;          // under mutex_
  std::vector<Heard> heard_;  // under mutex_
  std::thread thread_;
};

}  // namespace nuropb::http
