#pragma once
// Who comes in. The door accepts connections itself, so that limits come before any TLS or memory is spent, and leads
// each through what lies before HTTP:
//
//   accept ─► counted ─► (PROXY header) ─► counted by host ─► (TLS handshake) ─► request head, judged ─► a Guest
//               │ too many, too fast            │                   │                  │ 400 413 414 421 431 503 505
//               ▼ 503, or closed under TLS      ▼ closed            ▼ closed           ▼ answered, closed
//
// Where HTTP is not what is spoken (`not_http`), a guest enters without a head, and one too many is told so in those words.
// Doors of one process count together where they share their Arrivals.
//
// All of it together takes at most handshake_ms, however slowly bytes come; one timer serves all. C++17, as websocket.hpp.
// One thread.

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
#include "edge/arrivals.hpp"
#include "edge/forwarded.hpp"
#include "edge/stream.hpp"
#include "edge/tls.hpp"

namespace nuropb::edge {

/// What load balancers ask, on the port of the WebSockets: whether the process lives, and whether to send it consumers.
inline constexpr std::string_view alive_page = "/healthz", ready_page = "/readyz";
inline bool is_probe(std::string_view path) { return path == alive_page || path == ready_page; }

struct DoorSettings {
  std::string address;
  std::uint16_t port = 0;
  std::string
      gateway;  ///< gateway.runtime_dir, by which a second gateway on the port is known; empty: none is looked for
  std::uint32_t backlog = 4096;
  std::uint32_t handshake_ms = 5000;
  std::shared_ptr<Arrivals> arrivals;  ///< who counts; nothing: the door itself, by `limits`
  Arrivals::Limits limits;
  HeadLimits head;
  std::vector<std::string> hosts;  ///< allowed_hosts.hpp
  bool proxy_protocol = false;
  ForwardedHeader forwarded_header = ForwardedHeader::none;
  AddressBlocks trusted_proxies;
  TlsSettings tls;
  /// A TLS handshake has ended for the client's certificate, or for the lack of one.
  std::function<void()> on_bad_certificate = [] {};
  std::string not_http;  ///< what is said to one too many, where no HTTP is spoken; empty: HTTP is
};

/// A connection whose request head, if it is HTTP's, is complete and fit to be read (again) by whoever takes it over.
struct Guest {
  std::shared_ptr<Stream> stream;
  std::string peer;  ///< "10.0.0.7:4711", or without a port where a header told the address
  ClientCertificate certificate;
  std::chrono::milliseconds time_left{};
};

class Door {
 public:
  struct Callbacks {
    std::function<void(Guest)> enter;
    /// The pages of is_probe(), which are answered also where all connections are taken.
    std::function<HttpAnswer(std::string_view page)> probe;
    /// A connection was refused or gave up before it was a guest.
    std::function<void()> turned_away;
  };

  Door(boost::asio::io_context& io, DoorSettings settings, Callbacks callbacks);
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;
  ~Door();

  /// An empty text, or what is wrong and where.
  [[nodiscard]] std::string open();
  [[nodiscard]] std::uint16_t port() const;
  /// No new connections from now on; those that are on their way go on.
  void close();
  /// Hears out, for a moment, one whose last bytes are written and who may still be sending.
  void see_off(std::shared_ptr<Stream> stream);
  /// Reads certificates and keys again. An empty text, or what is wrong: then the former ones stay in force.
  [[nodiscard]] std::string reload_tls();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nuropb::edge
