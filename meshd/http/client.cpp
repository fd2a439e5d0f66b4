#include "meshd/http/client.hpp"

#include "meshd/http/transfer.hpp"

namespace nuropb::http {
namespace {

constexpr std::size_t longest_line = 1U << 20;

}  // namespace

bool loopback(const Url& url) {
  const std::string& host = url.host;
  return host == "localhost" || host == "::1" || host.ends_with(".localhost") ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

Client::Client(Settings settings)
    : settings_(std::move(settings)),
      transfer_(std::make_unique<detail::Transfer>(
          settings_.url, settings_.tls, detail::Transfer::Limit{settings_.max_body, false}, settings_.keep_open)) {}
Client::~Client() = default;

void Client::cancel() {
  const std::lock_guard lock(mutex_);
  transfer_->cancel();
  if (opening_) opening_->cancel();
}

Result<Response> Client::send(const Request& request, milliseconds timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  if (const auto done = transfer_->begin(request, deadline); !done) return tl::unexpected(done.error());
  return transfer_->all(deadline);
}

Result<std::unique_ptr<Stream>> Client::stream(const Request& request, milliseconds timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  // The response has no end, so the buffer is bounded and further data stays in the socket.
  auto transfer = std::make_unique<detail::Transfer>(settings_.url, settings_.tls,
                                                     detail::Transfer::Limit{longest_line, true}, false);
  {
    const std::lock_guard lock(mutex_);
    if (transfer_->cancelled()) transfer->cancel();
    opening_ = transfer.get();
  }
  const auto begun = transfer->begin(request, deadline);
  const Result<unsigned> status = begun ? transfer->head(deadline) : tl::unexpected(begun.error());
  {
    const std::lock_guard lock(mutex_);
    opening_ = nullptr;
  }
  if (!status) return tl::unexpected(status.error());
  return std::unique_ptr<Stream>(new Stream(std::move(transfer), *status));
}

Stream::Stream(std::unique_ptr<detail::Transfer> transfer, unsigned status)
    : transfer_(std::move(transfer)), status_(status) {}
Stream::~Stream() = default;

void Stream::cancel() { transfer_->cancel(); }

Result<std::optional<std::string>> Stream::next_line(milliseconds timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  std::string& held = transfer_->body();
  std::size_t looked = taken_;
  for (;;) {
    if (const auto end = held.find('\n', looked); end != std::string::npos) {
      std::string line = held.substr(taken_, end - taken_);
      taken_ = end + 1;
      return line;
    }
    held.erase(0, std::exchange(taken_, 0));  // once for several lines that arrived together
    looked = held.size();
    if (looked > longest_line) return failure("a line of the answer is longer than 1 MiB", "", "");
    const auto more = transfer_->more(deadline);
    if (!more) return tl::unexpected(more.error());
    if (*more) continue;
    if (held.empty()) return std::optional<std::string>();
    return std::exchange(held, {});
  }
}

}  // namespace nuropb::http
