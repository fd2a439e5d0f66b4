#include "meshd/snorky/backend_keys.hpp"
#include "meshd/snorky/services_file.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;
using namespace nuropb::meshd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  if (const auto keys = snorky::BackendKeys::parse(text, "keys.toml")) {
    fuzz::must(keys->size() > 0, "a key file has a key");
    fuzz::must(!keys->judge(""), "no key is no key");
  } else {
    fuzz::must(keys.error().where.find("keys.toml") == 0, "an error names the file");
  }
  if (const auto services = snorky::parse_services(text, "services.toml"); !services)
    fuzz::must(services.error().where.find("services.toml") == 0, "an error names the file");
  return 0;
}
