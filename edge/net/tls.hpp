#pragma once
// TLS of the edge: certificates by SNI, cipher selection, client certificates. C++17, like stream.hpp.
//
// The files of a TlsSettings are read into an immutable TlsContexts; a reload creates another one, and open connections
// keep theirs. There are neither session tickets nor a session cache: a ticket key would have to be shared by all edges
// and rotated often, or forward secrecy would be lost.
//
// Errors name the file and what is wrong with it, and never contain a key.

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "common/text_file.hpp"
#include "edge/net/client_certificate.hpp"

namespace nuropb::edge {

struct TlsSettings {
  /// Reads a file, at start-up and at every reload (certificate_files.hpp).
  std::function<Result<std::string>(const std::string& file)> read = [](const std::string& file) {
    return read_text_file(file, 1U << 20);
  };
  std::vector<std::string> certificate_files;  ///< empty: no TLS
  std::vector<std::string> key_files;
  bool only_tls13 = false;
  std::string ciphers;
  enum class Clients { none, optional, required } clients = Clients::none;
  std::string client_ca_file;
  std::string client_crl_file;  ///< empty: no revocation check
  enum class ClientName { cn, dns, email, uri } client_name = ClientName::cn;
};

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

class TlsContexts {
 public:
  TlsContexts(const TlsContexts&) = delete;
  TlsContexts& operator=(const TlsContexts&) = delete;

  /// Reads all files. Returns null, and sets `error`, if any of them is invalid.
  static std::shared_ptr<TlsContexts> load(const TlsSettings& settings, std::string& error);

  /// The server's SSL object for this socket, which it does not own; null if memory is short.
  [[nodiscard]] SslPtr accept_on(int socket) const;
  /// Names and expiry of the certificates, for the log: "gw.example.com until Nov 21 11:00:00 2027 GMT".
  [[nodiscard]] const std::vector<std::string>& certificates() const { return descriptions_; }

 private:
  TlsContexts() = default;
  static int choose(SSL* ssl, int* alert, void* self);
  std::vector<std::unique_ptr<SSL_CTX, SslFree>> contexts_;
  std::vector<std::string> descriptions_;
};

/// The peer's verified certificate; empty if it sent none, or one without such a name.
ClientCertificate client_certificate(const SSL* ssl, TlsSettings::ClientName which);

/// Why the client's certificate was rejected in a failed handshake, in OpenSSL's words.
std::string certificate_problem(const SSL* ssl);
/// Whether OpenSSL's error code refers to the client's certificate or to its absence.
bool is_about_certificate(int reason);

}  // namespace nuropb::edge
