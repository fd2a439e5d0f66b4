#include "meshd/metrics_listener.hpp"

#include <boost/asio/ip/tcp.hpp>

#include "common/authority.hpp"
#include "meshd/one_answer.hpp"

namespace nuropb::meshd {
namespace {

using Tcp = boost::asio::ip::tcp;

}  // namespace

std::optional<OneAnswer> answer_page(const Pages& pages, const OneRequest& asked) {
  const std::string_view target(asked.target().data(), asked.target().size());
  if (asked.method() != http::verb::get) return {};
  if (target == "/metrics") return OneAnswer{http::status::ok, pages.metrics(), "text/plain; version=0.0.4"};
  if (target != "/healthz" && target != "/readyz") return {};
  Pages::Health health = pages.health();
  return OneAnswer{health.ready || target == "/healthz" ? http::status::ok : http::status::service_unavailable,
                   std::move(health.json), "application/json"};
}

struct MetricsListener::Impl {
  std::string address;
  std::shared_ptr<OneAnswerServer<Tcp>> server;
};

MetricsListener::MetricsListener(boost::asio::io_context& io, std::string address, Pages pages)
    : impl_(std::make_shared<Impl>(Impl{
          std::move(address),
          std::make_shared<OneAnswerServer<Tcp>>(
              io, 0,
              OneAnswerServer<Tcp>::Callbacks{
                  [pages = std::move(pages)](const OneRequest& asked, const std::function<void(OneAnswer)>& answer) {
                    if (auto page = answer_page(pages, asked)) return answer(std::move(*page));
                    const bool method = asked.method() != http::verb::get;
                    answer({method ? http::status::method_not_allowed : http::status::not_found,
                            "there is GET /metrics, /healthz and /readyz\n", "text/plain"});
                  },
                  {}})})) {}

MetricsListener::~MetricsListener() { impl_->server->close(); }

Result<void> MetricsListener::start() {
  if (impl_->address.empty()) return {};
  const auto where = parse_authority(impl_->address);
  if (!where || !where->port) return failure("is not ADDRESS:PORT", impl_->address, "metrics.listen");
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(where->host, error);
  auto& acceptor = impl_->server->acceptor;
  const Tcp::endpoint at(ip, *where->port);
  if (!error) acceptor.open(at.protocol(), error);
  if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(at, error);
  if (!error) acceptor.listen(static_cast<int>(OneAnswerServer<Tcp>::most_connections), error);
  if (error) return failure("can't listen: " + error.message(), impl_->address, "metrics.listen");
  impl_->server->accept();
  return {};
}

std::uint16_t MetricsListener::port() const {
  boost::system::error_code error;
  const auto at = impl_->server->acceptor.local_endpoint(error);
  return error ? std::uint16_t{0} : at.port();
}

}  // namespace nuropb::meshd
