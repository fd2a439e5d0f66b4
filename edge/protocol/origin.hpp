#pragma once
// Which web pages may connect. Pure.
//
// A browser sends Origin with every handshake, and no page can forge it; other consumers send none. Entries:
//   "example.com"                    that host and everything below it, any scheme and port
//   ".example.com"                   the same (nuropb-gw's spelling)
//   "https://app.example.com:8443"   exactly that origin
//   "*"                              all
// nuropb-gw compares plain suffixes, so `evilexample.com` passes there for `example.com`; here a host matches at a
// label boundary only (nuropb-wire.md section 2, "Origins").

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nuropb::edge {

/// `origin` is the header's value; an empty one means that there was none, and passes.
bool origin_allowed(std::string_view origin, const std::vector<std::string>& allowed);

}  // namespace nuropb::edge
