#include "common/config.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  const auto config = parse_config(text, "fuzz.toml");
  if (config) fuzz::must(!config_json(*config).empty(), "a config can be shown");
  else fuzz::must(!config.error().errors.empty() && !config.error().text().empty(), "a refusal says why");
  (void)parse_config("", "",
                     {"",
                      {{"NUROPB_LISTEN_PORT", std::string(text)}, {"NUROPB_" + std::string(text), "1"}},
                      {{std::string(text), "1"}, {"amqp.urls", std::string(text)}}});
  return 0;
}
