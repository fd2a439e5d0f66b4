#include "common/http/canonical_head.hpp"

#include <algorithm>

#include "common/same_letters.hpp"

namespace nuropb {
namespace {

/// Headers that canonical_head() writes itself, or that our reader has already evaluated.
bool is_ours(std::string_view name) {
  for (const char* const one :
       {"Host", "Connection", "Upgrade", "Content-Length", "Transfer-Encoding", "Expect", "Keep-Alive"}) {
    if (same_letters(name, one)) return true;
  }
  return false;
}

}  // namespace

std::string canonical_head(const RequestHead& head) {
  std::string out;
  out.reserve(head.length + 64);
  out.append(head.method).append(" ").append(head.path);
  if (!head.query.empty()) out.append("?").append(head.query);
  const std::string_view host = head.host();
  out.append(" HTTP/1.1\r\nHost: ").append(host.empty() ? unnamed_host : host).append("\r\n");
  if (head.wants_websocket()) out.append("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  if (head.chunked) out.append("Transfer-Encoding: chunked\r\n");
  else if (head.content_length > 0)
    out.append("Content-Length: ").append(std::to_string(head.content_length)).append("\r\n");
  for (auto at = head.headers.begin(); at != head.headers.end(); ++at) {
    const auto same = [&](const RequestHead::Header& other) { return same_letters(other.name, at->name); };
    if (is_ours(at->name) || std::find_if(head.headers.begin(), at, same) != at) continue;
    out.append(at->name).append(": ").append(head.header(at->name)).append("\r\n");
  }
  return out.append("\r\n");
}

}  // namespace nuropb
