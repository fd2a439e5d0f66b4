#pragma once
// Addresses of HTTP servers by RFC 3986: http://user:password@host:port/path?query and https://…
//
// The only parser of such addresses: the checks of the settings (config_checks.cpp) and everything that sends HTTP
// requests (meshd/http) use it, so a setting that passes the check also works at start-up. Path and query belong to the
// operator of the server and are sent byte for byte as written. Pure.

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
  std::string base;    ///< prefix of our own targets: empty, or "/rabbit" without a trailing '/'
  std::string target;  ///< path and query as written; "/" if there is no path

  /// The target for the request line: `own` appended to the base, or, if `own` is empty, the address as written.
  [[nodiscard]] std::string request_target(std::string_view own) const;
  /// The address with `***` in place of the password and of a query, which may contain a key. The only form that is
  /// ever logged.
  [[nodiscard]] std::string redacted() const;
  /// host:port as sent in the Host header.
  [[nodiscard]] std::string authority() const;
};

/// The address of a single resource: `https://issuer.example/keys?p=1`. A fragment is dropped, since it is not meant
/// for servers. The error's `where` holds the redacted text.
Result<Url> parse_url(std::string_view text);
/// The address of a server to which we append paths of our own, so it must not have a query.
Result<Url> parse_base_url(std::string_view text);

}  // namespace nuropb::http
