#include "edge/net/proxy_header.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nuropb::edge {
namespace {

using What = ProxyHeader::What;
using namespace std::string_literals;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string version2(unsigned char command, unsigned char family, const std::string& rest) {
  std::string out = signature;
  out += static_cast<char>(command);
  out += static_cast<char>(family);
  out += static_cast<char>(rest.size() >> 8);
  out += static_cast<char>(rest.size());
  return out + rest;
}
const std::string v4 = "\x0a\x01\x02\x03\x7f\x00\x00\x01\x12\x34\x00\x50"s;
const std::string v6 = std::string(15, '\0') + "\x01" + std::string(15, '\0') + "\x02" + "\x00\x07\x00\x50"s;

std::string text(const ProxyHeader& header) {
  switch (header.what) {
    case What::incomplete: return "incomplete";
    case What::rubbish: return "rubbish";
    case What::complete: break;
  }
  return header.source ? header.source->text() + " " + std::to_string(header.port) : "itself";
}

TEST(ProxyHeader, Table) {
  struct Row {
    std::string bytes, outcome;
  };
  const Row rows[] = {
      {version2(0x21, 0x11, v4), "10.1.2.3 4660"},
      {version2(0x21, 0x11, v4 + "\x04\x00\x01x"s), "10.1.2.3 4660"},  // with an extension
      {version2(0x21, 0x21, v6), "::1 7"},
      {version2(0x20, 0x00, ""), "itself"},
      {version2(0x20, 0x11, v4), "itself"},
      {version2(0x21, 0x00, ""), "itself"},
      {version2(0x21, 0x11, v4.substr(1)), "rubbish"},
      {version2(0x21, 0x21, v4), "rubbish"},
      {version2(0x21, 0x12, v4), "rubbish"},  // UDP
      {version2(0x21, 0x31, std::string(216, 'x')), "rubbish"},
      {version2(0x22, 0x11, v4), "rubbish"},
      {version2(0x11, 0x11, v4), "rubbish"},
      {version2(0x21, 0x11, v4 + std::string(max_proxy_header, 'x')), "rubbish"},
      {"PROXY TCP4 10.1.2.3 10.0.0.1 4711 443\r\n", "10.1.2.3 4711"},
      {"PROXY TCP6 2001:db8::1 ::1 4711 443\r\n", "2001:db8::1 4711"},
      {"PROXY UNKNOWN\r\n", "itself"},
      {"PROXY UNKNOWN what ever it says\r\n", "itself"},
      {"PROXY TCP4 ::1 10.0.0.1 4711 443\r\n", "rubbish"},
      {"PROXY TCP4 10.1.2.3 10.0.0.1 4711\r\n", "rubbish"},
      {"PROXY TCP4 10.1.2.3 10.0.0.1 4711 443 1\r\n", "rubbish"},
      {"PROXY TCP4 10.1.2.3 10.0.0.1 65536 443\r\n", "rubbish"},
      {"PROXY TCP4 10.1.2.3 10.0.0.1 +1 443\r\n", "rubbish"},
      {"PROXY TCP5 10.1.2.3 10.0.0.1 4711 443\r\n", "rubbish"},
      {"PROXY  TCP4 10.1.2.3 10.0.0.1 4711 443\r\n", "rubbish"},
      {"PROXY TCP4 10.1.2.3 10.0.0.1 4711 443\r\nGET", "rubbish"},  // read too far
      {"PROXY UNKNOWN " + std::string(100, 'x'), "rubbish"},
      {"GET / HTTP/1.1\r\n\r\n", "rubbish"},
      {"\x16\x03\x01", "rubbish"},
      {"", "incomplete"},
      {"PRO", "incomplete"},
      {"\r\n", "incomplete"},
  };
  for (const Row& row : rows) EXPECT_EQ(text(parse_proxy_header(row.bytes)), row.outcome) << row.bytes;
}

TEST(ProxyHeader, NeverAsksForMoreThanTheHeaderHas) {
  for (const std::string& whole :
       {version2(0x21, 0x11, v4), version2(0x21, 0x21, v6 + std::string(700, 'x')), version2(0x20, 0, ""),
        "PROXY TCP4 10.1.2.3 10.0.0.1 4711 443\r\n"s, "PROXY UNKNOWN\r\n"s}) {
    for (std::size_t have = 0; have < whole.size(); ++have) {
      const auto header = parse_proxy_header(std::string_view(whole).substr(0, have));
      ASSERT_EQ(header.what, What::incomplete) << have;
      EXPECT_GT(header.wanted, 0u);
      EXPECT_LE(have + header.wanted, whole.size());
    }
    EXPECT_EQ(parse_proxy_header(whole).what, What::complete);
  }
}

}  // namespace
}  // namespace nuropb::edge
