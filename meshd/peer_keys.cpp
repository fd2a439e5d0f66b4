#include "meshd/peer_keys.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstdlib>

#include "common/ids.hpp"
#include "common/text_file.hpp"
#include "common/trimmed.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::size_t max_file_bytes = 64 * 1024;
constexpr const char* hint = "openssl rand -hex 32 generates a good key";

std::string mac_under(const std::string& key, std::string_view text) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  // Fails only if the process is out of memory, and a message without a MAC would be useless.
  if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
            text.size(), mac, &size))
    std::abort();
  return to_hex({reinterpret_cast<const char*>(mac), size});
}

}  // namespace

Result<PeerKeys> PeerKeys::parse(std::string_view text, const std::string& name) {
  PeerKeys out;
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end), " \t\r");
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::string where = name + ":" + std::to_string(++number);
    if (line.empty() || line.starts_with('#')) continue;
    if (line.size() < least_bytes)
      return failure("a key has " + std::to_string(line.size()) + " bytes, fewer than 32", where, hint);
    if (out.keys_.size() == most_keys) return failure("more than 16 keys", where);
    out.keys_.emplace_back(line);
  }
  if (out.keys_.empty()) return failure("holds no key", name, hint);
  return out;
}

Result<PeerKeys> PeerKeys::load(const std::string& file) {
  const auto text = read_text_file(file, max_file_bytes);
  if (!text) return failure(text.error().what, text.error().where, "push.key_file names it");
  auto keys = parse(*text, file);
  if (keys) keys->file_ = file;
  return keys;
}

Result<void> PeerKeys::reload() {
  auto fresh = load(file_);
  if (!fresh) return tl::unexpected(fresh.error());
  keys_ = std::move(fresh->keys_);
  return {};
}

std::string PeerKeys::mac(std::string_view text) const { return mac_under(keys_.front(), text); }

bool PeerKeys::verifies(std::string_view text, std::string_view mac) const {
  bool found = false;
  for (const std::string& key : keys_) {
    const std::string expected = mac_under(key, text);
    found = (expected.size() == mac.size() && CRYPTO_memcmp(expected.data(), mac.data(), mac.size()) == 0) || found;
  }
  return found;
}

}  // namespace nuropb::meshd
