#include "common/http/request_target.hpp"

#include <algorithm>

#include "common/authority.hpp"
#include "common/percent.hpp"

namespace nuropb {
namespace {

constexpr std::string_view root = "/";

/// The characters of RFC 3986 section 3.2.2 (reg-name), which permits more than host names use.
bool of_a_name(char c) {
  return is_unreserved(c) || std::string_view("%!$&'()*+,;=").find(c) != std::string_view::npos;
}
bool of_a_literal(char c) { return is_unreserved(c) || c == ':' || c == '%'; }

}  // namespace

bool is_host_value(std::string_view text) {
  std::string_view host = text.substr(0, text.find(':'));
  bool right = std::all_of(host.begin(), host.end(), of_a_name);
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return false;
    host = text.substr(0, end + 1);
    right = end > 1 && std::all_of(text.begin() + 1, text.begin() + static_cast<std::ptrdiff_t>(end), of_a_literal);
  }
  const std::string_view port = text.substr(host.size());
  if (port.empty()) return right;
  return right && !host.empty() && port.front() == ':' &&
         port.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

std::optional<RequestTarget> parse_request_target(std::string_view text) {
  // Fragments are not sent to servers: a client that sends one parses targets by other rules than we do.
  if (text.find('#') != std::string_view::npos) return {};
  RequestTarget out;
  std::string_view rest = text;
  if (!rest.starts_with('/')) {
    if (!take_scheme(rest, "http") && !take_scheme(rest, "https") && !take_scheme(rest, "ws") &&
        !take_scheme(rest, "wss"))
      return {};
    out.authority = rest.substr(0, rest.find_first_of("/?"));
    rest.remove_prefix(out.authority.size());
    if (out.authority.empty() || !is_host_value(out.authority)) return {};  // an authority with a user is refused, too
  }
  const auto mark = rest.find('?');
  out.path = rest.substr(0, mark);
  if (out.path.empty()) out.path = root;
  if (mark != std::string_view::npos) out.query = rest.substr(mark + 1);
  return out;
}

}  // namespace nuropb
