#pragma once
// The head of an HTTP/1.1 request, judged before anything is built for it: where it ends, and whether it is one that a
// WebSocket's opening or a page needs. Stricter than HTTP asks for, since two readers follow (websocketpp, and whatever
// proxy stood before): no folded lines, no bare line feeds, no body, one Host. Pure.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nuropb::edge {

struct HeadLimits {
  std::size_t line = 8192;    ///< the request line
  std::size_t bytes = 16384;  ///< the whole head
  std::size_t headers = 100;
};

struct RequestHead {
  struct Header {
    std::string_view name, value;
  };
  enum class What { incomplete, complete, refused } what = What::incomplete;
  int status = 0;           ///< of a refusal
  const char* reason = "";  ///< of a refusal
  std::size_t length = 0;   ///< with the empty line
  std::string_view method, target;
  std::vector<Header> headers;

  [[nodiscard]] bool has(std::string_view name) const;
  /// All of that name joined by ", "; empty if there is none.
  [[nodiscard]] std::string header(std::string_view name) const;
};

/// `searched`: how many bytes an earlier call has seen, so that a head that comes byte by byte is not read over again.
/// Views point into `bytes`.
RequestHead parse_request_head(std::string_view bytes, const HeadLimits& limits, std::size_t searched = 0);

/// "example.com" of "Example.com.:443"; the port is left out, an IPv6 address keeps its brackets. Empty: no host.
std::string host_of(std::string_view header);
/// `allowed`: "app.example.com" is that host, ".example.com" it and all below; empty allows any.
bool host_allowed(std::string_view header, const std::vector<std::string>& allowed);

}  // namespace nuropb::edge
