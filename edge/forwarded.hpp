#pragma once
// Whose request a proxy passes on, from X-Forwarded-For or Forwarded (RFC 7239). Pure.
//
// Each proxy appends the address that it was asked from, so only the right end was written by ours: from there the first
// address that is no trusted proxy's is the consumer. What stands to its left the consumer may have made up.

#include <optional>
#include <string_view>

#include "common/ip_address.hpp"

namespace nuropb::edge {

enum class ForwardedHeader { none, x_forwarded_for, forwarded };

/// `value`: the header, several of one name joined by commas in their order. `proxy`: who sent the request, a trusted
/// one. Nothing where the entry that counts is no address ("unknown", an obfuscated name, rubbish): then the consumer
/// can't be told. `proxy` itself where the header is empty or names trusted proxies only.
std::optional<IpAddress> forwarded_for(ForwardedHeader kind, std::string_view value, const IpAddress& proxy,
                                       const AddressBlocks& trusted);

}  // namespace nuropb::edge
