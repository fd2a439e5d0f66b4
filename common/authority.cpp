#include "common/authority.hpp"

#include <algorithm>
#include <charconv>

#include "common/percent.hpp"
#include "common/same_letters.hpp"

namespace nuropb {
namespace {

std::optional<std::uint16_t> port_of(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > 65535) return {};
  return static_cast<std::uint16_t>(value);
}

/// For callers that take C strings: rejects a decoded NUL.
std::optional<std::string> decode_text(std::string_view text) {
  auto out = percent_decode(text);
  if (out && out->find('\0') != std::string::npos) return {};
  return out;
}

}  // namespace

bool take_scheme(std::string_view& address, std::string_view scheme) {
  constexpr std::string_view end = "://";
  if (address.size() < scheme.size() + end.size() || address.substr(scheme.size(), end.size()) != end) return false;
  if (!same_letters(address.substr(0, scheme.size()), scheme)) return false;
  address.remove_prefix(scheme.size() + end.size());
  return true;
}

tl::expected<Authority, const char*> parse_authority(std::string_view text) {
  const auto wrong = [](const char* what) { return tl::unexpected(what); };
  Authority out;
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = text.substr(0, at);
    const auto colon = login.find(':');
    out.user = decode_text(login.substr(0, colon));
    const auto password =
        colon == std::string_view::npos ? std::optional<std::string>("") : decode_text(login.substr(colon + 1));
    if (!out.user || !password) return wrong("has a user or password with a bad %-escape");
    out.password = *password;
    text.remove_prefix(at + 1);
  }
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return wrong("has a '[' without its ']'");
    out.host = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    if (!text.empty() && text[0] != ':') return wrong("has text behind ']'");
  } else {
    out.host = text.substr(0, text.find(':'));
    text.remove_prefix(out.host.size());
  }
  if (out.host.empty()) return wrong("has no host");
  if (!std::all_of(out.host.begin(), out.host.end(), is_of_a_host))
    return wrong("has a character in its host that host names may not have");
  if (text.empty()) return out;
  out.port = port_of(text.substr(1));
  if (!out.port) return wrong("has a port that is not 1 to 65535");
  return out;
}

std::string host_and_port(const std::string& host, std::uint16_t port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::string without_login(std::string_view address) {
  const auto at = address.rfind('@');
  if (at == std::string_view::npos) return std::string(address);
  const auto scheme = address.substr(0, at).find("://");
  return std::string(address.substr(0, scheme == std::string_view::npos ? 0 : scheme + 3)) + "***" +
         std::string(address.substr(at));
}

}  // namespace nuropb
