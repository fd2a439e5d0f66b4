#pragma once
// A small HTTP/1.1 client on Boost.Beast, for the two servers that a gateway asks now and then: RabbitMQ's management
// and etcd's JSON gateway. Not for hot paths: every request has a connection of its own.
//
// Calls block the caller's thread, for at most their timeout. cancel() may come from any thread and ends the call that
// is under way. Errors are values; none contains a password. Everything that is read is bounded.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "meshd/http/url.hpp"

namespace nuropb::http {

struct Tls {
  std::string ca_file;           ///< empty: the system's authorities
  std::string certificate_file;  ///< our own, where the server asks for one
  std::string key_file;
  bool verify_peer = true;  ///< false accepts any certificate and any name
};

struct Request {
  std::string method = "GET";
  std::string target;  ///< begins with '/', already percent-encoded; follows the URL's base
  std::string body;    ///< sent as application/json, unless headers say otherwise
  std::vector<std::pair<std::string, std::string>> headers;
};

struct Response {
  unsigned status = 0;
  std::string body;
};

namespace detail {
class Exchange;
}

/// An answer that goes on: lines as they come (etcd's watch).
class Stream {
 public:
  ~Stream();
  [[nodiscard]] unsigned status() const { return status_; }
  /// The next line without its end, or nothing when the server has ended its answer in order. An error, after which
  /// there is nothing more: the connection broke, a line is longer than 1 MiB, cancel(), or nothing came in time.
  Result<std::optional<std::string>> next_line(milliseconds timeout);
  /// Ends next_line(), now and for ever. Any thread.
  void cancel();

 private:
  friend class Client;
  Stream(std::unique_ptr<detail::Exchange> exchange, unsigned status);
  std::unique_ptr<detail::Exchange> exchange_;
  unsigned status_;
  std::string buffer_;
  bool ended_ = false;
};

class Client {
 public:
  struct Settings {
    Url url;
    Tls tls;
    std::size_t max_body = 4U << 20;  ///< a longer answer is an error
  };
  explicit Client(Settings settings);
  ~Client();

  /// Any answer is a value, whatever its status. One caller at a time.
  Result<Response> send(const Request& request, milliseconds timeout);
  /// Sends and reads as far as the answer's head; the timeout is for that.
  Result<std::unique_ptr<Stream>> stream(const Request& request, milliseconds timeout);
  /// Ends the call under way and refuses all later ones. Any thread. Streams have a cancel() of their own.
  void cancel();

  [[nodiscard]] const Url& url() const { return settings_.url; }

 private:
  struct Current;
  Settings settings_;
  std::unique_ptr<Current> current_;
};

}  // namespace nuropb::http
