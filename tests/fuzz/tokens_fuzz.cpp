#include "meshd/auth/static_tokens.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto tokens = meshd::StaticTokens::parse(fuzz::text(data, size), "fuzz.toml");
  if (!tokens) fuzz::must(tokens.error().text().find("fuzz.toml") != std::string::npos, "a refusal names the file");
  return 0;
}
