// Fernet tokens and their base64. The first byte selects: the rest is a token, or a token's bytes that we sign (to get
// past the signature), or a plain text.

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/base64.hpp"
#include "common/fernet.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto key = *fernet::Key::from_text("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=");
  if (size == 0) return 0;
  const auto rest = fuzz::text(data + 1, size - 1);
  for (const auto alphabet : {base64::Alphabet::standard, base64::Alphabet::url}) {
    fuzz::must(base64::decode(base64::encode(rest, alphabet), alphabet) == rest, "base64 reads what it writes");
    if (const auto bytes = base64::decode(rest, alphabet))
      fuzz::must(base64::encode(*bytes, alphabet) == rest, "each value has one spelling");
  }
  if (const auto other = fernet::Key::from_text(rest)) fuzz::must(other->text() == rest, "each key has one spelling");
  switch (data[0] % 3) {
    case 0: {
      const auto plain = fernet::decrypt(key, rest);
      fuzz::must(plain.has_value() || !plain.error().what.empty(), "a refusal says why");
      break;
    }
    case 1: {
      std::string raw(rest);
      unsigned char mac[32];
      unsigned int mac_size = 0;
      HMAC(EVP_sha256(), key.signing(), 16, data + 1, size - 1, mac, &mac_size);
      raw.append(reinterpret_cast<const char*>(mac), mac_size);
      const auto plain = fernet::decrypt(key, base64::encode(raw, base64::Alphabet::url));
      if (plain) fuzz::must(plain->size() < rest.size(), "a token is longer than its text");
      else fuzz::must(!plain.error().what.empty(), "a refusal says why");
      break;
    }
    default: {
      const auto token = fernet::encrypt(key, rest);
      fuzz::must(token && fernet::decrypt(key, *token) == rest, "Fernet reads what it writes");
    }
  }
  return 0;
}
