#include "meshd/amqp/open_socket.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>

#include "common/dial.hpp"

namespace nuropb::amqp {
namespace {

/// TLS to one address of a host. Without it rabbitmq-c would use the address as the host's name in the handshake (SNI)
/// and for verifying the certificate.
class TlsAtAddress {
 public:
  TlsAtAddress(amqp_socket_t* socket, const std::string& host) : host_(host) {
    auto* const context = static_cast<SSL_CTX*>(amqp_ssl_socket_get_context(socket));
    SSL_CTX_set_app_data(context, this);
    SSL_CTX_set_info_callback(context, [](const SSL* ssl, int where, int) {
      auto* const self = static_cast<TlsAtAddress*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
      if (!self || (where & SSL_CB_HANDSHAKE_START) == 0) return;
      self->ssl_ = const_cast<SSL*>(ssl);
      SSL_set_tlsext_host_name(self->ssl_, self->host_.c_str());  // before the first handshake message is created
    });
    context_ = context;
  }
  ~TlsAtAddress() {
    SSL_CTX_set_info_callback(context_, nullptr);
    SSL_CTX_set_app_data(context_, nullptr);
  }
  TlsAtAddress(const TlsAtAddress&) = delete;
  TlsAtAddress& operator=(const TlsAtAddress&) = delete;

  /// Precondition: the socket is open. The same check as rabbitmq-c's.
  [[nodiscard]] bool is_for_host() const {
    X509* const certificate = ssl_ ? SSL_get1_peer_certificate(ssl_) : nullptr;
    const bool right = certificate && X509_check_host(certificate, host_.data(), host_.size(),
                                                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
    X509_free(certificate);
    return right;
  }

 private:
  const std::string& host_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;  // owned by rabbitmq-c
};

timeval time_until(SteadyTime deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
  return to_timeval(std::max(left, milliseconds(1)));
}

/// For TLS rabbitmq-c connects by itself, so the connection that found the address is closed, and rabbitmq-c gets the
/// address. Returns AMQP_STATUS_….
int open_tls(amqp_socket_t* socket, const Url& url, const ConnectionSettings& settings, const Dialled& dialled,
             SteadyTime deadline) {
  ::close(dialled.fd);
  timeval timeout = time_until(deadline);
  amqp_ssl_socket_set_verify_hostname(socket, 0);
  const TlsAtAddress at_address(socket, url.host);
  const int opened = amqp_socket_open_noblock(socket, dialled.to.host().c_str(), url.port, &timeout);
  if (opened == AMQP_STATUS_OK && settings.verify_peer && !at_address.is_for_host())
    return AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED;
  return opened;
}

}  // namespace

int open_socket(amqp_socket_t* socket, const Url& url, const ConnectionSettings& settings,
                std::vector<std::string>& passed_over) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + settings.timeout;
  std::string why;
  const auto addresses = look_up(url.host, url.port, why);
  if (addresses.empty()) return AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED;
  if (url.tls && addresses.size() == 1) {
    // With a single address no test connection is needed.
    timeval timeout = time_until(deadline);
    return amqp_socket_open_noblock(socket, url.host.c_str(), url.port, &timeout);
  }
  const Dialled dialled = dial(addresses, deadline);
  if (dialled.fd < 0) return dialled.error == ETIMEDOUT ? AMQP_STATUS_TIMEOUT : AMQP_STATUS_SOCKET_ERROR;
  passed_over = dialled.passed_over;
  if (url.tls) return open_tls(socket, url, settings, dialled, deadline);
  amqp_tcp_socket_set_sockfd(socket, dialled.fd);
  return AMQP_STATUS_OK;
}

}  // namespace nuropb::amqp
