#pragma once
// An HttpServer on its own thread, and a client that sends arbitrary bytes.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "common/http/server.hpp"
#include "common/listening_socket.hpp"

namespace nuropb {

/// Waits as long as a busy machine may need; a passing test never waits that long.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error("can't connect");
  }
  RawClient(RawClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)), rest_(std::move(other.rest_)) {}
  ~RawClient() {
    if (fd_ >= 0) ::close(fd_);
  }

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;  // the server has closed: its response can still be read
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void end_sending() const { ::shutdown(fd_, SHUT_WR); }

  /// What arrives up to and including `mark`; less if the connection ends before.
  std::string until(std::string_view mark) {
    auto at = rest_.find(mark);
    while (at == std::string::npos && read_more()) at = rest_.find(mark);
    return take(at == std::string::npos ? rest_.size() : at + mark.size());
  }
  /// One response, head and body.
  std::string answer(bool bodiless = false) {
    std::string head = until("\r\n\r\n");
    const std::string name = "Content-Length: ";
    const auto at = head.find(name);
    if (bodiless || at == std::string::npos) return head;
    const auto size = static_cast<std::size_t>(std::stoul(head.substr(at + name.size())));
    while (rest_.size() < size && read_more()) {}
    return head + take(size);
  }
  /// Everything up to the end of the connection.
  std::string rest() {
    while (read_more()) {}
    return take(rest_.size());
  }

 private:
  bool read_more() {
    pollfd ready{fd_, POLLIN, 0};
    if (::poll(&ready, 1, 60'000) <= 0) throw std::runtime_error("nothing comes; so far: " + rest_);
    char bytes[4096];
    const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    rest_.append(bytes, static_cast<std::size_t>(n));
    return true;
  }
  std::string take(std::size_t size) {
    std::string out = rest_.substr(0, size);
    rest_.erase(0, size);
    return out;
  }

  int fd_;
  std::string rest_;
};

class RunningServer {
 public:
  RunningServer(HttpServer::Settings settings, HttpServer::Callbacks callbacks) {
    server_ = std::make_unique<HttpServer>(io_, std::move(settings), std::move(callbacks));
    listen();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~RunningServer() {
    on_thread([this] { server_.reset(); });
    guard_.reset();
    io_.stop();
    thread_.join();
  }
  /// Listens on another port.
  void listen() {
    const auto socket = listening_socket({"127.0.0.1", 0, 16, false});
    if (!socket || !server_->listen(*socket, AF_INET)) throw std::runtime_error("can't listen");
    port_ = server_->port();
  }
  /// And waits until it has stopped.
  void on_thread(std::function<void()> work) {
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] RawClient client() const { return RawClient(port_); }
  std::unique_ptr<HttpServer>& server() { return server_; }

 private:
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{io_.get_executor()};
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace nuropb
