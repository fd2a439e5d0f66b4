#include "edge/net/tls.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string_view>

namespace nuropb::edge {
namespace {

struct Free {
  void operator()(BIO* p) const { BIO_free_all(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(X509_CRL* p) const { X509_CRL_free(p); }
  void operator()(GENERAL_NAMES* p) const { GENERAL_NAMES_free(p); }
  void operator()(char* p) const { OPENSSL_free(p); }
  void operator()(unsigned char* p) const { OPENSSL_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

/// OpenSSL's last error, after which the queue is cleared: it belongs to the thread.
std::string reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* const text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text ? text : "no reason given";
}

/// A file's text for OpenSSL, erased after use; null if it cannot be read or is empty.
class PemFile {
 public:
  PemFile(const TlsSettings& settings, const std::string& file) {
    auto text = settings.read(file);
    if (!text) why_ = text.error().what;
    if (!text || text->empty()) return;
    text_ = std::move(*text);
    bio_.reset(BIO_new_mem_buf(text_.data(), static_cast<int>(text_.size())));
  }
  ~PemFile() { OPENSSL_cleanse(text_.data(), text_.size()); }
  PemFile(const PemFile&) = delete;
  PemFile& operator=(const PemFile&) = delete;
  explicit operator bool() const { return bio_ != nullptr; }
  BIO* get() const { return bio_.get(); }
  /// Why there is nothing to read.
  const std::string& why() const { return why_; }

 private:
  std::string text_, why_ = "is empty";
  Owned<BIO> bio_;
};

/// Prevents a password prompt on the terminal.
int no_password(char*, int, int, void*) { return -1; }

std::string described(X509* certificate) {
  std::string out;
  const Owned<GENERAL_NAMES> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    unsigned char* text = nullptr;
    const int length = ASN1_STRING_to_UTF8(&text, name->d.dNSName);
    const Owned<unsigned char> owned(text);
    if (length > 0)
      out += (out.empty() ? "" : ", ") +
             std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(length));
  }
  if (out.empty()) {
    const Owned<char> subject(X509_NAME_oneline(X509_get_subject_name(certificate), nullptr, 0));
    out = subject ? subject.get() : "no name";
  }
  const Owned<BIO> end(BIO_new(BIO_s_mem()));
  char* text = nullptr;
  if (end && ASN1_TIME_print(end.get(), X509_get0_notAfter(certificate)) == 1) {
    const long length = BIO_get_mem_data(end.get(), &text);
    out += (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0 ? ", EXPIRED " : " until ") +
           std::string(text, static_cast<std::size_t>(length));
  }
  return out;
}

std::string wrong_ciphers(SSL_CTX* context, const TlsSettings& settings) {
  if (SSL_CTX_set_cipher_list(context, settings.ciphers.c_str()) != 1) return "tls.ciphers: " + reason();
  return {};
}

/// Loads the certificate and its chain, like SSL_CTX_use_certificate_chain_file.
bool use_chain(SSL_CTX* context, BIO* from) {
  const Owned<X509> leaf(PEM_read_bio_X509_AUX(from, nullptr, no_password, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) return false;
  while (X509* const next = PEM_read_bio_X509(from, nullptr, no_password, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) != 1) {
      X509_free(next);
      return false;
    }
  }
  const unsigned long end = ERR_peek_last_error();
  if (ERR_GET_LIB(end) != ERR_LIB_PEM || ERR_GET_REASON(end) != PEM_R_NO_START_LINE) return false;
  ERR_clear_error();
  return true;
}

std::string wrong_files(SSL_CTX* context, const TlsSettings& settings, std::size_t i) {
  const std::string& certificate = settings.certificate_files[i];
  const std::string& key = settings.key_files[i];
  const PemFile chain(settings, certificate);
  if (!chain) return certificate + ": " + chain.why() + " (tls.certificate_files)";
  if (!use_chain(context, chain.get()))
    return certificate + ": no certificate in PEM: " + reason() + " (tls.certificate_files)";
  const PemFile secret(settings, key);
  if (!secret) return key + ": " + secret.why() + " (tls.key_files)";
  const Owned<EVP_PKEY> read(PEM_read_bio_PrivateKey(secret.get(), nullptr, no_password, nullptr));
  if (!read || SSL_CTX_use_PrivateKey(context, read.get()) != 1) {
    const bool other = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
    const std::string why = reason();
    if (other) return key + ": is not the key of " + certificate + " (tls.key_files)";
    return key + ": no key in PEM without a password: " + why + " (tls.key_files)";
  }
  if (SSL_CTX_check_private_key(context) != 1)
    return key + ": is not the key of " + certificate + ": " + reason() + " (tls.key_files)";
  return {};
}

/// With revocation lists, OpenSSL requires one of each authority in a client's chain, and refuses the client if one is
/// missing or expired: so an attacker gains nothing by blocking the download of a fresh list.
std::string wrong_revocations(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.client_crl_file.empty()) return {};
  const PemFile lists(settings, settings.client_crl_file);
  if (!lists) return settings.client_crl_file + ": " + lists.why() + " (tls.client_crl_file)";
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  int count = 0;
  for (;; ++count) {
    const Owned<X509_CRL> list(PEM_read_bio_X509_CRL(lists.get(), nullptr, no_password, nullptr));
    if (!list) break;
    if (X509_STORE_add_crl(store, list.get()) != 1)
      return settings.client_crl_file + ": " + reason() + " (tls.client_crl_file)";
  }
  // Reading must stop at the end of the file: an unreadable list must not be ignored.
  const unsigned long end = ERR_peek_last_error();
  const bool whole = ERR_GET_LIB(end) == ERR_LIB_PEM && ERR_GET_REASON(end) == PEM_R_NO_START_LINE;
  if (count == 0 || !whole)
    return settings.client_crl_file + ": revocation list number " + std::to_string(count + 1) +
           " is not valid PEM:  " + reason() + " (tls.client_crl_file)";
  ERR_clear_error();
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return {};
}

std::string wrong_clients(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.clients == TlsSettings::Clients::none) return {};
  const PemFile authorities(settings, settings.client_ca_file);
  if (!authorities) return settings.client_ca_file + ": " + authorities.why() + " (tls.client_ca_file)";
  int count = 0;
  for (;; ++count) {
    const Owned<X509> authority(PEM_read_bio_X509(authorities.get(), nullptr, no_password, nullptr));
    if (!authority) break;
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1 ||
        SSL_CTX_add_client_CA(context, authority.get()) != 1)
      return settings.client_ca_file + ": " + reason() + " (tls.client_ca_file)";
  }
  if (count == 0) return settings.client_ca_file + ": no certificates in PEM: " + reason() + " (tls.client_ca_file)";
  ERR_clear_error();  // the end of the file was reported as an error
  if (std::string wrong = wrong_revocations(context, settings); !wrong.empty()) return wrong;
  int mode = SSL_VERIFY_PEER;
  if (settings.clients == TlsSettings::Clients::required) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context, mode, nullptr);
  return {};
}

}  // namespace

