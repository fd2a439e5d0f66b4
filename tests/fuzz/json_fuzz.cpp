#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "common/json/scan.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

namespace {

/// nlohmann refuses some JSON: lone surrogates, and numbers that a double can't hold.
bool may_be_refused_by_nlohmann(std::string_view text) {
  if (text.find("\\u") != text.npos) return true;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    digits = text[i] >= '0' && text[i] <= '9' ? digits + 1 : 0;
    const bool exponent = (text[i] == 'e' || text[i] == 'E') && i > 0 && text[i - 1] >= '0' && text[i - 1] <= '9';
    if (exponent || digits > 300) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  std::array<json::Field, 1> deepest{{{"a"}}};
  std::array<json::Field, 2> inner{{{"a", {}, deepest}, {"params"}}};
  std::array<json::Field, 2> other{{{"a"}, {"params"}}};
  std::array<json::Field, 3> fields{{{"a", {}, inner}, {"payload", {}, other}, {"type"}}};
  json::Slice root;
  const auto problem = json::scan(text, fields, &root);
  const bool good = !problem;
  const bool too_deep = problem && std::string_view(problem->what) == "Nested too deeply";
  if (problem) fuzz::must(problem->offset <= size, "a problem lies within the text");
  if (nlohmann::json::accept(text)) fuzz::must(good || too_deep, "what nlohmann accepts is accepted");
  else if (!may_be_refused_by_nlohmann(text)) fuzz::must(!good, "what nlohmann refuses is refused");
  if (good) {
    const auto whole = [](const json::Field& field, std::string_view within) {
      if (!field.value.present()) return;
      json::Slice again;
      fuzz::must(field.value.text.data() >= within.data() &&
                     field.value.text.data() + field.value.text.size() <= within.data() + within.size(),
                 "a slice lies within what encloses it");
      fuzz::must(!json::validate(field.value.text, &again), "a slice is JSON by itself");
      fuzz::must(again.kind == field.value.kind && again.text == field.value.text, "and the same");
    };
    for (const auto& field : fields) {
      whole(field, text);
      for (const auto& member : field.members) {
        fuzz::must(!member.value.present() || field.value.kind == json::Kind::object, "members lie in objects only");
        whole(member, field.value.text);
        for (const auto& below : member.members) {
          fuzz::must(!below.value.present() || member.value.kind == json::Kind::object, "members lie in objects only");
          whole(below, member.value.text);
        }
      }
    }
    if (root.kind == json::Kind::string) {
      json::Slice back;
      const std::string quoted = json::quoted(json::unescape(root));
      fuzz::must(!json::validate(quoted, &back) && json::unescape(back) == json::unescape(root),
                 "strings go there and back");
    }
  }
  const std::string quoted = json::quoted(text);
  fuzz::must(!json::validate(quoted), "any bytes can be quoted");
  for (const char c : quoted) fuzz::must(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "and can't break a line");
  return 0;
}
