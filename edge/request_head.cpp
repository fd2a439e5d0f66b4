#include "edge/request_head.hpp"

#include <algorithm>

#include "common/trimmed.hpp"

namespace nuropb::edge {
namespace {

using What = RequestHead::What;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool same_text(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

/// RFC 9110 section 5.6.2.
bool is_token(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
bool all_tokens(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token); }
bool is_value(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); }
bool is_target(char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; }

RequestHead refused(int status, const char* reason) {
  RequestHead out;
  out.what = What::refused;
  out.status = status;
  out.reason = reason;
  return out;
}

/// Whether it can still become a head, before its end is there.
RequestHead so_far(std::string_view bytes, const HeadLimits& limits) {
  if (!bytes.empty() && !is_token(bytes.front())) return refused(400, "this is not HTTP");
  const auto line = bytes.substr(0, limits.line + 1);
  if (line.size() > limits.line && line.find('\n') == std::string_view::npos)
    return refused(414, "the request line is too long");
  if (bytes.size() >= limits.bytes) return refused(431, "the headers are too long");
  return {};
}

const char* wrong_header(const RequestHead::Header& header) {
  if (!all_tokens(header.name)) return "a header's name is not one";
  if (!std::all_of(header.value.begin(), header.value.end(), is_value)) return "a header has a control character in it";
  return nullptr;
}

RequestHead judged(RequestHead out, bool old) {
  const auto count = [&](std::string_view name) {
    return std::count_if(out.headers.begin(), out.headers.end(),
                         [&](const auto& header) { return same_text(header.name, name); });
  };
  if (count("Host") > 1 || (!old && count("Host") == 0)) return refused(400, "exactly one Host header is needed");
  if (count("Transfer-Encoding") > 0) return refused(413, "requests with a body are not taken");
  for (const auto& header : out.headers) {
    if (same_text(header.name, "Content-Length") && header.value != "0")
      return refused(413, "requests with a body are not taken");
  }
  if (count("Sec-WebSocket-Key") > 1 || count("Sec-WebSocket-Version") > 1 || count("Origin") > 1 ||
      count("Authorization") > 1) {
    return refused(400, "a header stands twice");
  }
  out.what = What::complete;
  return out;
}

}  // namespace

bool RequestHead::has(std::string_view name) const {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const Header& header) { return same_text(header.name, name); });
}

std::string RequestHead::header(std::string_view name) const {
  std::string out;
  bool first = true;
  for (const Header& header : headers) {
    if (!same_text(header.name, name)) continue;
    if (!first) out += ", ";
    out += header.value;
    first = false;
  }
  return out;
}

RequestHead parse_request_head(std::string_view bytes, const HeadLimits& limits, std::size_t searched) {
  const auto end = bytes.find("\r\n\r\n", searched < 3 ? 0 : searched - 3);
  if (end == std::string_view::npos || end + 4 > limits.bytes) return so_far(bytes, limits);
  RequestHead out;
  out.length = end + 4;
  std::string_view rest = bytes.substr(0, end + 2);
  const auto next_line = [&] {
    const auto line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(line.size() + 2);
    return line;
  };
  const std::string_view line = next_line();
  if (line.size() > limits.line) return refused(414, "the request line is too long");
  const auto first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refused(400, "this is not HTTP");
  out.method = line.substr(0, first);
  out.target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!all_tokens(out.method) || out.target.empty() || !std::all_of(out.target.begin(), out.target.end(), is_target))
    return refused(400, "this is not HTTP");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return version.starts_with("HTTP/") ? refused(505, "only HTTP/1.1 is spoken here")
                                        : refused(400, "this is not HTTP");
  }
  while (!rest.empty()) {
    if (out.headers.size() == limits.headers) return refused(431, "there are too many headers");
    const std::string_view text = next_line();
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return refused(400, "a header has no colon");
    out.headers.push_back({text.substr(0, colon), trimmed(text.substr(colon + 1))});
    if (const char* const wrong = wrong_header(out.headers.back())) return refused(400, wrong);
  }
  return judged(std::move(out), version == "HTTP/1.0");  // health checks of HTTP/1.0 name no host
}

std::string host_of(std::string_view header) {
  header = trimmed(header);
  std::string_view host = header.substr(0, header.rfind(':'));
  if (header.starts_with('['))
    host = header.substr(0, header.find(']') == std::string_view::npos ? 0 : header.find(']') + 1);
  const auto rest = header.substr(host.size());
  if (!rest.empty() && (rest.front() != ':' || rest.find_first_not_of("0123456789", 1) != std::string_view::npos))
    return {};
  if (host.find(':') != std::string_view::npos && !host.starts_with('[')) return {};
  std::string out(host);
  if (!out.empty() && out.back() == '.') out.pop_back();
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

bool host_allowed(std::string_view header, const std::vector<std::string>& allowed) {
  if (allowed.empty()) return true;
  const std::string host = host_of(header);
  if (host.empty()) return false;
  return std::any_of(allowed.begin(), allowed.end(), [&](std::string_view entry) {
    if (!entry.starts_with('.')) return same_text(host, entry);
    entry.remove_prefix(1);
    if (entry.empty() || host.size() < entry.size() ||
        !same_text(std::string_view(host).substr(host.size() - entry.size()), entry))
      return false;
    return host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.';
  });
}

}  // namespace nuropb::edge
