#include "meshd/metrics_listener.hpp"

#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <utility>

#include "common/authority.hpp"
#include "common/listening_socket.hpp"

namespace nuropb::meshd {
namespace {

constexpr int backlog = 16;

HttpServer::Callbacks answering(Pages pages) {
  return {{}, [pages = std::move(pages)](const HttpServer::Request& asked, const HttpServer::Respond& respond) {
            if (auto page = answer_page(pages, asked)) return respond(std::move(*page));
            respond(not_there("there is GET /metrics, /healthz and /readyz", asked.method == "GET" ? "" : "GET, HEAD"));
          }};
}

}  // namespace

MetricsListener::MetricsListener(boost::asio::io_context& io, std::string address, Pages pages)
    : address_(std::move(address)),
      server_(io, operators_server("the metrics listener", 0), answering(std::move(pages))) {}

Result<void> MetricsListener::start() {
  if (address_.empty()) return {};
  const auto where = parse_authority(address_);
  if (!where || !where->port) return failure("is not ADDRESS:PORT", address_, "metrics.listen");
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(where->host, error);
  if (error) return failure("can't listen: " + error.message(), address_, "metrics.listen");
  const auto socket = listening_socket({where->host, *where->port, backlog, false});
  if (!socket) return failure("can't listen: " + socket.error().what, address_, "metrics.listen");
  if (const auto listens = server_.listen(*socket, ip.is_v6() ? AF_INET6 : AF_INET); !listens)
    return failure("can't listen: " + listens.error().what, address_, "metrics.listen");
  return {};
}

}  // namespace nuropb::meshd
