#include "common/http/request_head.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "common/http/framing.hpp"
#include "common/http/request_target.hpp"
#include "common/same_letters.hpp"
#include "common/trimmed.hpp"

namespace nuropb {
namespace {

using What = RequestHead::What;

// What a character may be part of; a table, because every character of a head is looked up.
constexpr std::uint8_t token = 1, value = 2, target_character = 4;
constexpr std::array<std::uint8_t, 256> uses_of_characters = [] {
  std::array<std::uint8_t, 256> out{};
  for (std::size_t c = 0; c < out.size(); ++c) {
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) out[c] |= value;
    if (c > 0x20 && c != 0x7f) out[c] |= target_character;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) out[c] |= token;
  }
  // RFC 9110, section 5.6.2.
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) out[static_cast<unsigned char>(c)] |= token;
  return out;
}();
bool is(char c, std::uint8_t use) { return (uses_of_characters[static_cast<unsigned char>(c)] & use) != 0; }
bool all_are(std::string_view text, std::uint8_t use) {
  return std::all_of(text.begin(), text.end(), [use](char c) { return is(c, use); });
}
bool all_tokens(std::string_view text) { return !text.empty() && all_are(text, token); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

RequestHead refused(int status, const char* reason) {
  RequestHead out;
  out.what = What::refused;
  out.status = status;
  out.reason = reason;
  return out;
}

constexpr const char* bare_line_feed = "a line ends with a line feed alone";
constexpr const char* not_http = "this is not HTTP";

bool has_bare_line_feed(std::string_view bytes, std::size_t from = 0) {
  for (auto at = bytes.find('\n', from); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
    if (at == 0 || bytes[at - 1] != '\r') return true;
  }
  return false;
}

/// Evaluates an incomplete head: whether it can still become valid.
RequestHead so_far(std::string_view bytes, const HeadLimits& limits, std::size_t searched) {
  if (!bytes.empty() && bytes != "\r" && !is(bytes.front(), token)) return refused(400, not_http);
  // Refused at once, because no further bytes can make such a head valid.
  if (has_bare_line_feed(bytes, searched)) return refused(400, bare_line_feed);
  const auto line = bytes.substr(0, limits.line + 1);
  if (line.size() > limits.line && line.find('\n') == std::string_view::npos)
    return refused(414, "the request line is too long");
  if (bytes.size() >= limits.bytes) return refused(431, "the headers are too long");
  return {};
}

/// RFC 9112, section 2.3. A higher minor version is handled as HTTP/1.1.
RequestHead read_version(RequestHead out, std::string_view version) {
  constexpr std::string_view name = "HTTP/";
  if (!version.starts_with(name)) return refused(400, not_http);
  version.remove_prefix(name.size());
  if (version.size() != 3 || version[0] != '1' || version[1] != '.' || !is_digit(version[2]))
    return refused(505, "only HTTP/1.1 is supported");
  out.old = version[2] == '0';
  return out;
}

/// Section 3.
RequestHead read_request_line(RequestHead out, std::string_view line) {
  const auto first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refused(400, not_http);
  out.method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (!all_tokens(out.method) || target.empty() || !all_are(target, target_character)) return refused(400, not_http);
  out = read_version(std::move(out), line.substr(last + 1));
  if (out.what == What::refused) return out;
  const auto asked = parse_request_target(target);
  if (!asked) return refused(400, "the request target is neither a path nor an absolute URL");
  out.path = asked->path;
  out.query = asked->query;
  out.authority = asked->authority;
  return out;
}

/// Section 5. Returns nullptr if the line is valid.
const char* wrong_line(std::string_view line) {
  if (line.starts_with(' ') || line.starts_with('\t')) return "a header continues on another line";
  if (has_bare_line_feed(line)) return bare_line_feed;
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return "a header has no colon";
  if (!all_tokens(line.substr(0, colon))) return "a header's name has an invalid character";
  if (!all_are(line, value)) return "a header has a control character in it";
  return nullptr;
}

/// Checks that involve several headers.
RequestHead checked(RequestHead out, const HeadLimits& limits) {
  const auto count = [&](std::string_view name) {
    return std::count_if(out.headers.begin(), out.headers.end(),
                         [&](const auto& header) { return same_letters(header.name, name); });
  };
  // Health checks with HTTP/1.0 may omit Host (section 3.2).
  if (count("Host") > 1 || (!out.old && count("Host") == 0)) return refused(400, "exactly one Host header is needed");
  if (out.has("Host") && !is_host_value(out.header("Host"))) return refused(400, "the Host header is not a host name");
  const Framing framing = framing_of(out, limits.body);
  if (framing.status != 0) return refused(framing.status, framing.reason);
  out.chunked = framing.chunked;
  out.content_length = framing.length;
  // Headers that are not lists may occur once (RFC 9110, section 5.3): of two values, two servers in a row could use
  // different ones.
  for (const char* const single : {"Authorization", "Content-Type", "Origin", "Sec-Fetch-Site", "Sec-WebSocket-Key",
                                   "Sec-WebSocket-Version", "X-Backend-Key"}) {
    if (count(single) > 1) return refused(400, "a header occurs twice");
  }
  // RFC 9110, section 10.1.1.
  if (!out.old && out.has("Expect") && !same_letters(out.header("Expect"), "100-continue"))
    return refused(417, "the only supported expectation is 100-continue");
  out.what = What::complete;
  return out;
}

RequestHead read_at_line(std::string_view bytes, const HeadLimits& limits, std::size_t searched) {
  const auto end = bytes.find("\r\n\r\n", searched < 3 ? 0 : searched - 3);
  if (end == std::string_view::npos || end + 4 > limits.bytes) return so_far(bytes, limits, searched);
  std::string_view rest = bytes.substr(0, end + 2);
  const auto next_line = [&] {
    const auto line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(line.size() + 2);
    return line;
  };
  const std::string_view line = next_line();
  if (line.size() > limits.line) return refused(414, "the request line is too long");
  RequestHead out = read_request_line({}, line);
  if (out.what == What::refused) return out;
  out.length = end + 4;
  out.headers.reserve(std::min<std::size_t>(limits.headers, 16));
  while (!rest.empty()) {
    if (out.headers.size() == limits.headers) return refused(431, "there are too many headers");
    const std::string_view text = next_line();
    if (const char* const wrong = wrong_line(text)) return refused(400, wrong);
    const auto colon = text.find(':');
    out.headers.push_back({text.substr(0, colon), trimmed(text.substr(colon + 1))});
  }
  return checked(std::move(out), limits);
}

}  // namespace

