#include "common/fernet.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "common/base64.hpp"
#include "common/ids.hpp"
#include "common/openssl_errors.hpp"

namespace nuropb::fernet {
namespace {

constexpr char version = '\x80';
constexpr std::size_t block = 16, head = 1 + 8 + block, mac_size = 32;
// OpenSSL's lengths are int.
constexpr std::size_t largest = 1U << 30;

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;
const unsigned char* bytes(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }
unsigned char* bytes(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }

using Mac = std::array<unsigned char, mac_size>;
bool sign(const Key& key, std::string_view text, Mac& mac) {
  unsigned int size = 0;
  return HMAC(EVP_sha256(), key.signing(), Key::size / 2, bytes(text), text.size(), mac.data(), &size) &&
         size == mac.size();
}

}  // namespace

Key::Key(std::span<const std::uint8_t, size> bytes_in) { std::copy(bytes_in.begin(), bytes_in.end(), bytes_.begin()); }
Key::~Key() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Key Key::random() {
  std::array<std::uint8_t, size> fresh;
  random_bytes(fresh.data(), fresh.size());
  Key key(fresh);
  OPENSSL_cleanse(fresh.data(), fresh.size());
  return key;
}

Result<Key> Key::from_text(std::string_view text) {
  auto raw = base64::decode(text, base64::Alphabet::url);
  if (!raw || raw->size() != size) return failure("is not 32 bytes in base64url", "Fernet key");
  Key key(std::span<const std::uint8_t, size>(bytes(*raw), size));
  OPENSSL_cleanse(raw->data(), raw->size());
  return key;
}

std::string Key::text() const {
  return base64::encode({reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}, base64::Alphabet::url);
}

Result<std::string> encrypt(const Key& key, std::string_view plain) {
  Iv iv;
  random_bytes(iv.data(), iv.size());
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return encrypt(key, plain, static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count()),
                 iv);
}

Result<std::string> encrypt(const Key& key, std::string_view plain, std::uint64_t unix_seconds, const Iv& iv) {
  if (plain.size() > largest) return failure("the text has over " + std::to_string(largest) + " bytes", "Fernet");
  const OpensslErrors errors;
  const std::size_t encrypted = plain.size() / block * block + block;
  std::string out(head + encrypted, '\0');
  out[0] = version;
  for (std::size_t i = 0; i < 8; ++i) out[1 + i] = static_cast<char>(unix_seconds >> (56 - 8 * i));
  std::copy(iv.begin(), iv.end(), out.begin() + 9);
  const CipherContext ctx(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int n = 0, last = 0;
  Mac mac;
  const bool done =
      ctx && EVP_EncryptInit_ex(ctx.get(), EVP_aes_128_cbc(), nullptr, key.encryption(), iv.data()) == 1 &&
      EVP_EncryptUpdate(ctx.get(), bytes(out) + head, &n, bytes(plain), static_cast<int>(plain.size())) == 1 &&
      EVP_EncryptFinal_ex(ctx.get(), bytes(out) + head + n, &last) == 1 &&
      static_cast<std::size_t>(n + last) == encrypted && sign(key, out, mac);
  if (!done)
    return failure("OpenSSL has no AES-128-CBC or no HMAC-SHA256", "Fernet", "see its configuration of providers");
  out.append(reinterpret_cast<const char*>(mac.data()), mac.size());
  return base64::encode(out, base64::Alphabet::url);
}

Result<std::string> decrypt(const Key& key, std::string_view token) {
  const auto raw = base64::decode(token, base64::Alphabet::url);
  if (!raw) return failure("is not base64url", "Fernet token");
  if (raw->size() < head + block + mac_size || raw->size() > largest)
    return failure("has " + std::to_string(raw->size()) + " bytes", "Fernet token");
  if (raw->front() != version) return failure("is not of version 0x80", "Fernet token");
  const std::string_view text = std::string_view(*raw).substr(0, raw->size() - mac_size);
  const std::size_t encrypted = text.size() - head;
  if (encrypted % block != 0) return failure("has " + std::to_string(raw->size()) + " bytes", "Fernet token");
  const OpensslErrors errors;
  Mac mac;
  if (!sign(key, text, mac) || CRYPTO_memcmp(mac.data(), raw->data() + text.size(), mac.size()) != 0) {
    return failure("was created with another key, or modified", "Fernet token");
  }
  std::string plain(encrypted, '\0');
  const CipherContext ctx(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int n = 0, last = 0;
  const bool done =
      ctx && EVP_DecryptInit_ex(ctx.get(), EVP_aes_128_cbc(), nullptr, key.encryption(), bytes(text) + 9) == 1 &&
      EVP_DecryptUpdate(ctx.get(), bytes(plain), &n, bytes(text) + head, static_cast<int>(encrypted)) == 1 &&
      EVP_DecryptFinal_ex(ctx.get(), bytes(plain) + n, &last) == 1;
  if (!done) return failure("has wrong padding", "Fernet token");
  plain.resize(static_cast<std::size_t>(n + last));
  return plain;
}

}  // namespace nuropb::fernet
