#pragma once
// HTTP answers: what a handshake or a request is refused with, and pages. C++17, as websocket.hpp. Pure.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nuropb::edge {

struct HttpAnswer {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string protocol{};  ///< of a handshake that goes on: which of the offered subprotocols is spoken; empty: none
};

/// An error object. Who is told 503 is told to come again.
HttpAnswer refusal(int status, std::string_view error, std::string_view description);
/// 503: it is the gateway's state, and will pass.
HttpAnswer come_again(std::string_view description);

/// As bytes, where nobody speaks HTTP for us; the connection ends with it.
std::string on_the_wire(const HttpAnswer& answer);

}  // namespace nuropb::edge
