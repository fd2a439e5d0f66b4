#pragma once
// HTTP/1.1 by libcurl, for the servers that a gateway asks now and then: issuers of keys, introspection, collectors of
// spans, RabbitMQ's management and etcd's JSON gateway.
//
// Calls block the caller's thread, for at most their timeout, looking up names included; never on a thread that serves.
// cancel() may come from any thread and ends the call that is under way. Errors are values; none contains a password.
// Everything that is read is bounded.
//
// A client keeps its connection for the next request. If the server has closed it meanwhile, without a byte of an answer,
// libcurl sends the request once more on a new one, whatever its method: requests have to bear that.
//
// Proxies are those of the environment (http_proxy, https_proxy, all_proxy, no_proxy, by libcurl's rules), except to the
// host's own addresses. Redirects are not followed; .netrc, cookies and other protocols than the URL's are not used.

#include <memory>
#include <mutex>
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
  std::string
      target;  ///< begins with '/', already percent-encoded; follows the URL's base. Empty: the URL as it is written
  std::string body;  ///< sent as application/json, unless headers say otherwise
  std::vector<std::pair<std::string, std::string>> headers;
};

struct Response {
  unsigned status = 0;
  std::string body;
};

/// Whether this is the machine itself: nobody is on the way, and no proxy leads there. Pure.
bool loopback(const Url& url);

namespace detail {
class Transfer;
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
  Stream(std::unique_ptr<detail::Transfer> transfer, unsigned status);
  std::unique_ptr<detail::Transfer> transfer_;
  unsigned status_;
  std::size_t taken_ = 0;  // of what the transfer holds
};

class Client {
 public:
  struct Settings {
    Url url;
    Tls tls;
    std::size_t max_body = 4U << 20;  ///< a longer answer is an error
    bool keep_open = true;            ///< false: a connection for each request, where they are hours apart
  };
  explicit Client(Settings settings);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Any answer is a value, whatever its status. One caller at a time.
  Result<Response> send(const Request& request, milliseconds timeout);
  /// Sends and reads as far as the answer's head; the timeout is for that.
  Result<std::unique_ptr<Stream>> stream(const Request& request, milliseconds timeout);
  /// Ends the call under way and refuses all later ones. Any thread. Streams have a cancel() of their own.
  void cancel();

  [[nodiscard]] const Url& url() const { return settings_.url; }

 private:
  Settings settings_;
  std::unique_ptr<detail::Transfer> transfer_;  // that of send()
  std::mutex mutex_;
  detail::Transfer* opening_ = nullptr;  // under mutex_: that of stream(), while it waits
};

}  // namespace nuropb::http
