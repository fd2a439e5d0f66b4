#pragma once
// Opens rabbitmq-c's socket to a broker whose name may have several addresses. rabbitmq-c alone would spend the whole
// timeout on the first address, even if it never responds; here the addresses are tried 250 ms apart (common/dial.hpp,
// RFC 8305).

#include <sys/time.h>

#include <string>
#include <vector>

#include "meshd/amqp/connection.hpp"
#include "meshd/amqp/rabbitmq_c.hpp"
#include "meshd/amqp/url.hpp"

namespace nuropb::amqp {

inline timeval to_timeval(milliseconds ms) { return {ms.count() / 1000, (ms.count() % 1000) * 1000}; }

/// Blocks until the socket is connected (for amqps: including the TLS handshake) or `settings.timeout` has passed.
/// Returns rabbitmq-c's AMQP_STATUS_OK or an error code. `passed_over` receives the texts of addresses that failed
/// before the one that connected.
int open_socket(amqp_socket_t* socket, const Url& url, const ConnectionSettings& settings,
                std::vector<std::string>& passed_over);

}  // namespace nuropb::amqp
