#pragma once
// HTTP on a TCP port that all edges share: for backends (backend_endpoint.hpp, nuropb-wire.md section 3) and for the
// console (console_endpoint.hpp). common/http/server.hpp implements HTTP itself.
//
// Owner thread: the edge's io_context.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <string>

#include "common/http/server.hpp"
#include "edge/net/port_claim.hpp"

namespace nuropb::edge {

class HttpPort {
 public:
  struct Settings {
    HttpServer::Settings server;
    std::string section;  ///< config section for messages: "backend"
    std::string address;
    std::uint16_t port = 0;
    std::string gateway{};  ///< gateway.runtime_dir, to detect another gateway on the port
  };

  HttpPort(boost::asio::io_context& io, Settings settings, HttpServer::OnHead on_head, HttpServer::OnRequest on_request,
           HttpServer::OnCheck on_check = {});

  /// Returns an empty text, or what is wrong and where.
  [[nodiscard]] std::string listen();
  [[nodiscard]] std::uint16_t port() const { return server_.port(); }
  /// Accepts no new connections and no new requests from now on; requests in progress are answered.
  void stop();

 private:
  Settings settings_;
  HttpServer server_;
  PortClaim claim_;
};

}  // namespace nuropb::edge
