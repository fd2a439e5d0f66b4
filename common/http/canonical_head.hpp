#pragma once
// Rewrites a request's head into one canonical form for the parser behind our reader, whatever form the client or a
// proxy has sent. So one set of rules applies to heads (request_head.hpp): the parsers of websocketpp and Beast have
// other rules, but read the canonical form alike:
//
//   the target as path and query, HTTP/1.1, exactly one Host with a host in it, each name once, cookies joined by "; ",
//   "Connection: Upgrade" and "Upgrade: websocket" where a WebSocket is asked for, and neither of them otherwise,
//   one Content-Length or "Transfer-Encoding: chunked" where there is a body, and neither of them otherwise; no Expect
//
// Pure. C++17.

#include <string>
#include <string_view>

#include "common/http/request_head.hpp"

namespace nuropb {

/// The Host header for a request that names no host: a name that never resolves (RFC 2606) and belongs to no origin.
inline constexpr std::string_view unnamed_host = "unnamed.invalid";

/// Precondition: the head is complete, with its empty line.
std::string canonical_head(const RequestHead& head);

}  // namespace nuropb
