#include "meshd/http/url.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto url = http::parse_url(fuzz::text(data, size));
  if (!url) return 0;
  const auto again = http::parse_url(url->redacted());
  fuzz::must(again.has_value(), "the redacted form is a URL");
  fuzz::must(again->tls == url->tls && again->host == url->host && again->port == url->port &&
                 again->user == url->user && again->base == url->base,
             "of the same place");
  fuzz::must(again->password == (url->user.empty() ? "" : "***"), "without the password");
  return 0;
}
