#include "edge/net/allowed_hosts.hpp"
#include "edge/net/forwarded.hpp"
#include "edge/net/proxy_header.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;
using namespace nuropb::edge;

namespace {

void proxy_header(std::string_view text) {
  const ProxyHeader header = parse_proxy_header(text);
  if (header.what == ProxyHeader::What::incomplete) {
    fuzz::must(header.wanted > 0, "an incomplete header wants more");
    fuzz::must(text.size() + header.wanted <= max_proxy_header, "it is bounded");
  }
  if (header.what != ProxyHeader::What::complete) return;
  for (std::size_t n = 0; n < text.size(); n += 1 + text.size() / 16) {
    const auto part = parse_proxy_header(text.substr(0, n));
    fuzz::must(part.what == ProxyHeader::What::incomplete || text[0] == '\r',
               "the beginning of a header is no rubbish");
  }
}

void forwarded(std::string_view text) {
  AddressBlocks trusted;
  trusted.add("10.0.0.0/8");
  const auto proxy = *IpAddress::parse("10.0.0.1"), stranger = *IpAddress::parse("192.0.2.1");
  for (const auto kind : {ForwardedHeader::x_forwarded_for, ForwardedHeader::forwarded}) {
    fuzz::must(forwarded_for(kind, text, stranger, trusted) == stranger, "a stranger is not believed");
    // Whatever a client puts before it, the address that our proxy appended is used.
    const std::string appended = kind == ForwardedHeader::forwarded ? "for=203.0.113.7" : "203.0.113.7";
    const auto found = forwarded_for(kind, std::string(text) + ", " + appended, proxy, trusted);
    if (kind == ForwardedHeader::x_forwarded_for)
      fuzz::must(found && found->text() == "203.0.113.7", "what the proxy wrote counts");
  }
  if (host_allowed(text, {".gw.test"})) {
    const std::string host = host_of(text);
    fuzz::must(host == "gw.test" || host.ends_with(".gw.test"), "only at a label's boundary");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  proxy_header(text);
  forwarded(text);
  return 0;
}
