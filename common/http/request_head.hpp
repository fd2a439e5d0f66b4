#pragma once
// The only reader of HTTP/1 request heads. Every port of the gateway that speaks HTTP (WebSockets, backends, console,
// metrics, admin socket) uses it; parsers behind it receive canonical_head() of a head that passed.
//
// The rules are those of RFC 9112 and RFC 9110 for a server. Where they leave a choice, the stricter alternative is
// used, because a proxy in front of the gateway may choose the other one: no folded lines, no bare line feeds, exactly
// one Host, one way to determine the end of the body. docs/reference/http.md lists them;
// tests/unit/http_server/request_rules_test.cpp has a row for each.
//
// Pure: reads no socket and allocates only the list of headers. Bounded by HeadLimits. C++17.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nuropb {

struct HeadLimits {
  std::size_t line = 8192;    ///< bytes of the request line
  std::size_t bytes = 16384;  ///< of the whole head
  std::size_t headers = 100;
  std::uint64_t body = 0;  ///< bytes of the largest body; 0: requests with a body are refused
};

struct RequestHead {
  struct Header {
    std::string_view name, value;
  };
  enum class What { incomplete, complete, refused } what = What::incomplete;
  int status = 0;           ///< of the refusal
  const char* reason = "";  ///< of the refusal
  std::size_t length = 0;   ///< bytes, including the empty line
  std::string_view method;
  std::string_view path, query;  ///< of the target, in any of its forms
  /// Of a target in absolute form, where it replaces the Host header.
  std::string_view authority;
  bool old = false;                  ///< HTTP/1.0
  bool chunked = false;              ///< the body is chunked, so its length is unknown
  std::uint64_t content_length = 0;  ///< bytes of a body that is not chunked
  std::vector<Header> headers;

  [[nodiscard]] bool has(std::string_view name) const;
  /// Whether the comma-separated list of that header contains the element, ignoring case.
  [[nodiscard]] bool lists(std::string_view name, std::string_view element) const;
  /// The host that the request is for, with its port. Empty if the request names no host.
  [[nodiscard]] std::string_view host() const;
  /// Whether the request is a WebSocket handshake (RFC 6455, section 4.2.1). HTTP/1.0 has no Upgrade (RFC 9110, section
  /// 7.8).
  [[nodiscard]] bool wants_websocket() const {
    return !old && lists("Connection", "upgrade") && lists("Upgrade", "websocket");
  }
  /// Whether the client accepts another response on this connection (RFC 9112, section 9.3).
  [[nodiscard]] bool keep_alive() const {
    return !lists("Connection", "close") && (!old || lists("Connection", "keep-alive"));
  }
  /// Whether the client waits for a 100 response before it sends the body (RFC 9110, section 10.1.1).
  [[nodiscard]] bool expects_continue() const { return !old && lists("Expect", "100-continue"); }
  /// All non-empty values of that header, joined by ", " (Cookie: by "; "). Empty if there are none.
  [[nodiscard]] std::string header(std::string_view name) const;
};

/// Parses a head from the front of `bytes`; views in the result point into `bytes`. `searched`: how many bytes earlier
/// calls have seen, so that a head that arrives byte by byte is not rescanned.
RequestHead parse_request_head(std::string_view bytes, const HeadLimits& limits, std::size_t searched = 0);

/// Calls `take` with each element of a comma-separated list, trimmed, until `take` returns true. Returns whether it
/// did.
template <class Take>
bool any_of_list(std::string_view list, Take&& take) {
  for (;;) {
    const auto comma = list.find(',');
    std::string_view element = list.substr(0, comma);
    const auto first = element.find_first_not_of(" \t");
    element = first == std::string_view::npos ? std::string_view()
                                              : element.substr(first, element.find_last_not_of(" \t") - first + 1);
    if (take(element)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace nuropb
