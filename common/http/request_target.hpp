#pragma once
// The target in the request line of HTTP/1 (RFC 9112, section 3.2). All our servers use this parser. Pure.

#include <optional>
#include <string_view>

namespace nuropb {

struct RequestTarget {
  std::string_view path;       ///< begins with '/'
  std::string_view query;      ///< without the '?'; empty if there is none
  std::string_view authority;  ///< of the absolute form, where it replaces the Host header; otherwise empty
};

/// Accepts the origin form ("/healthz?x") and the absolute form ("http://gw.example:8880/healthz"), which proxies send
/// and every server must accept (section 3.2.2). Returns nothing for the other two forms, "*" and "host:port", which
/// name no resource, and for malformed targets. Views point into the text or to a constant.
std::optional<RequestTarget> parse_request_target(std::string_view text);

/// Whether the text is valid as a Host header or an authority (RFC 9110, section 7.2): a host, optionally followed by
/// ':' and digits. The empty text is valid.
bool is_host_value(std::string_view text);

}  // namespace nuropb
