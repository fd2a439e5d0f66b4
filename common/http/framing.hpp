#pragma once
// Determines where the body of a request ends (RFC 9112, section 6). Request smuggling depends on this part of the
// rules: two servers in a row that disagree about the end read different requests. Pure.

#include <cstdint>

#include "common/http/request_head.hpp"

namespace nuropb {

struct Framing {
  int status = 0;           ///< 0: valid; otherwise the status of the refusal
  const char* reason = "";  ///< of the refusal
  bool chunked = false;
  std::uint64_t length = 0;  ///< bytes, if not chunked; 0: there is no body
};

/// Precondition: version and headers of the head are parsed. `largest`: maximum size of a body in bytes; 0: no body is
/// accepted.
Framing framing_of(const RequestHead& head, std::uint64_t largest);

}  // namespace nuropb
