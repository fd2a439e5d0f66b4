#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "common/http/canonical_head.hpp"
#include "common/http/request_head.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

namespace {

/// What the parser behind our reader makes of a valid head: a head, with the same end of the body.
void behind(const RequestHead& head, const std::string& canonical) {
  boost::beast::http::request_parser<boost::beast::http::string_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(canonical.size() + 1));
  boost::system::error_code error;
  const std::size_t read = parser.put(boost::asio::buffer(canonical), error);
  fuzz::must(!error && read == canonical.size() && parser.is_header_done(), "Beast takes what passed");
  fuzz::must(parser.chunked() == head.chunked, "chunks are chunks to both");
  fuzz::must(parser.content_length().value_or(0) == head.content_length, "a body has one length");
}

void read(std::string_view text, std::uint64_t body) {
  const HeadLimits limits{200, 1000, 20, body};
  const RequestHead whole = parse_request_head(text, limits);
  if (whole.what == RequestHead::What::refused) {
    fuzz::must(whole.status >= 400 && whole.status < 600 && *whole.reason, "a refusal says why");
    return;
  }
  if (whole.what == RequestHead::What::incomplete) {
    fuzz::must(text.size() < limits.bytes, "waiting has an end");
    return;
  }
  fuzz::must(whole.length <= limits.bytes && whole.length <= text.size() && whole.headers.size() <= limits.headers,
             "it is within its limits");
  fuzz::must(text.substr(0, whole.length).ends_with("\r\n\r\n"), "it ends where it says");
  fuzz::must(whole.content_length <= body && (body > 0 || !whole.chunked), "a body is taken where bodies are");
  for (const auto& [name, value] : whole.headers)
    fuzz::must(!name.empty() && value.find_first_of("\r\n") == std::string_view::npos, "nothing hides in a header");
  const RequestHead resumed = parse_request_head(text, limits, whole.length - 1);
  fuzz::must(resumed.what == RequestHead::What::complete && resumed.length == whole.length, "its pieces add up to it");
  // By our rules the canonical head is equivalent to the original, and canonicalizing it again changes nothing.
  const std::string canonical = canonical_head(whole);
  const RequestHead again =
      parse_request_head(canonical, {limits.line + 1, 2 * limits.bytes, limits.headers + 3, body});
  fuzz::must(again.what == RequestHead::What::complete && again.length == canonical.size(), "one form is a head, too");
  fuzz::must(canonical_head(again) == canonical, "of which there is one");
  fuzz::must(again.wants_websocket() == whole.wants_websocket() && again.path == whole.path, "and it says the same");
  fuzz::must(again.chunked == whole.chunked && again.content_length == whole.content_length, "with the same body");
  behind(whole, canonical);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  read(text, 0);
  read(text, 10'000);
  return 0;
}
