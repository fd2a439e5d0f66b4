#include "meshd/http/client.hpp"

#include <mutex>

#include "meshd/http/exchange.hpp"

namespace nuropb::http {
namespace {

constexpr std::size_t longest_line = 1U << 20;

}  // namespace

/// What cancel() may end.
struct Client::Current {
  std::mutex mutex;
  detail::Exchange* exchange = nullptr;  // under mutex
  bool cancelled = false;                // under mutex
};

namespace {

/// Makes an exchange known to cancel() for as long as it is used by a call.
class Known {
 public:
  template <class Current>
  Known(Current& current, detail::Exchange& exchange) : mutex_(current.mutex), place_(current.exchange) {
    const std::lock_guard lock(mutex_);
    place_ = &exchange;
    if (current.cancelled) exchange.cancel();
  }
  ~Known() {
    const std::lock_guard lock(mutex_);
    place_ = nullptr;
  }
  Known(const Known&) = delete;
  Known& operator=(const Known&) = delete;

 private:
  std::mutex& mutex_;
  detail::Exchange*& place_;
};

}  // namespace

Client::Client(Settings settings) : settings_(std::move(settings)), current_(std::make_unique<Current>()) {}
Client::~Client() = default;

void Client::cancel() {
  const std::lock_guard lock(current_->mutex);
  current_->cancelled = true;
  if (current_->exchange) current_->exchange->cancel();
}

Result<Response> Client::send(const Request& request, milliseconds timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  detail::Exchange exchange(settings_.url);
  const Known known(*current_, exchange);
  if (const auto done = exchange.connect(settings_.tls, deadline); !done) return tl::unexpected(done.error());
  if (const auto done = exchange.send(request, deadline); !done) return tl::unexpected(done.error());
  return exchange.read_answer(settings_.max_body, deadline);
}

Result<std::unique_ptr<Stream>> Client::stream(const Request& request, milliseconds timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  auto exchange = std::make_unique<detail::Exchange>(settings_.url);
  unsigned status = 0;
  {
    const Known known(*current_, *exchange);
    if (const auto done = exchange->connect(settings_.tls, deadline); !done) return tl::unexpected(done.error());
    if (const auto done = exchange->send(request, deadline); !done) return tl::unexpected(done.error());
    const auto head = exchange->read_head(deadline);
    if (!head) return tl::unexpected(head.error());
    status = *head;
  }
  return std::unique_ptr<Stream>(new Stream(std::move(exchange), status));
}

Stream::Stream(std::unique_ptr<detail::Exchange> exchange, unsigned status)
    : exchange_(std::move(exchange)), status_(status) {}
Stream::~Stream() = default;

void Stream::cancel() { exchange_->cancel(); }

Result<std::optional<std::string>> Stream::next_line(milliseconds timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  std::size_t looked = 0;
  for (;;) {
    if (const auto end = buffer_.find('\n', looked); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    looked = buffer_.size();
    if (looked > longest_line) return failure("a line of the answer is longer than 1 MiB", "", "");
    if (ended_) {
      if (buffer_.empty()) return std::optional<std::string>();
      return std::exchange(buffer_, {});
    }
    auto piece = exchange_->read_piece(deadline);
    if (!piece) return tl::unexpected(piece.error());
    if (piece->empty()) ended_ = true;
    buffer_ += *piece;
  }
}

}  // namespace nuropb::http
