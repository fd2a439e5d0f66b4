#pragma once
// Opens rabbitmq-c's socket to a broker whose name may have several addresses. rabbitmq-c by itself would give all of the time to
// the first address, however silent it is; here the addresses are tried 250 ms apart (common/dial.hpp, RFC 8305).

#include <sys/time.h>

#include <string>
#include <vector>

#include "meshd/amqp/connection.hpp"
#include "meshd/amqp/rabbitmq_c.hpp"
#include "meshd/amqp/url.hpp"

namespace nuropb::amqp {

inline timeval to_timeval(milliseconds ms) { return {ms.count() / 1000, (ms.count() % 1000) * 1000}; }

/// Blocks until the socket is connected (and, for amqps, its TLS handshake is done) or `settings.timeout` is over. Returns
/// rabbitmq-c's AMQP_STATUS_OK or what failed. `passed_over` gets the texts of addresses that did not answer while another one did.
int open_socket(amqp_socket_t* socket, const Url& url, const ConnectionSettings& settings,
                std::vector<std::string>& passed_over);

}  // namespace nuropb::amqp