bool RequestHead::has(std::string_view name) const {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const Header& header) { return same_letters(header.name, name); });
}

std::string RequestHead::header(std::string_view name) const {
  std::string out;
  const std::string_view between = same_letters(name, "Cookie") ? "; " : ", ";  // RFC 9113, section 8.2.3
  for (const Header& header : headers) {
    if (header.value.empty() || !same_letters(header.name, name)) continue;
    if (!out.empty()) out += between;
    out += header.value;
  }
  return out;
}

bool RequestHead::lists(std::string_view name, std::string_view element) const {
  return std::any_of(headers.begin(), headers.end(), [&](const Header& header) {
    return same_letters(header.name, name) &&
           any_of_list(header.value, [&](std::string_view one) { return same_letters(one, element); });
  });
}

std::string_view RequestHead::host() const {
  if (!authority.empty()) return authority;
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [](const Header& header) { return same_letters(header.name, "Host"); });
  return found == headers.end() ? std::string_view() : found->value;
}

RequestHead parse_request_head(std::string_view bytes, const HeadLimits& limits, std::size_t searched) {
  // Some old clients send an empty line before the request line, after the body of an earlier request (RFC 9112, 2.2).
  if (!bytes.starts_with("\r\n")) return read_at_line(bytes, limits, searched);
  HeadLimits rest = limits;
  rest.bytes -= std::min<std::size_t>(rest.bytes, 2);
  RequestHead out = read_at_line(bytes.substr(2), rest, searched < 2 ? 0 : searched - 2);
  if (out.what == What::complete) out.length += 2;
  return out;
}

}  // namespace nuropb
