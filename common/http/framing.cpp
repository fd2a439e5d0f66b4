#include "common/http/framing.hpp"

#include <limits>
#include <optional>

#include "common/same_letters.hpp"

namespace nuropb {
namespace {

constexpr const char* no_body = "requests with a body are not accepted";

/// Parses 1*DIGIT. A number that does not fit is above every limit, so the largest value represents it.
std::optional<std::uint64_t> number_in(std::string_view text) {
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return {};
  std::uint64_t out = 0;
  for (const char c : text) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (out > (most - digit) / 10) return most;
    out = out * 10 + digit;
  }
  return out;
}

/// Section 6.1. Empty list elements are refused as well, because a parser that does not skip them would not see
/// "chunked".
Framing chunks(const RequestHead& head, std::uint64_t largest) {
  std::size_t count = 0, chunked = 0;
  bool last = false, empty = false;
  for (const auto& header : head.headers) {
    if (!same_letters(header.name, "Transfer-Encoding")) continue;
    any_of_list(header.value, [&](std::string_view coding) {
      ++count;
      empty = empty || coding.empty();
      last = same_letters(coding, "chunked");
      chunked += last ? 1 : 0;
      return false;
    });
  }
  if (empty || !last || chunked != 1) return {400, "Transfer-Encoding does not end with chunked, once", false, 0};
  if (count > 1) return {501, "the only supported transfer coding is chunked", false, 0};
  if (largest == 0) return {413, no_body, false, 0};
  return {0, "", true, 0};
}

}  // namespace

Framing framing_of(const RequestHead& head, std::uint64_t largest) {
  const bool coded = head.has("Transfer-Encoding");
  // Only one of the two may determine the body's end (section 6.1). HTTP/1.0 has no transfer coding.
  if (coded && (head.old || head.has("Content-Length")))
    return {400, "Transfer-Encoding together with Content-Length, or in HTTP/1.0", false, 0};
  if (coded) return chunks(head, largest);
  std::optional<std::uint64_t> length;
  const char* wrong = nullptr;
  for (const auto& header : head.headers) {
    if (!same_letters(header.name, "Content-Length")) continue;
    // Proxies that join header lines produce lists of equal numbers (section 6.3).
    any_of_list(header.value, [&](std::string_view one) {
      const auto number = number_in(one);
      if (!number) wrong = "Content-Length is not a number";
      else if (length && *length != *number) wrong = "Content-Length has two different values";
      else length = number;
      return wrong != nullptr;
    });
  }
  if (wrong) return {400, wrong, false, 0};
  if (length.value_or(0) > largest) return {413, largest == 0 ? no_body : "the body is too large", false, 0};
  return {0, "", false, length.value_or(0)};
}

}  // namespace nuropb
