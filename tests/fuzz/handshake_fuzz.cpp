#include "edge/protocol/origin.hpp"
#include "edge/protocol/token_source.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  const auto middle = text.substr(0, text.find('\n'));
  const auto rest = text.substr(middle.size());
  const auto token =
      edge::find_token({"GET", middle, rest, rest, rest}, {"Authorization", "session", "access_token", true});
  if (const auto found = edge::token_of_protocols(rest))
    fuzz::must(found->size() <= rest.size(), "a token is part of what was offered");
  (void)edge::query_value(text, "access_token");
  if (token)
    fuzz::must(!token->token.empty() && token->token.size() <= records::max_credential, "a token fits a record");
  (void)edge::cookie_value(text, middle);
  fuzz::must(edge::origin_allowed(text, {"*"}), "all means all");
  if (!text.empty()) fuzz::must(!edge::origin_allowed(text, {}), "none means none");
  if (edge::origin_allowed(text, {"example.com"}) && !text.empty()) {
    std::string lower(text);
    for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    fuzz::must(lower.find("//example.com") != std::string::npos || lower.find(".example.com") != std::string::npos,
               "only at a label's boundary");
  }
  return 0;
}
