#include "meshd/tracing/otlp.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;
using namespace nuropb::meshd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto headers = parse_headers(fuzz::text(data, size));
  if (!headers) {
    fuzz::must(!headers.error().what.empty() && headers.error().what.size() < 128,
               "what is wrong is said, and no more");
    return 0;
  }
  std::string again;
  for (const auto& [name, value] : *headers) {
    fuzz::must(!name.empty() && (name + value).find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
               "nothing becomes a header of its own");
    again.append(name).append(": ").append(value).append("\n");
  }
  const auto same = parse_headers(again);
  fuzz::must(same && *same == *headers, "written again they are the same");
  return 0;
}
