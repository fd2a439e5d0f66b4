#include "meshd/amqp/url.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto url = amqp::parse_url(fuzz::text(data, size));
  if (!url) return 0;
  const auto again = amqp::parse_url(url->redacted());
  fuzz::must(again.has_value(), "the redacted form is a URL");
  fuzz::must(
      again->host == url->host && again->port == url->port && again->user == url->user && again->vhost == url->vhost,
      "of the same place");
  fuzz::must(again->password == "***", "without the password");
  return 0;
}
