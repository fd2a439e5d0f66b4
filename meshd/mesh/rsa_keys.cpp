// RSA keys: PEM, files, and OAEP. encryption.cpp uses them for message bodies.

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/errno_text.hpp"
#include "common/ids.hpp"
#include "common/openssl_errors.hpp"
#include "meshd/mesh/encryption.hpp"
#include "shm/unique_fd.hpp"

#include "common/base64.hpp"

namespace nuropb::mesh {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;
const unsigned char* bytes(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }
unsigned char* bytes(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }

constexpr std::size_t max_pem = 64U << 10;

std::shared_ptr<EVP_PKEY> owned(EVP_PKEY* key) { return {key, &EVP_PKEY_free}; }
int no_passphrase(char*, int, int, void*) { return -1; }

Result<void> usable(EVP_PKEY* key, const char* what) {
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) return failure("is not an RSA key", what);
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < min_rsa_bits || bits > max_rsa_bits) {
    return failure("has " + std::to_string(bits) + " bits", what,
                   "from " + std::to_string(min_rsa_bits) + " to " + std::to_string(max_rsa_bits) + " are taken");
  }
  return {};
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

/// Configures an initialized context for OAEP with SHA-256.
bool use_oaep(EVP_PKEY_CTX* ctx) {
  return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1;
}

Result<PrivateKey> load(int fd, const std::string& path) {
  struct stat st{};
  if (::fstat(fd, &st) != 0) return failure(errno_text(), path);
  if (!S_ISREG(st.st_mode)) return failure("is not a file", path);
  if (st.st_mode & 0027)
    return failure("other users may read it or write to it", path,
                   "set its mode to 600: everyone who has the key can decrypt messages to services");
  std::string pem;
  char part[4096];
  ssize_t n = 0;
  while (pem.size() <= max_pem && ((n = ::read(fd, part, sizeof part)) > 0 || (n < 0 && errno == EINTR))) {
    if (n > 0) pem.append(part, static_cast<std::size_t>(n));
  }
  if (n < 0) return failure("can't be read: " + errno_text(), path);
  auto key = PrivateKey::from_pem(pem);
  OPENSSL_cleanse(pem.data(), pem.size());
  if (!key) return failure(key.error().what, path, key.error().hint);
  return key;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
  }
  return ::fsync(fd) == 0;
}

}  // namespace

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  if (pem.size() > max_pem) return failure("has " + std::to_string(pem.size()) + " bytes", "public key");
  const OpensslErrors errors;
  const Bio in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  auto key = owned(in ? PEM_read_bio_PUBKEY(in.get(), nullptr, &no_passphrase, nullptr) : nullptr);
  if (!key) return failure("is not a public key in PEM", "public key");
  if (auto ok = usable(key.get(), "public key"); !ok) return tl::unexpected(ok.error());
  return PublicKey(std::move(key));
}

std::string PublicKey::pem() const {
  const OpensslErrors errors;
  const Bio out(BIO_new(BIO_s_mem()), &BIO_free);
  return out && PEM_write_bio_PUBKEY(out.get(), key_.get()) == 1 ? text_of(out.get()) : std::string();
}

Result<std::string> PublicKey::seal(std::string_view text) const {
  const OpensslErrors errors;
  const KeyContext ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr), &EVP_PKEY_CTX_free);
  std::string out(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())), '\0');
  std::size_t size = out.size();
  if (!ctx || EVP_PKEY_encrypt_init(ctx.get()) != 1 || !use_oaep(ctx.get()) ||
      EVP_PKEY_encrypt(ctx.get(), bytes(out), &size, bytes(text), text.size()) != 1) {
    return failure("can't be used for sealing: OpenSSL refuses it", "public key");
  }
  out.resize(size);
  return base64::encode(out);
}

Result<PrivateKey> PrivateKey::generate(int bits) {
  const OpensslErrors errors;
  if (bits < min_rsa_bits || bits > max_rsa_bits)
    return failure("an RSA key of " + std::to_string(bits) + " bits is not supported", "private key");
  auto key = owned(EVP_RSA_gen(static_cast<unsigned int>(bits)));
  if (!key) return failure("OpenSSL made no RSA key", "private key", "see its configuration of providers");
  return PrivateKey(std::move(key));
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  if (pem.size() > max_pem) return failure("has over " + std::to_string(max_pem) + " bytes", "private key");
  const OpensslErrors errors;
  const Bio in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  auto key = owned(in ? PEM_read_bio_PrivateKey(in.get(), nullptr, &no_passphrase, nullptr) : nullptr);
  if (!key) return failure("is not a private key in PEM, without a passphrase", "private key");
  if (auto ok = usable(key.get(), "private key"); !ok) return tl::unexpected(ok.error());
  return PrivateKey(std::move(key));
}

Result<PrivateKey> PrivateKey::load_or_create(const std::string& path) {
  if (const shm::UniqueFd in(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); in) return load(in.get(), path);
  if (errno != ENOENT) return failure("can't be read: " + errno_text(), path);
  auto key = generate();
  if (!key) return key;
  // Written to a temporary file and linked: no process sees a partial key, and the first of several processes wins.
  const std::string fresh = path + "." + random_hex32().substr(0, 8);
  const shm::UniqueFd out(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out) return failure("can't be written: " + errno_text(), fresh);
  std::string pem = key->pem();
  const bool written = !pem.empty() && write_all(out.get(), pem);
  OPENSSL_cleanse(pem.data(), pem.size());
  const bool linked = written && ::link(fresh.c_str(), path.c_str()) == 0;
  const int error = errno;
  (void)::unlink(fresh.c_str());
  if (linked) return key;
  if (!written || error != EEXIST) return failure(std::string("can't be written: ") + std::strerror(error), path);
  if (const shm::UniqueFd in(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); in) return load(in.get(), path);
  return failure("can't be read: " + errno_text(), path);
}

std::string PrivateKey::pem() const {
  const OpensslErrors errors;
  const Bio out(BIO_new(BIO_s_mem()), &BIO_free);
  return out && PEM_write_bio_PKCS8PrivateKey(out.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1
             ? text_of(out.get())
             : std::string();
}

Result<std::string> PrivateKey::open(std::string_view sealed) const {
  const auto raw = base64::decode(sealed);
  if (!raw) return failure("is not base64", "sealed key");
  const OpensslErrors errors;
  const KeyContext ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr), &EVP_PKEY_CTX_free);
  std::string out(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())), '\0');
  std::size_t size = out.size();
  if (raw->size() != out.size() || !ctx || EVP_PKEY_decrypt_init(ctx.get()) != 1 || !use_oaep(ctx.get()) ||
      EVP_PKEY_decrypt(ctx.get(), bytes(out), &size, bytes(*raw), raw->size()) != 1) {
    // One text for all failures: details would only help an attacker.
    return failure("was not sealed for this service's key", "sealed key",
                   "the requester may have an outdated description of the service");
  }
  out.resize(size);
  return out;
}

}  // namespace nuropb::mesh
