#pragma once
// HTTP/1.1 client on libcurl, for servers that the gateway contacts occasionally: token issuers (JWKS), introspection,
// span collectors, RabbitMQ's management API and etcd's JSON gateway.
//
// Calls block the calling thread for at most their timeout, name resolution included, so they must not be made on a
// thread that serves clients. cancel() may be called from any thread and ends the call in progress. Errors are values,
// and none contains a password. All input is bounded.
//
// A client keeps its connection for the next request. If the server has closed it meanwhile, without a byte of a
// response, libcurl sends the request once more on a new connection, whatever its method: all requests must be
// idempotent.
//
// Proxies come from the environment (http_proxy, https_proxy, all_proxy, no_proxy, by libcurl's rules), except for
// loopback addresses. Redirects are not followed; .netrc, cookies and protocols other than the URL's are not used.

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
  std::string ca_file;           ///< empty: the system's certificate authorities
  std::string certificate_file;  ///< our own, if the server requests one
  std::string key_file;
  bool verify_peer = true;  ///< false accepts any certificate and any name
};

struct Request {
  std::string method = "GET";
  /// Begins with '/', already percent-encoded, and is appended to the URL's base. Empty: the URL as it is written.
  std::string target;
  std::string body;  ///< sent as application/json, unless headers say otherwise
  std::vector<std::pair<std::string, std::string>> headers;
};

struct Response {
  unsigned status = 0;
  std::string body;
};

/// Whether the URL leads to this host itself: then no proxy is used. Pure.
bool loopback(const Url& url);

namespace detail {
class Transfer;
}

/// A streamed response, read line by line (etcd's watch).
class Stream {
 public:
  ~Stream();
  [[nodiscard]] unsigned status() const { return status_; }
  /// The next line without its end, or nothing when the server has ended its response properly. An error, after which
  /// the stream is unusable: the connection broke, a line exceeds 1 MiB, cancel() was called, or nothing arrived within
  /// the timeout.
  Result<std::optional<std::string>> next_line(milliseconds timeout);
  /// Ends next_line(), now and in the future. Any thread.
  void cancel();

 private:
  friend class Client;
  Stream(std::unique_ptr<detail::Transfer> transfer, unsigned status);
  std::unique_ptr<detail::Transfer> transfer_;
  unsigned status_;
  // Bytes of the transfer's buffer that were returned already.
  std::size_t taken_ = 0;
};

class Client {
 public:
  struct Settings {
    Url url;
    Tls tls;
    std::size_t max_body = 4U << 20;  ///< a longer response is an error
    /// False: a new connection for each request, for requests that are hours apart.
    bool keep_open = true;
  };
  explicit Client(Settings settings);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Any complete response is a value, whatever its status. One caller at a time.
  Result<Response> send(const Request& request, milliseconds timeout);
  /// Sends a request and reads the response's head, for at most `timeout`.
  Result<std::unique_ptr<Stream>> stream(const Request& request, milliseconds timeout);
  /// Ends the call in progress and refuses all later ones. Any thread. Streams have their own cancel().
  void cancel();

  [[nodiscard]] const Url& url() const { return settings_.url; }

 private:
  Settings settings_;
  std::unique_ptr<detail::Transfer> transfer_;  // used by send()
  std::mutex mutex_;
  detail::Transfer* opening_ = nullptr;  // used by stream() while it waits; guarded by mutex_
};

}  // namespace nuropb::http
