#pragma once
// Determines the client behind a proxy, from X-Forwarded-For or Forwarded (RFC 7239). Pure.
//
// Each proxy appends the address of its peer, so only the right end was written by our proxies: from there, the first
// address that is not a trusted proxy is the client. Everything to its left may be forged by the client.

#include <optional>
#include <string_view>

#include "common/ip_address.hpp"

namespace nuropb::edge {

enum class ForwardedHeader { none, x_forwarded_for, forwarded };

/// `value`: the header; several of one name are joined by commas in their order. `proxy`: the sender of the request, a
/// trusted one. Empty if the relevant entry is not an address ("unknown", an obfuscated name, malformed text), so that
/// the client cannot be determined. Returns `proxy` itself if the header is empty or names trusted proxies only.
std::optional<IpAddress> forwarded_for(ForwardedHeader kind, std::string_view value, const IpAddress& proxy,
                                       const AddressBlocks& trusted);

}  // namespace nuropb::edge
