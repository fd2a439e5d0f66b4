#include "edge/net/proxy_header.hpp"

#include <array>
#include <charconv>

namespace nuropb::edge {
namespace {

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view keyword("PROXY ");
constexpr std::size_t fixed_part = 16;
constexpr std::size_t longest_line = 107;
constexpr std::size_t shortest_line = 15;  // "PROXY UNKNOWN\r\n"

std::uint8_t byte(std::string_view bytes, std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); }
std::uint16_t two(std::string_view bytes, std::size_t i) {
  return static_cast<std::uint16_t>(byte(bytes, i) << 8 | byte(bytes, i + 1));
}

ProxyHeader rubbish() { return {}; }
ProxyHeader incomplete(std::size_t wanted) { return {ProxyHeader::What::incomplete, wanted, {}, 0}; }

ProxyHeader binary(std::string_view bytes) {
  if (bytes.size() < fixed_part) return incomplete(fixed_part - bytes.size());
  const std::size_t length = two(bytes, 14);
  if (byte(bytes, 12) >> 4 != 2 || fixed_part + length > max_proxy_header) return rubbish();
  const unsigned command = byte(bytes, 12) & 0x0f, family = byte(bytes, 13);
  if (command > 1) return rubbish();
  if (bytes.size() < fixed_part + length) return incomplete(fixed_part + length - bytes.size());
  ProxyHeader out{ProxyHeader::What::complete, 0, {}, 0};
  const auto* addresses = reinterpret_cast<const std::uint8_t*>(bytes.data()) + fixed_part;
  if (command == 0 || family == 0) return out;
  if (family == 0x11 && length >= 12) {
    out.source = IpAddress::of_v4(addresses);
    out.port = two(bytes, fixed_part + 8);
  } else if (family == 0x21 && length >= 36) {
    out.source = IpAddress::of_v6(addresses);
    out.port = two(bytes, fixed_part + 32);
  } else {
    return rubbish();
  }
  return out;
}

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return out;
}

ProxyHeader line(std::string_view text) {
  text.remove_prefix(keyword.size());
  std::array<std::string_view, 5> words;
  std::size_t count = 0;
  for (; count < words.size(); ++count) {
    const auto space = text.find(' ');
    words[count] = text.substr(0, space);
    if (space == std::string_view::npos) {
      ++count;
      text = {};
      break;
    }
    text.remove_prefix(space + 1);
  }
  ProxyHeader out{ProxyHeader::What::complete, 0, {}, 0};
  if (words[0] == "UNKNOWN") return out;
  if (count != 5 || !text.empty() || (words[0] != "TCP4" && words[0] != "TCP6")) return rubbish();
  const auto source = IpAddress::parse(words[1]), target = IpAddress::parse(words[2]);
  const auto port = port_of(words[3]), target_port = port_of(words[4]);
  if (!source || !target || !port || !target_port) return rubbish();
  if ((words[1].find(':') == std::string_view::npos) != (words[0] == "TCP4")) return rubbish();
  out.source = source;
  out.port = *port;
  return out;
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
  if (const auto known = bytes.substr(0, signature.size());
      known == signature.substr(0, known.size()) && !known.empty())
    return binary(bytes);
  if (const auto known = bytes.substr(0, keyword.size()); known != keyword.substr(0, known.size())) return rubbish();
  // Bytes beyond the line's end must not be read, and only the line itself shows where that is, so its last part is
  // read byte by byte.
  if (bytes.size() < shortest_line) return incomplete(shortest_line - bytes.size());
  const auto end = bytes.find("\r\n");
  if (end != std::string_view::npos) return end + 2 == bytes.size() ? line(bytes.substr(0, end)) : rubbish();
  return bytes.size() < longest_line ? incomplete(1) : rubbish();
}

}  // namespace nuropb::edge
