#pragma once
// The one HTTP/1.1 server of the gateway, on Boost.Beast: for backends and the console (edge/http_api/http_port.hpp), metrics
// (meshd/metrics_listener.hpp) and the admin socket (meshd/admin_socket.hpp). It knows HTTP and nothing else: what a head has
// to say is told by the owner's on_head, and what a request means by its on_request.
//
//   accepted ─► head ── refused by the rules (request_head.hpp), or by on_head ──► answered, read out, closed
//                │                                                              ▲
//                ▼                                                              │ too slow: 408
//              body ─► Request ─► on_request ─► answer ─► head of the next one, or closed
//
// Our reader reads the head, and Beast gets its canonical form; Beast reads the body, chunks included, and writes the answer.
//
// Bounded in everything: connections, bytes of head and body, time for each step. When all connections are taken, the one that
// waits longest for its peer is closed for the new one: a peer that has said half a request, does not read its answer, or has
// not come with the next request. Where the owner checks peers (on_check), those whom it has not let pass share a quarter of
// the places among themselves, no body of theirs is read, and one that has passed gives way between two requests only. If no
// connection waits for its peer, the new one gets a 503.
//
// Owner thread: the io_context's, for all calls and callbacks. Answers may outlive the server: then they do nothing.

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
    std::string clients;  ///< who they are, in messages: "backends"
    /// Names of settings, in messages: "backend.connections"; empty: no setting says it.
    std::string connections_setting{}, timeout_setting{}, body_setting{};
    std::uint32_t connections = 64;
    std::uint64_t max_body = 0;  ///< bytes; 0: requests with a body are refused
    /// For a whole request, for reading an answer, and between two requests.
    std::chrono::milliseconds timeout{10'000};
  };
  struct Request {
    std::string method;  ///< GET where HEAD was asked: the server leaves the body out
    std::string peer;    ///< its IP address; empty: it came over a Unix socket
    std::string path, query;
    std::string host;        ///< with its port; empty: the request names none
    std::string credential;  ///< what on_head has put there
    std::string body;
  };
  /// Completes `request`, of which all but credential and body is there, or says what it is refused with: then the
  /// connection ends. The head is valid during the call.
  using OnHead = std::function<std::optional<HttpAnswer>(const RequestHead& head, Request& request)>;
  /// To be called once, from on_request or later, and to be destroyed before the io_context. Does nothing if the connection is
  /// gone. An answer without a Content-Type is JSON.
  using Respond = std::function<void(HttpAnswer)>;
  using OnRequest = std::function<void(Request, Respond)>;
  /// Judges the credential of a request whose body is not read yet; `Checked` is to be called once, as a Respond: with nothing
  /// to go on, or with what the request is refused with.
  using Checked = std::function<void(std::optional<HttpAnswer>)>;
  using OnCheck = std::function<void(const Request&, Checked)>;
  struct Callbacks {
    OnHead on_head;  ///< nothing: every head that is in order is taken
    OnRequest on_request;
    OnCheck on_check{};  ///< nothing: nobody is checked
    /// Of a connection that was accepted: whether it is closed without a word; nothing: none is.
    std::function<bool(int socket)> turns_away{};
  };

  HttpServer(boost::asio::io_context& io, Settings settings, Callbacks callbacks);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  /// Takes over a stream socket of that family (AF_INET, AF_INET6, AF_UNIX) which listens, in place of an earlier one, whose
  /// connections go on. The error is the kernel's reason.
  Result<void> listen(int socket, int family);
  [[nodiscard]] bool listening() const;
  /// 0: it does not listen over TCP.
  [[nodiscard]] std::uint16_t port() const;
  /// No new connections and no new requests from now on; those under way are answered.
  void stop();

 private:
  struct Impl;
  friend class HttpConnection;
  std::shared_ptr<Impl> impl_;
};

}  // namespace nuropb
