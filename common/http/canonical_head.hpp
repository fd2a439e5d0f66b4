#pragma once
// A request's head written anew for the parser behind our reader, in one form, whatever form the client or a proxy has sent.
// So there is one set of rules for heads (request_head.hpp), and the parsers of websocketpp and Beast, which have others, see
// only what is the same under all of them:
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

/// What stands in Host where the client has named none: a name that leads nowhere (RFC 2606), and is no origin's.
inline constexpr std::string_view unnamed_host = "unnamed.invalid";

/// Of a complete head, with its empty line.
std::string canonical_head(const RequestHead& head);

}  // namespace nuropb
