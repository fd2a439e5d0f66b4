#include "common/trace.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parent = parse_traceparent(fuzz::text(data, size));
  if (!parent) return 0;
  const std::string text = parent->text();
  const auto again = parse_traceparent(text);
  fuzz::must(text.size() == 55 && again && again->text() == text, "what is passed on is one, and stays as it is");
  fuzz::must(again->trace_id == parent->trace_id && again->span_id == parent->span_id, "and names the same parent");
  return 0;
}
