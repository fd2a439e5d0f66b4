#include "meshd/http/exchange.hpp"

#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "common/base64.hpp"

namespace nuropb::http::detail {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using asio::ip::tcp;

constexpr std::size_t max_head = 64U << 10;
constexpr std::size_t piece = 16U << 10;
constexpr int dead_peer_ms = 20'000;

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

}  // namespace

struct Lookup {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false, cancelled = false;
  std::vector<tcp::endpoint> found;
  std::string error;

  static void run(const std::shared_ptr<Lookup>& self, const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
    const std::lock_guard lock(self->mutex);
    for (const addrinfo* each = list; each; each = each->ai_next) {
      tcp::endpoint endpoint;
      if (each->ai_addrlen > endpoint.capacity()) continue;
      std::copy_n(reinterpret_cast<const char*>(each->ai_addr), each->ai_addrlen,
                  reinterpret_cast<char*>(endpoint.data()));
      endpoint.resize(each->ai_addrlen);
      endpoint.port(port);
      self->found.push_back(endpoint);
    }
    if (list) ::freeaddrinfo(list);
    if (failed != 0) self->error = ::gai_strerror(failed);
    self->done = true;
    self->changed.notify_all();
  }
};

Exchange::Exchange(const Url& url) : url_(url), socket_(io_), lookup_(std::make_shared<Lookup>()) {}

void Exchange::cancel() {
  cancelled_ = true;
  {
    const std::lock_guard lock(lookup_->mutex);
    lookup_->cancelled = true;
  }
  lookup_->changed.notify_all();
  asio::post(io_, [this] {
    ErrorCode ignored;
    socket_.close(ignored);
  });
}

/// Begins an operation and runs the loop until it is done or ended.
template <class Begin>
ErrorCode Exchange::run(SteadyTime deadline, Begin begin) {
  if (cancelled_) return asio::error::operation_aborted;
  bool done = false;
  ErrorCode result;
  begin([&](ErrorCode error, auto&&...) {
    done = true;
    result = error;
  });
  bool late = false;
  io_.restart();
  while (!done) {  // NOLINT(bugprone-infinite-loop): what runs sets it
    if (!late && io_.run_one_until(deadline) == 0) {
      late = true;
      ErrorCode ignored;
      socket_.close(ignored);  // what was begun ends at once, and only then may its buffers go
      io_.restart();
    } else if (late) {
      io_.run_one();
    }
  }
  if (cancelled_) return asio::error::operation_aborted;
  return late ? ErrorCode(asio::error::timed_out) : result;
}

tl::unexpected<Error> Exchange::wrong(ErrorCode error, const char* doing) const {
  const std::string where = url_.redacted();
  if (error == asio::error::operation_aborted) return failure("cancelled", where);
  if (error == asio::error::timed_out)
    return failure(std::string("no answer in time while ") + doing, where, "is the host reachable?");
  if (error == asio::error::connection_refused)
    return failure("connection refused", where, "is a server listening there?");
  if (error.category() == asio::error::get_ssl_category()) {
    if (ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
      return failure("the server's certificate is not trusted, or not for '" + url_.host + "'", where,
                     "name its authority in ca_file, and use the name that stands in it");
    }
    return failure("TLS: " + error.message(), where, "does this port speak TLS?");
  }
  if (error == bhttp::error::body_limit || error == bhttp::error::header_limit)
    return failure("the answer is too large", where);
  if (error.category() == bhttp::make_error_code(bhttp::error::bad_version).category()) {
    if (error == bhttp::error::end_of_stream || error == bhttp::error::partial_message)
      return failure("the connection was closed without an answer", where);
    return failure("what answered is not HTTP: " + error.message(), where,
                   url_.tls ? "" : "does this port want https?");
  }
  if (error == asio::error::eof || error == asio::error::connection_reset ||
      error == asio::ssl::error::stream_truncated) {
    return failure(std::string("the connection was closed while ") + doing, where);
  }
  return failure(std::string(doing) + ": " + error.message(), where);
}

Result<std::vector<tcp::endpoint>> Exchange::resolve(SteadyTime deadline) {
  ErrorCode not_an_address;
  if (const auto address = asio::ip::make_address(url_.host, not_an_address); !not_an_address)
    return std::vector{tcp::endpoint(address, url_.port)};
  std::thread([lookup = lookup_, host = url_.host, port = url_.port] { Lookup::run(lookup, host, port); }).detach();
  std::unique_lock lock(lookup_->mutex);
  const bool ended = lookup_->changed.wait_until(lock, deadline, [&] { return lookup_->done || lookup_->cancelled; });
  if (lookup_->cancelled) return wrong(asio::error::operation_aborted, "");
  if (!ended) return failure("host name '" + url_.host + "' can't be resolved in time", url_.redacted());
  if (lookup_->found.empty())
    return failure("host name '" + url_.host + "' can't be resolved: " + lookup_->error, url_.redacted());
  return lookup_->found;
}

Result<void> Exchange::connect(const Tls& tls, SteadyTime deadline) {
  const auto endpoints = resolve(deadline);
  if (!endpoints) return tl::unexpected(endpoints.error());
  const ErrorCode error =
      run(deadline, [&](auto handler) { asio::async_connect(socket_, *endpoints, std::move(handler)); });
  if (error) return wrong(error, "connecting");
  ErrorCode ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  // A peer that vanished without a word is noticed on a stream that only listens, too.
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  const int idle_s = 5, interval_s = 5, timeout_ms = dead_peer_ms;
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
  return url_.tls ? start_tls(tls, deadline) : Result<void>();
}

