#include "edge/http_calls/http_callers.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "edge/http_calls/http_caller.hpp"
#include "edge/sessions/admission.hpp"
#include "edge/sessions/new_session.hpp"
#include "edge/transport/listeners.hpp"

namespace nuropb::edge {
namespace {

HttpSocket::Settings settings_of(const Config& config) {
  using std::chrono::milliseconds;
  HttpSocket::Settings out;
  out.head = {config.limits.request_line_bytes, config.limits.header_bytes, config.limits.headers};
  out.head.body = config.limits.message_bytes;
  out.idle = std::chrono::seconds(config.http.keep_alive_s);
  out.head_time = milliseconds(config.limits.handshake_ms);
  out.taking = milliseconds(config.limits.message_ms);
  return out;
}

}  // namespace

HttpCallers::HttpCallers(const Config& config, boost::asio::io_context& io, const Admission& admission,
                         Callbacks callbacks)
    : config_(config),
      io_(io),
      admission_(admission),
      callbacks_(std::move(callbacks)),
      rules_(head_rules(config.listen)),
      socket_settings_(settings_of(config)) {}
HttpCallers::~HttpCallers() = default;

void HttpCallers::enter(Guest guest) {
  const auto caller = std::make_shared<HttpCaller>(*this, std::move(guest));
  callers_.emplace(caller.get(), caller);
  if (stopped_) caller->let_go();
  caller->begin();
}

bool HttpCallers::writing() const {
  return std::any_of(callers_.begin(), callers_.end(),
                     [](const auto& one) { return one.second->buffered_bytes() > 0; });
}

void HttpCallers::stop() {
  stopped_ = true;
  std::vector<std::shared_ptr<HttpCaller>> all;
  all.reserve(callers_.size());
  for (const auto& [key, caller] : callers_) all.push_back(caller);
  for (const auto& caller : all) caller->stop();
}

std::unique_ptr<Receiver> HttpCallers::open(Connection& connection, NewSession session) const {
  return callbacks_.open(connection, std::move(session));
}

void HttpCallers::remove(HttpCaller& caller) {
  const auto found = callers_.find(&caller);
  if (found == callers_.end()) return;
  const auto ended = found->second;
  callers_.erase(found);
  boost::asio::post(io_, [ended] {});  // its functions are still on the stack
}

}  // namespace nuropb::edge
