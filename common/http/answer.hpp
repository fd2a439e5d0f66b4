#pragma once
// HTTP responses: refusals of a handshake or a request, and whole pages. C++17, as edge/transport/websocket.hpp. Pure.

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
  /// For an accepted handshake: the subprotocol chosen from the offered ones. Empty if none is chosen.
  std::string protocol{};
  /// HttpServer only: lines that are streamed in place of a body. Null if there are none.
  std::shared_ptr<LineStream> lines{};
};

/// An error object as JSON. With 503 it includes Retry-After.
HttpAnswer refusal(int status, std::string_view error, std::string_view description);
/// A 503 for a temporary state of the gateway.
HttpAnswer come_again(std::string_view description);

/// Serializes a response for code without an HttpServer; the connection is closed after it. `bodiless`: the response to
/// a HEAD request (RFC 9110, section 9.3.2).
std::string on_the_wire(const HttpAnswer& answer, bool bodiless = false);
/// Only the head of such a response, for a body that is written apart. `connection`: the value of the Connection header;
/// empty: there is none.
std::string head_on_the_wire(const HttpAnswer& answer, std::string_view connection);
/// The reason phrase of a status, as RFC 9110 names it. "Refused" for a status that the gateway does not send.
const char* reason_phrase(int status);

}  // namespace nuropb
