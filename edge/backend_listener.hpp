#pragma once
// HTTP for backends (protocol.md section 3): POST /backend with X-Backend-Key, one envelope in, one out. This file knows
// HTTP and nothing else: whether a key is good is meshd's to say, what a body means the edge's.
//
//   accepted ─► head ── no POST, no key, too large ──► refused: answered, read out, closed
//                │                                        ▲
//                ▼                                        │ too slow: 408
//              body ─► Request ─► (meshd) ─► answer ─► head of the next one, or closed
//
// Bounded in everything: connections, bytes of head and body, time for each step. When all connections are taken, one
// whose next head is not there yet has to go, the one that waited longest; if there is none, the newcomer gets a 503. One thread: the edge's io_context.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "edge/websocket.hpp"

namespace nuropb::edge {

class BackendListener {
 public:
  struct Settings {
    std::string address;
    std::uint16_t port = 0;
    std::uint32_t connections = 64;
    std::uint32_t max_body = 0;
    std::uint32_t timeout_ms = 10'000;
  };
  struct Request {
    std::string key;  ///< never empty
    std::string body;
  };
  /// To be called once, on the same thread, at once or later. Does nothing for a connection that is gone.
  using Respond = std::function<void(HttpAnswer)>;
  using OnRequest = std::function<void(Request, Respond)>;

  BackendListener(boost::asio::io_context& io, Settings settings, OnRequest on_request);
  ~BackendListener();

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
