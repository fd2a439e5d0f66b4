#pragma once
// What the request line of HTTP/1 asks for (RFC 9112, section 3.2), as every server of ours reads it. Pure.

#include <optional>
#include <string_view>

namespace nuropb {

struct RequestTarget {
  std::string_view path;       ///< begins with '/'
  std::string_view query;      ///< without its '?'; empty: there is none
  std::string_view authority;  ///< of the absolute form, where it counts instead of the Host header; else empty
};

/// Of the origin form ("/healthz?x") and of the absolute form ("http://gw.example:8880/healthz"), which proxies send and
/// every server has to take (section 3.2.2). Nothing of the other two forms, "*" and "host:port", which ask for no
/// resource, and of what is no target at all. Views point into the text, or to a constant.
std::optional<RequestTarget> parse_request_target(std::string_view text);

/// Whether a Host header or an authority is one (RFC 9110, section 7.2): a host, and after a ':' digits. Empty is.
bool is_host_value(std::string_view text);

}  // namespace nuropb
