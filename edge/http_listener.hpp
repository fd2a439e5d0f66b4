#pragma once
// HTTP where no WebSocket is spoken: for backends (edge_backend.cpp, protocol.md section 3) and for the console
// (edge_console.cpp). This file knows HTTP and nothing else: what a head has to say is told by its owner's on_head, what a
// request means by its on_request.
//
//   accepted ─► head ── refused by on_head, or too large ──► answered, read out, closed
//                │                                        ▲
//                ▼                                        │ too slow: 408
//              body ─► Request ─► on_request ─► answer ─► head of the next one, or closed
//
// Bounded in everything: connections, bytes of head and body, time for each step. When all connections are taken, one
// whose next head is not there yet has to go, the one that waited longest; if there is none, the newcomer gets a 503. One thread: the edge's io_context.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "edge/websocket.hpp"

namespace nuropb::edge {

class HttpListener {
 public:
  struct Settings {
    std::string who;      ///< listened for, in messages: "backends"
    std::string section;  ///< of the config, in messages: "backend"
    std::string address;
    std::uint16_t port = 0;
    std::uint32_t connections = 64;
    std::uint32_t max_body = 0;
    std::uint32_t timeout_ms = 10'000;
  };
  /// Valid during the call.
  struct Head {
    std::string_view method, path;                                 ///< the path without its query
    std::function<std::string_view(std::string_view name)> field;  ///< empty: not there
  };
  struct Request {
    std::string method, path;
    std::string credential;  ///< what on_head has put there
    std::string host;
    std::string body;
  };
  /// Fills `request` from the head, or says what it is refused with.
  using OnHead = std::function<std::optional<HttpAnswer>(const Head&, Request& request)>;
  /// To be called once, on the same thread, at once or later. Does nothing for a connection that is gone. An answer
  /// without a Content-Type is JSON.
  using Respond = std::function<void(HttpAnswer)>;
  using OnRequest = std::function<void(Request, Respond)>;

  HttpListener(boost::asio::io_context& io, Settings settings, OnHead on_head, OnRequest on_request);
  ~HttpListener();

  /// An empty text, or what is wrong and where.
  [[nodiscard]] std::string listen();
  [[nodiscard]] std::uint16_t port() const;
  /// No new connections and no new requests from now on; those under way are answered.
  void stop();

 private:
  struct Impl;
  class Session;
  std::shared_ptr<Impl> impl_;
};

}  // namespace nuropb::edge
