#pragma once
// Decides which web pages may connect, by their origin. Pure.
//
// A browser sends Origin with every handshake, and no page can forge it; other clients send none. Entries:
//   "example.com"                    that host and everything below it, any scheme and port
//   ".example.com"                   the same (nuropb-gw's spelling)
//   "https://app.example.com:8443"   exactly that origin
//   "*"                              all
// nuropb-gw compares plain suffixes, so `evilexample.com` is accepted there for `example.com`; here a host only matches
// at a label boundary (nuropb-wire.md section 2, "Origins").

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nuropb::edge {

/// `origin` is the header's value; an empty one means that the header is missing, and is allowed.
bool origin_allowed(std::string_view origin, const std::vector<std::string>& allowed);

/// Where a page is served by plain HTTP; with `hosts`, the names that lead to it, also by a proxy with TLS.
struct PageAddress {
  const std::string& address;
  std::uint16_t port;
  const std::vector<std::string>& hosts;
};
/// Whether a handshake with this origin comes from that page.
bool is_origin_of_page(std::string_view origin, const PageAddress& page);

[[nodiscard]] bool is_local(std::string_view host);
/// The host of a URI: IPv6 addresses are in brackets there.
std::string host_in_uri(const std::string& host);

}  // namespace nuropb::edge
