#pragma once
// The only HTTP/1.1 server of the gateway, on Boost.Beast: for backends and the console (edge/http_api/http_port.hpp), metrics
// (meshd/metrics_listener.hpp) and the admin socket (meshd/admin_socket.hpp). It knows nothing but HTTP: the owner's
// on_head interprets the head, and its on_request the request.
//
//   accepted ─► head ── refused by the rules (request_head.hpp), or by on_head ──► answered, read out, closed
//                │                                                              ▲
//                ▼                                                              │ too slow: 408
//              body ─► Request ─► on_request ─► answer ─► head of the next one, or closed
//
// Our reader parses the head, and Beast gets its canonical form; Beast reads the body, chunked or not, and writes the
// response.
//
// Connections, sizes of head and body, and the time for each step are bounded. When all connections are in use, the one
// that has waited longest for its peer is closed in favour of a new one: a peer with half a request, an unread
// response, or no next request. If the owner authenticates peers (on_check), unauthenticated ones share a quarter of
// the places, their bodies are not read, and an authenticated one is only closed between two requests. If no connection
// waits for its peer, the new one gets a 503.
//
// Owner thread: the io_context's, for all calls and callbacks. A Respond may outlive the server; it then does nothing.

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/http/answer.hpp"
#include "common/http/request_head.hpp"
#include "common/result.hpp"

namespace nuropb {

class HttpServer {
 public:
  struct Settings {
    std::string clients;  ///< what its clients are called in messages: "backends"
    /// Names of settings, for messages: "backend.connections". Empty if no setting determines the value.
    std::string connections_setting{}, timeout_setting{}, body_setting{};
    std::uint32_t connections = 64;
    std::uint64_t max_body = 0;  ///< bytes; 0: requests with a body are refused
    /// For a whole request, for reading a response, and between two requests.
    std::chrono::milliseconds timeout{10'000};
  };
  struct Request {
    std::string method;  ///< GET for a HEAD request: the server omits the body
    std::string peer;    ///< its IP address; empty for a Unix socket
    std::string path, query;
    std::string host;        ///< with its port; empty if the request names none
    std::string credential;  ///< set by on_head
    std::string body;
  };
  /// Fills in `request`, which is complete except for credential and body, or returns a refusal, after which the
  /// connection is closed. The head is valid only during the call.
  using OnHead = std::function<std::optional<HttpAnswer>(const RequestHead& head, Request& request)>;
  /// Must be called exactly once, from on_request or later, and be destroyed before the io_context. It does nothing if
  /// the connection has been closed. A response without a Content-Type is sent as JSON.
  using Respond = std::function<void(HttpAnswer)>;
  using OnRequest = std::function<void(Request, Respond)>;
  /// Authenticates a request before its body is read. `Checked` must be called exactly once, like a Respond: with
  /// nothing to accept the request, or with the refusal.
  using Checked = std::function<void(std::optional<HttpAnswer>)>;
  using OnCheck = std::function<void(const Request&, Checked)>;
  struct Callbacks {
    OnHead on_head;  ///< empty: every valid head is accepted
    OnRequest on_request;
    OnCheck on_check{};  ///< empty: requests are not authenticated
    /// Whether an accepted connection is closed without a response. Empty: none is.
    std::function<bool(int socket)> turns_away{};
  };

  HttpServer(boost::asio::io_context& io, Settings settings, Callbacks callbacks);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  /// Takes over a listening stream socket of that family (AF_INET, AF_INET6, AF_UNIX). It replaces an earlier one,
  /// whose connections continue. The error is the kernel's reason.
  Result<void> listen(int socket, int family);
  [[nodiscard]] bool listening() const;
  /// 0 if it does not listen over TCP.
  [[nodiscard]] std::uint16_t port() const;
  /// Accepts no new connections and no new requests from now on. Requests in progress are answered.
  void stop();

 private:
  struct Impl;
  friend class HttpConnection;
  std::shared_ptr<Impl> impl_;
};

}  // namespace nuropb
