#include "meshd/auth/session_cookie.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  const auto opened = meshd::open_signed_value(text, "session", {"cookie_secret"});
  if (opened) {
    fuzz::must(opened->timestamp >= 0 && opened->value.size() < text.size(), "what is signed is part of the text");
    fuzz::must(!meshd::open_signed_value(text, "session", {"another"}), "under one secret only");
  }
  return 0;
}
