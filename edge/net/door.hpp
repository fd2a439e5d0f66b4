#pragma once
// Accepts connections. It does so itself, so that limits apply before any TLS or memory is spent, and takes each
// connection through everything that precedes HTTP:
//
//   accept ─► counted ─► (PROXY header) ─► counted by host ─► (TLS handshake) ─► request head, checked ─► a Guest
//               │ too many, too fast            │                   │                  │ 400 413 414 421 431 503 505
//               ▼ 503, or closed under TLS      ▼ closed            ▼ closed           ▼ answered, closed
//
// For non-HTTP listeners (`not_http`) no request head is read; a connection over the limit is sent the text `not_http`
// instead of a 503. Doors of one process share their limits if they share their Arrivals.
//
// All steps together may take handshake_ms, however slowly bytes arrive; a single timer serves all connections. C++17,
// like websocket.hpp. One thread.

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/http/answer.hpp"
#include "common/http/request_head.hpp"
#include "common/ip_address.hpp"
#include "edge/net/arrivals.hpp"
#include "edge/net/forwarded.hpp"
#include "edge/net/head_rules.hpp"
#include "edge/net/stream.hpp"
#include "edge/net/tls.hpp"

namespace nuropb::edge {

/// Health checks for load balancers, on the WebSocket port: whether the process lives, and whether to send it clients.
inline constexpr std::string_view alive_page = "/healthz", ready_page = "/readyz";
inline bool is_probe(std::string_view path) { return path == alive_page || path == ready_page; }

/// What is called over HTTP, on the same port (edge/http_calls).
inline bool is_call(std::string_view path) {
  for (const std::string_view prefix : {"/call/", "/command/", "/event/", "/services/"}) {
    if (path.substr(0, prefix.size()) == prefix) return true;
  }
  return false;
}

struct DoorSettings {
  std::string address;
  std::uint16_t port = 0;
  /// gateway.runtime_dir, to detect another gateway on the port; empty: no check.
  std::string gateway;
  std::uint32_t backlog = 4096;
  std::uint32_t handshake_ms = 5000;
  std::shared_ptr<Arrivals> arrivals;  ///< the shared limits; null: the door has its own, from `limits`
  Arrivals::Limits limits;
  HeadLimits head;
  std::uint64_t largest_body = 0;  ///< of a call over HTTP; 0: there are no such calls
  std::vector<std::string> hosts;  ///< allowed_hosts.hpp
  bool proxy_protocol = false;
  ForwardedHeader forwarded_header = ForwardedHeader::none;
  AddressBlocks trusted_proxies;
  TlsSettings tls;
  /// A TLS handshake failed because of a bad or missing client certificate.
  std::function<void()> on_bad_certificate = [] {};
  std::string not_http;  ///< non-HTTP listeners: the text for a connection over the limit; empty: HTTP
};

/// A connection that is ready to be used. If it speaks HTTP, its request head is complete and valid, and can be read
/// again: in canonical form, or as it was sent if it is a call.
struct Guest {
  std::shared_ptr<Stream> stream;
  std::string peer;  ///< "10.0.0.7:4711", or without a port if a header provided the address
  ClientCertificate certificate;
  std::chrono::milliseconds time_left{};
  IpAddress sender{};    ///< the peer, or the proxy that stated the peer's address in a header
  bool is_call = false;  ///< a call over HTTP, not a handshake; its body may follow
};

class Door {
 public:
  struct Callbacks {
    std::function<void(Guest)> enter;
    /// Answers the pages of is_probe(), also when all connections are in use.
    std::function<HttpAnswer(std::string_view page)> probe;
    /// A connection was refused or closed before it became a guest.
    std::function<void()> turned_away;
  };

  Door(boost::asio::io_context& io, DoorSettings settings, Callbacks callbacks);
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;
  ~Door();

  /// Returns an empty text, or what is wrong and where.
  [[nodiscard]] std::string open();
  [[nodiscard]] std::uint16_t port() const;
  /// Accepts no new connections from now on; those in progress continue.
  void close();
  /// Lingering close: after our last byte, reads for a short time so that unread input does not turn the FIN into a
  /// reset.
  void see_off(std::shared_ptr<Stream> stream);
  /// Reloads certificates and keys. Returns an empty text, or what is wrong; then the previous ones stay in force.
  [[nodiscard]] std::string reload_tls();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nuropb::edge
