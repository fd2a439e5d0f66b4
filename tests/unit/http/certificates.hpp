#pragma once
// Temporary certificates for tests: an authority, and certificates that it has signed.

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

namespace nuropb::http {

struct FreeOpenSsl {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

/// A key with its certificate, in memory and in two files.
struct Certificate {
  std::unique_ptr<EVP_PKEY, FreeOpenSsl> key;
  std::unique_ptr<X509, FreeOpenSsl> certificate;
  std::string certificate_file, key_file;
};

/// `names` as in a subjectAltName ("DNS:localhost,IP:127.0.0.1"); empty: an authority. Without an issuer it is
/// self-signed.
inline Certificate make_certificate(const std::filesystem::path& folder, const std::string& name,
                                    const std::string& names, const Certificate* issuer = nullptr) {
  Certificate out;
  out.key.reset(EVP_EC_gen("P-256"));
  out.certificate.reset(X509_new());
  X509* made = out.certificate.get();
  X509_set_version(made, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made), static_cast<long>(std::hash<std::string>()(name) % 1'000'000));
  X509_gmtime_adj(X509_getm_notBefore(made), -60);
  X509_gmtime_adj(X509_getm_notAfter(made), 3600);
  X509_set_pubkey(made, out.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  const Certificate& by = issuer ? *issuer : out;
  X509_set_issuer_name(made, X509_get_subject_name(by.certificate.get()));
  X509V3_CTX context;
  X509V3_set_ctx(&context, by.certificate.get(), made, nullptr, nullptr, 0);
  X509_EXTENSION* extension = names.empty()
                                  ? X509V3_EXT_conf_nid(nullptr, &context, NID_basic_constraints, "critical,CA:TRUE")
                                  : X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name, names.c_str());
  X509_add_ext(made, extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(made, by.key.get(), EVP_sha256());
  out.certificate_file = folder / (name + ".pem");
  out.key_file = folder / (name + ".key");
  if (FILE* file = std::fopen(out.certificate_file.c_str(), "w")) {
    PEM_write_X509(file, made);
    std::fclose(file);
  }
  if (FILE* file = std::fopen(out.key_file.c_str(), "w")) {
    PEM_write_PrivateKey(file, out.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }
  return out;
}

}  // namespace nuropb::http
