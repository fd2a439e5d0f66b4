#include "meshd/check/pem_files.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>

#include "common/openssl_errors.hpp"
#include "common/text_file.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::size_t largest = 1U << 20;

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

int no_password(char*, int, int, void*) { return -1; }

/// The system's reason, where the file can't be read at all.
Result<void> readable(const std::string& file) {
  const auto text = read_text_file(file, largest);
  return text ? Result<void>() : Result<void>(tl::unexpected(text.error()));
}

}  // namespace

Result<void> check_authorities(const std::string& ca_file) {
  if (ca_file.empty()) return {};
  if (auto read = readable(ca_file); !read) return read;
  const OpensslErrors errors;
  const std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_client_method()));
  const bool loaded = context && SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) == 1;
  return loaded ? Result<void>() : failure("can't be read as PEM certificates", ca_file);
}

Result<void> check_pair(const std::string& certificate_file, const std::string& key_file) {
  if (certificate_file.empty() || key_file.empty()) return {};
  for (const std::string& file : {certificate_file, key_file}) {
    if (auto read = readable(file); !read) return read;
  }
  const OpensslErrors errors;
  const std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_client_method()));
  if (!context) return failure("no memory for a TLS context");
  SSL_CTX_set_default_passwd_cb(context.get(), no_password);
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1)
    return failure("can't be read as a PEM certificate", certificate_file);
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) == 1) return {};
  if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
    return failure("is not the key of " + certificate_file, key_file);
  return failure("can't be read as a PEM key without a password", key_file);
}

}  // namespace nuropb::meshd