Result<void> Exchange::start_tls(const Tls& tls, SteadyTime deadline) {
  ErrorCode error;
  context_.emplace(asio::ssl::context::tls_client);
  context_->set_options(
      asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, error);
  if (tls.ca_file.empty()) context_->set_default_verify_paths(error);
  else if (context_->load_verify_file(tls.ca_file, error))
    return failure("can't be read as PEM certificates", tls.ca_file);
  if (!tls.certificate_file.empty()) {
    if (context_->use_certificate_chain_file(tls.certificate_file, error))
      return failure("can't be read as a PEM certificate", tls.certificate_file);
    if (context_->use_private_key_file(tls.key_file, asio::ssl::context::pem, error))
      return failure("is not the PEM key of the certificate", tls.key_file);
  }
  tls_.emplace(socket_, *context_);
  tls_->set_verify_mode(tls.verify_peer ? asio::ssl::verify_peer : asio::ssl::verify_none, error);
  if (tls.verify_peer) tls_->set_verify_callback(asio::ssl::host_name_verification(url_.host), error);
  ErrorCode not_an_address;
  asio::ip::make_address(url_.host, not_an_address);
  if (not_an_address) SSL_set_tlsext_host_name(tls_->native_handle(), url_.host.c_str());
  error =
      run(deadline, [&](auto handler) { tls_->async_handshake(asio::ssl::stream_base::client, std::move(handler)); });
  if (error) return wrong(error, "the TLS handshake");
  return {};
}

Result<void> Exchange::send(const Request& request, SteadyTime deadline) {
  // A line break in what others gave us (a token, a name) must not become a header.
  bool clean = printable(request.target) && printable(request.method);
  for (const auto& [name, value] : request.headers) clean = clean && printable(name) && printable(value);
  if (!clean) return failure("the request has control characters in its head", url_.redacted());
  bhttp::request<bhttp::string_body> message(bhttp::string_to_verb(request.method), url_.base + request.target, 11);
  message.set(bhttp::field::host, url_.authority());
  message.set(bhttp::field::user_agent, "nuropb-gateway/" NUROPB_VERSION);
  message.set(bhttp::field::accept, "application/json");
  message.set(bhttp::field::connection, "close");
  if (!url_.user.empty())
    message.set(bhttp::field::authorization, "Basic " + base64::encode(url_.user + ":" + url_.password));
  if (!request.body.empty()) message.set(bhttp::field::content_type, "application/json");
  for (const auto& [name, value] : request.headers) message.set(name, value);
  message.body() = request.body;
  message.prepare_payload();
  const ErrorCode error = run(deadline, [&](auto handler) {
    if (tls_) bhttp::async_write(*tls_, message, std::move(handler));
    else bhttp::async_write(socket_, message, std::move(handler));
  });
  if (error) return wrong(error, "sending the request");
  return {};
}

template <class Parser>
ErrorCode Exchange::read(Parser& parser, SteadyTime deadline, bool head_only) {
  return run(deadline, [&](auto handler) {
    if (tls_) {
      if (head_only) bhttp::async_read_header(*tls_, buffer_, parser, std::move(handler));
      else bhttp::async_read(*tls_, buffer_, parser, std::move(handler));
    } else {
      if (head_only) bhttp::async_read_header(socket_, buffer_, parser, std::move(handler));
      else bhttp::async_read(socket_, buffer_, parser, std::move(handler));
    }
  });
}

Result<Response> Exchange::read_answer(std::size_t max_body, SteadyTime deadline) {
  bhttp::response_parser<bhttp::string_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(max_head));
  parser.body_limit(max_body);
  if (const ErrorCode error = read(parser, deadline, false)) return wrong(error, "waiting for the answer");
  return Response{parser.get().result_int(), std::move(parser.get().body())};
}

Result<unsigned> Exchange::read_head(SteadyTime deadline) {
  going_on_.emplace();
  going_on_->header_limit(static_cast<std::uint32_t>(max_head));
  going_on_->body_limit(boost::none);  // it goes on for ever; what is kept of it is bounded by the reader
  if (const ErrorCode error = read(*going_on_, deadline, true)) return wrong(error, "waiting for the answer");
  return going_on_->get().result_int();
}

Result<std::string> Exchange::read_piece(SteadyTime deadline) {
  std::string out(piece, '\0');
  while (!going_on_->is_done()) {
    going_on_->get().body().data = out.data();
    going_on_->get().body().size = out.size();
    const ErrorCode error = run(deadline, [&](auto handler) {
      if (tls_) bhttp::async_read_some(*tls_, buffer_, *going_on_, std::move(handler));
      else bhttp::async_read_some(socket_, buffer_, *going_on_, std::move(handler));
    });
    if (error && error != bhttp::error::need_buffer) return wrong(error, "reading the answer");
    const std::size_t got = out.size() - going_on_->get().body().size;
    if (got == 0) continue;
    out.resize(got);
    return out;
  }
  return std::string();
}

}  // namespace nuropb::http::detail
