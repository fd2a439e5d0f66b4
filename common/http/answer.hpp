#pragma once
// HTTP answers: what a handshake or a request is refused with, and pages. C++17, as edge/websocket.hpp. Pure.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nuropb {

class LineStream;

struct HttpAnswer {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string protocol{};  ///< of a handshake that goes on: which of the offered subprotocols is spoken; empty: none
  std::shared_ptr<LineStream> lines{};  ///< of HttpServer: lines that follow in place of a body; nothing: none follow
};

/// An error object. With 503 the client is told to come again.
HttpAnswer refusal(int status, std::string_view error, std::string_view description);
/// 503: it is the gateway's state, and will pass.
HttpAnswer come_again(std::string_view description);

/// As bytes, where no HttpServer writes it; the connection ends with it. `bodiless`: HEAD was asked (RFC 9110, section 9.3.2).
std::string on_the_wire(const HttpAnswer& answer, bool bodiless = false);

}  // namespace nuropb
