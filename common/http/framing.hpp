#pragma once
// Where the body of a request ends (RFC 9112, section 6): the part of the rules on which request smuggling depends, because
// two servers in a row that find different ends read different requests. Pure.

#include <cstdint>

#include "common/http/request_head.hpp"

namespace nuropb {

struct Framing {
  int status = 0;           ///< 0: in order; else what the request is refused with
  const char* reason = "";  ///< of a refusal
  bool chunked = false;
  std::uint64_t length = 0;  ///< bytes, if not chunked; 0: there is no body
};

/// Of a head whose version and headers are read. `largest`: bytes of the largest body; 0: none is taken.
Framing framing_of(const RequestHead& head, std::uint64_t largest);

}  // namespace nuropb
