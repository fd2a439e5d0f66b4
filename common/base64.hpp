#pragma once
// Base64 as RFC 4648 has it, in both alphabets. Pure.
//
// Decoding is strict, so that each value has one spelling: padding is required, and stray bits, white space and
// anything else outside the alphabet are refused (Python's b64decode skips them; what peers write never has any).

#include <optional>
#include <string>
#include <string_view>

namespace nuropb::base64 {

enum class Alphabet : unsigned char { standard, url };  ///< `+/` or `-_`; both padded with `=`

std::string encode(std::string_view bytes, Alphabet alphabet = Alphabet::standard);
/// Empty if the text is not exactly what encode() would have written.
std::optional<std::string> decode(std::string_view text, Alphabet alphabet = Alphabet::standard);

}  // namespace nuropb::base64
