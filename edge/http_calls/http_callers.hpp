#pragma once
// All clients of this edge that call over HTTP, and what they share.
//
// Owner thread: the edge's io_context.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <unordered_map>

#include "common/config.hpp"
#include "edge/http_calls/http_socket.hpp"
#include "edge/net/door.hpp"
#include "edge/net/head_rules.hpp"
#include "edge/transport/websocket.hpp"

namespace nuropb::edge {

class Admission;
class HttpCaller;
struct NewSession;

class HttpCallers {
 public:
  struct Callbacks {
    /// Opens the session of a call that was admitted.
    std::function<std::unique_ptr<Receiver>(Connection&, NewSession)> open;
    /// The response to a request that is not a call: probes of load balancers.
    std::function<HttpAnswer(const Handshake&)> page;
    /// Takes a connection whose next request is a WebSocket handshake.
    std::function<void(Guest)> open_websocket;
  };

  HttpCallers(const Config& config, boost::asio::io_context& io, const Admission& admission, Callbacks callbacks);
  HttpCallers(const HttpCallers&) = delete;
  HttpCallers& operator=(const HttpCallers&) = delete;
  ~HttpCallers();

  /// A connection whose first request is a call.
  void enter(Guest guest);
  /// Each connection is closed after the request that is in progress.
  void stop();
  /// Whether a response is not written completely.
  [[nodiscard]] bool writing() const;

  // For HttpCaller.
  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] boost::asio::io_context& io() const { return io_; }
  [[nodiscard]] const Admission& admission() const { return admission_; }
  [[nodiscard]] const HeadRules& rules() const { return rules_; }
  [[nodiscard]] const HttpSocket::Settings& socket_settings() const { return socket_settings_; }
  [[nodiscard]] std::unique_ptr<Receiver> open(Connection& connection, NewSession session) const;
  [[nodiscard]] HttpAnswer page(const Handshake& request) const { return callbacks_.page(request); }
  void open_websocket(Guest guest) const { callbacks_.open_websocket(std::move(guest)); }
  /// Its connection has ended. It is destroyed from the event loop.
  void remove(HttpCaller& caller);

 private:
  const Config& config_;
  boost::asio::io_context& io_;
  const Admission& admission_;
  Callbacks callbacks_;
  HeadRules rules_;
  HttpSocket::Settings socket_settings_;
  bool stopped_ = false;
  std::unordered_map<HttpCaller*, std::shared_ptr<HttpCaller>> callers_;
};

}  // namespace nuropb::edge
