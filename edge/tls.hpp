#pragma once
// TLS as the edge speaks it: certificates by SNI, sane ciphers, consumers' certificates. C++17, as stream.hpp is.
//
// A TlsSettings' files are read at once into a TlsContexts that never changes; a reload makes another, and connections
// that are open keep the one that they began with. Neither session tickets nor a session cache: a key for tickets would
// have to be shared by all edges and changed often, or forward secrecy is gone.
//
// Errors are texts that say which file is wrong and how; no key ever stands in one.

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "common/text_file.hpp"
#include "edge/client_certificate.hpp"

namespace nuropb::edge {

struct TlsSettings {
  /// How its files are read, at the start and at every reload (certificate_files.hpp).
  std::function<Result<std::string>(const std::string& file)> read = [](const std::string& file) {
    return read_text_file(file, 1U << 20);
  };
  std::vector<std::string> certificate_files;  ///< empty: no TLS
  std::vector<std::string> key_files;
  bool only_tls13 = false;
  std::string ciphers;
  enum class Clients { none, optional, required } clients = Clients::none;
  std::string client_ca_file;
  std::string client_crl_file;  ///< empty: none is revoked
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

  /// Reads all files. Nothing, and what is wrong in `error`, if any of them will not do.
  static std::shared_ptr<TlsContexts> load(const TlsSettings& settings, std::string& error);

  /// A server's end on this socket, which it does not own; nothing if memory is short.
  [[nodiscard]] SslPtr accept_on(int socket) const;
  /// The names and the ends of the certificates, for the log: "gw.example.com until Nov 21 11:00:00 2027 GMT".
  [[nodiscard]] const std::vector<std::string>& certificates() const { return descriptions_; }

 private:
  TlsContexts() = default;
  static int choose(SSL* ssl, int* alert, void* self);
  std::vector<std::unique_ptr<SSL_CTX, SslFree>> contexts_;
  std::vector<std::string> descriptions_;
};

/// Of the peer's verified certificate; empty if it showed none, or one without such a name.
ClientCertificate client_certificate(const SSL* ssl, TlsSettings::ClientName which);

/// What was wrong with the client's certificate in a handshake that has failed for it: OpenSSL's words.
std::string certificate_problem(const SSL* ssl);
/// Whether OpenSSL's reason for the end of a handshake is the client's certificate, or that there is none.
bool is_about_certificate(int reason);

}  // namespace nuropb::edge
