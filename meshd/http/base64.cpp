#include "meshd/http/base64.hpp"

#include <openssl/evp.h>

namespace nuropb::http {

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL writes a NUL behind it
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty()) return std::string();
  if (text.size() % 4 != 0 || text.size() > (1U << 30)) return {};
  std::string out(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) return {};
  out.resize(static_cast<std::size_t>(size));
  // OpenSSL counts padding as zero bytes and overlooks white space and padding in odd places: writing it again tells.
  for (int padding = 0; padding < 2 && text[text.size() - 1 - static_cast<std::size_t>(padding)] == '='; ++padding) out.pop_back();
  if (base64(out) != text) return {};
  return out;
}

}  // namespace nuropb::http
