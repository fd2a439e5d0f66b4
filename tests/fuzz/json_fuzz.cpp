#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "common/json/scan.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  std::array<json::Field, 2> inner{{{"a"}, {"params"}}};
  std::array<json::Field, 3> fields{{{"a", {}, inner}, {"payload", {}, inner}, {"type"}}};
  json::Slice root;
  const bool good = !json::scan(text, fields, &root);
  // nlohmann refuses lone surrogates and numbers that a double can't hold, which are JSON; nothing else may differ.
  if (nlohmann::json::accept(text)) fuzz::must(good, "what nlohmann accepts is accepted");
  if (good) {
    for (const auto& field : fields) {
      json::Slice again;
      if (!field.value.present()) continue;
      fuzz::must(!json::validate(field.value.text, &again), "a slice is JSON by itself");
      fuzz::must(again.kind == field.value.kind, "and of the same kind");
    }
    if (root.kind == json::Kind::string) {
      json::Slice back;
      const std::string quoted = json::quoted(json::unescape(root));
      fuzz::must(!json::validate(quoted, &back) && json::unescape(back) == json::unescape(root), "strings go there and back");
    }
  }
  fuzz::must(!json::validate(json::quoted(text)), "any bytes can be quoted");
  return 0;
}
