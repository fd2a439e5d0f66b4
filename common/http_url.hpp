#pragma once
// Addresses of HTTP servers by RFC 3986: http://user:password@host:port/path?query and https://…
//
// The one place that reads them: the check of the settings (config_checks.cpp) and everything that asks such a server
// (meshd/http) call the same function, so that settings that are said to be right are taken at the start. Path and query
// belong to the operator of the server, and are sent byte for byte as they are written. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace nuropb::http {

struct Url {
  bool tls = false;
  std::string host;         ///< without the brackets of an IPv6 literal
  std::uint16_t port = 80;  ///< 443 for https
  std::string user;         ///< empty: no basic authentication
  std::string password;
  std::string base;    ///< what stands before targets of our own: empty, or "/rabbit" without a '/' at its end
  std::string target;  ///< path and query as they are written; "/" where there is no path

  /// What a request line has: our own target behind the base, or, for an empty one, the address as it is written.
  [[nodiscard]] std::string request_target(std::string_view own) const;
  /// The address with `***` for the password and for a query, which may hold a key: the only form that is ever logged.
  [[nodiscard]] std::string redacted() const;
  /// host:port as the Host header has it.
  [[nodiscard]] std::string authority() const;
};

/// Of one resource: `https://issuer.example/keys?p=1`. A fragment is left out, since it is not for servers. The error's
/// `where` holds the redacted text.
Result<Url> parse_url(std::string_view text);
/// Of a server behind whose address we put paths of our own: without a query.
Result<Url> parse_base_url(std::string_view text);

}  // namespace nuropb::http
