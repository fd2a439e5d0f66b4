#pragma once
// Addresses of HTTP servers: http://user:password@host:port/base and https://…

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
  std::string base;  ///< what stands before every target: empty, or "/rabbit" without a '/' at its end

  /// The address with `***` for the password: the only form that is ever logged or shown.
  [[nodiscard]] std::string redacted() const;
  /// host:port as the Host header has it.
  [[nodiscard]] std::string authority() const;
};

/// The error's `where` holds the redacted text.
Result<Url> parse_url(std::string_view text);

}  // namespace nuropb::http