std::shared_ptr<TlsContexts> TlsContexts::load(const TlsSettings& settings, std::string& error) {
  ERR_clear_error();
  std::shared_ptr<TlsContexts> out(new TlsContexts);
  for (std::size_t i = 0; i < settings.certificate_files.size(); ++i) {
    std::unique_ptr<SSL_CTX, SslFree> owned(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* const context = owned.get();
    if (!context) {
      error = "no TLS context: " + reason();
      return nullptr;
    }
    SSL_CTX_set_min_proto_version(context, settings.only_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    // Idle sockets release their buffers; a partial write continues from a buffer that may have moved.
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_passwd_cb(context, no_password);
    error = wrong_ciphers(context, settings);
    if (error.empty()) error = wrong_files(context, settings, i);
    if (error.empty()) error = wrong_clients(context, settings);
    if (!error.empty()) return nullptr;
    out->descriptions_.push_back(described(SSL_CTX_get0_certificate(context)));
    out->contexts_.push_back(std::move(owned));
  }
  if (out->contexts_.empty()) {
    error = "no certificate (tls.certificate_files)";
    return nullptr;
  }
  // The handshake starts with the first context; the others are only switched to.
  SSL_CTX_set_tlsext_servername_callback(out->contexts_.front().get(), &TlsContexts::choose);
  SSL_CTX_set_tlsext_servername_arg(out->contexts_.front().get(), out.get());
  return out;
}

int TlsContexts::choose(SSL* ssl, int*, void* self) {
  const auto* const all = static_cast<const TlsContexts*>(self);
  const char* const asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (!asked) return SSL_TLSEXT_ERR_NOACK;
  for (const auto& context : all->contexts_) {
    if (X509_check_host(SSL_CTX_get0_certificate(context.get()), asked, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                        nullptr) == 1) {
      SSL_set_SSL_CTX(ssl, context.get());
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_NOACK;
}

SslPtr TlsContexts::accept_on(int socket) const {
  SslPtr out(SSL_new(contexts_.front().get()));
  if (!out || SSL_set_fd(out.get(), socket) != 1) return nullptr;
  SSL_set_accept_state(out.get());
  return out;
}

namespace {

/// Selected by tls.client_name; empty if there is none.
std::string name_of(const X509* certificate, TlsSettings::ClientName which) {
  const auto text_of = [](const ASN1_STRING* string) {
    unsigned char* text = nullptr;
    const int length = ASN1_STRING_to_UTF8(&text, string);
    const Owned<unsigned char> owned(text);
    std::string out =
        length > 0 ? std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)) : std::string();
    // A name with a NUL could be read as another name, so it is rejected.
    return out.find('\0') == std::string::npos ? out : std::string();
  };
  if (which == TlsSettings::ClientName::cn) {
    const X509_NAME* const subject = X509_get_subject_name(certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    // With two of them it would be arbitrary which one is used.
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return {};
    return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  }
  const Owned<GENERAL_NAMES> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int wanted = which == TlsSettings::ClientName::dns     ? GEN_DNS
                     : which == TlsSettings::ClientName::email ? GEN_EMAIL
                                                               : GEN_URI;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == wanted) return text_of(name->d.ia5);
  }
  return {};
}

/// In Unix time; 0 if it cannot be determined.
std::uint64_t end_of(const X509* certificate) {
  std::tm broken_down{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &broken_down) != 1) return 0;
  const std::time_t end = ::timegm(&broken_down);
  return end > 0 ? static_cast<std::uint64_t>(end) : 0;
}

}  // namespace

ClientCertificate client_certificate(const SSL* ssl, TlsSettings::ClientName which) {
  const X509* const certificate = SSL_get0_peer_certificate(ssl);
  if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK) return {};
  ClientCertificate out{name_of(certificate, which), end_of(certificate)};
  // The chain is only valid as long as every authority in it.
  const STACK_OF(X509)* const chain = SSL_get0_verified_chain(ssl);
  for (int i = 0; chain && i < sk_X509_num(chain); ++i)
    out.valid_until = std::min(out.valid_until, end_of(sk_X509_value(chain, i)));
  return out.valid_until == 0 ? ClientCertificate() : out;
}

std::string certificate_problem(const SSL* ssl) {
  const long result = SSL_get_verify_result(ssl);
  return result == X509_V_OK ? "it has sent none" : X509_verify_cert_error_string(result);
}

bool is_about_certificate(int reason) {
  return reason == SSL_R_CERTIFICATE_VERIFY_FAILED || reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
}

}  // namespace nuropb::edge
