#include "common/http/connection.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <sstream>
#include <utility>

#include "common/error_names.hpp"
#include "common/http/canonical_head.hpp"

namespace nuropb {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr std::size_t read_at_once = 2048;  // bytes of a head
// How much of an unread request is discarded after the response.
constexpr std::size_t read_out_bytes = 1U << 20;
constexpr auto read_out_time = std::chrono::seconds(1);
constexpr auto after_deadline = std::chrono::seconds(1);
constexpr std::size_t most_of_body_at_once = 64U << 10;

/// The address without the port; empty for a Unix socket.
std::string address_of(const HttpStream::socket_type& socket) {
  boost::system::error_code error;
  const auto peer = socket.remote_endpoint(error);
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (error) return {};
  const void* where = nullptr;
  if (peer.data()->sa_family == AF_INET) where = &reinterpret_cast<const sockaddr_in*>(peer.data())->sin_addr;
  if (peer.data()->sa_family == AF_INET6) where = &reinterpret_cast<const sockaddr_in6*>(peer.data())->sin6_addr;
  return where && ::inet_ntop(peer.data()->sa_family, where, text.data(), text.size()) ? text.data() : std::string();
}

std::string_view text_of(const boost::beast::flat_buffer& buffer) {
  const auto bytes = buffer.data();
  return {static_cast<const char*>(bytes.data()), bytes.size()};
}

template <class Body>
void fill(http::response<Body>& response, const HttpAnswer& said) {
  response.version(11);
  response.result(static_cast<unsigned>(said.status));
  response.set(http::field::content_type, "application/json");
  response.set(http::field::cache_control, "no-store");
  for (const auto& [name, value] : said.headers) response.set(name, value);
}

}  // namespace

HttpConnection::HttpConnection(std::shared_ptr<HttpServer::Impl> server, HttpServer::Impl::Socket socket, bool refuse)
    : server_(std::move(server)),
      stream_(std::move(socket)),
      buffer_(server_->limits.bytes + most_of_body_at_once),
      deadline_(server_->io),
      refuse_(refuse),
      peer_(address_of(stream_.socket())) {
  ++server_->connections;
  ++server_->strangers;
}

HttpConnection::~HttpConnection() {
  set_awaited(false);
  set_known(true);
  --server_->connections;
}

void HttpConnection::end() {
  set_awaited(false);
  stop_deadline();
  stream_.close();
}

void HttpConnection::stop() {
  if (in_head_) end();
}

void HttpConnection::set_awaited(bool awaited) {
  if (awaited == awaited_) return;
  awaited_ = awaited;
  if (awaited) place_ = server_->awaited.insert(server_->awaited.end(), this);
  else server_->awaited.erase(place_);
}

void HttpConnection::set_known(bool known) {
  if (known == known_) return;
  known_ = known;
  if (known) --server_->strangers;
  else ++server_->strangers;
}

void HttpConnection::stop_deadline() {
  timed_ = false;
  deadline_.cancel();
}

/// One deadline for the whole request, so a client that sends a byte from time to time gains nothing. It is separate
/// from the stream's own timeout, which would close the socket: a client whose request is incomplete is sent a 408.
void HttpConnection::start_deadline() {
  late_ = false;
  timed_ = true;
  deadline_.expires_after(server_->settings.timeout);
  deadline_.async_wait([weak = weak_from_this()](const Error& cancelled) {
    const auto self = weak.lock();
    // The timer may have expired in the same turn of the loop in which the request was completed; the response must
    // then not be cancelled.
    if (cancelled || !self || !self->timed_) return;
    self->late_ = true;
    self->stream_.cancel();
  });
}

void HttpConnection::await_head() {
  if (server_->stopped) return end();
  parser_.reset();
  answered_ = old_ = keep_alive_ = bodiless_ = false;
  in_head_ = true;
  set_awaited(!refuse_);
  // The deadline's cancellation misses an operation that has just ended; the stream's own timeout covers that case.
  stream_.expires_after(server_->settings.timeout + after_deadline);
  start_deadline();
  read_head(0);
}

void HttpConnection::read_head(std::size_t searched) {
  const RequestHead head = parse_request_head(text_of(buffer_), server_->limits, searched);
  if (head.what == RequestHead::What::incomplete) return more_of_head(buffer_.size());
  in_head_ = false;
  set_awaited(false);
  if (head.what == RequestHead::What::complete) return on_head(head);
  if (head.status == 413) return refuse(too_large());
  refuse(refusal(head.status, error_name::validation, head.reason));
}

void HttpConnection::more_of_head(std::size_t searched) {
  if (late_) return failed(asio::error::operation_aborted);  // the deadline expired just as bytes arrived
  stream_.async_read_some(buffer_.prepare(read_at_once),
                          [self = shared_from_this(), searched](const Error& error, std::size_t bytes) {
                            self->buffer_.commit(bytes);
                            if (!error) return self->read_head(searched);
                            self->in_head_ = false;
                            self->set_awaited(false);
                            self->failed(error);
                          });
}

void HttpConnection::on_head(const RequestHead& head) {
  old_ = head.old;
  keep_alive_ = head.keep_alive();
  bodiless_ = head.method == "HEAD";
  const HttpServer::Settings& settings = server_->settings;
  if (refuse_)
    return refuse(come_again("all connections of " + settings.clients + " are taken" +
                             (settings.connections_setting.empty() ? "" : " (" + settings.connections_setting + ")")));
  request_ = {std::string(bodiless_ ? "GET" : head.method),
              peer_,
              std::string(head.path),
              std::string(head.query),
              std::string(head.host()),
              {},
              {}};
  if (server_->callbacks.on_head) {
    if (auto refused = server_->callbacks.on_head(head, request_)) return refuse(std::move(*refused));
  }
  const std::string canonical = canonical_head(head);
  const bool whole = !head.chunked && buffer_.size() >= head.length + head.content_length,
             passed = known_ && request_.credential == passed_with_;
  const bool waits =
      head.expects_continue() && (head.chunked || head.content_length > 0) && buffer_.size() == head.length;
  buffer_.consume(head.length);
  parser_.emplace();
  // Our reader has bounded the head; a trailer may have the same size again.
  parser_->header_limit(static_cast<std::uint32_t>(canonical.size() + server_->limits.bytes));
  parser_->body_limit(settings.max_body);
  Error error;
  parser_->put(asio::buffer(canonical), error);
  if (error && error != http::error::need_more) return failed(error);
  // A body that has already arrived takes no more memory, so the owner authenticates it together with the request.
  if (!server_->callbacks.on_check || whole || passed) return go_on_with_body(waits);
  stop_deadline();  // the owner responds at its own pace
  server_->callbacks.on_check(request_, [self = shared_from_this(), waits](std::optional<HttpAnswer> refused) {
    if (refused) return self->refuse(std::move(*refused));
    self->set_known(true);
    self->passed_with_ = self->request_.credential;
    self->start_deadline();
    self->go_on_with_body(waits);
  });
}

void HttpConnection::go_on_with_body(bool waits) {
  set_awaited(!known_ && !refuse_);
  if (waits) say_continue();
  else read_body();
}

void HttpConnection::say_continue() {
  auto response = std::make_shared<http::response<http::empty_body>>(http::status::continue_, 11);
  http::async_write(stream_, *response, [self = shared_from_this(), response](const Error& error, std::size_t) {
    if (error) self->failed(error);
    else self->read_body();
  });
}

void HttpConnection::read_body() {
  if (parser_->is_done()) return on_body();
  http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](const Error& error, std::size_t) {
    if (error) self->failed(error);
    else self->on_body();
  });
}

void HttpConnection::on_body() {
  stop_deadline();  // the owner responds at its own pace
  set_awaited(false);
  request_.body = std::move(parser_->get().body());
  passed_with_ = request_.credential;
  const auto respond = [self = shared_from_this()](HttpAnswer answer) {
    self->set_known(self->server_->callbacks.on_check && answer.status < 300);
    self->answer(std::move(answer), !self->keep_alive_);
  };
  if (!server_->callbacks.on_request) return end();
  server_->callbacks.on_request(std::move(request_), respond);
}

void HttpConnection::failed(const Error& error) {
  if (error == http::error::body_limit) return refuse(too_large());
  if (late_ && (buffer_.size() > 0 || parser_)) return refuse(too_late());
  // A client that sends nothing or disconnects gets no response; one that sends a malformed body does.
  if (error == http::error::end_of_stream || error == http::error::partial_message ||
      error.category() != http::make_error_code(http::error::bad_method).category())
    return end();
  refuse(refusal(400, error_name::validation, "this is not HTTP: " + error.message()));
}

HttpAnswer HttpConnection::too_late() const {
  const HttpServer::Settings& settings = server_->settings;
  return refusal(408, error_name::timeout,
                 "the request took longer than " + std::to_string(settings.timeout.count()) + " ms" +
                     (settings.timeout_setting.empty() ? "" : " (" + settings.timeout_setting + ")"));
}

HttpAnswer HttpConnection::too_large() const {
  const HttpServer::Settings& settings = server_->settings;
  if (settings.max_body == 0) return refusal(413, error_name::validation, "requests with a body are not accepted");
  return refusal(413, error_name::validation,
                 "the body is larger than " + std::to_string(settings.max_body) + " bytes" +
                     (settings.body_setting.empty() ? "" : " (" + settings.body_setting + ")"));
}

void HttpConnection::answer(HttpAnswer said, bool last) {
  if (answered_) return;
  answered_ = true;
  stop_deadline();
  if (said.lines) return answer_lines(said);
  auto response = std::make_shared<http::response<http::string_body>>();
  fill(*response, said);
  last = last || server_->stopped;
  if (last) response->set(http::field::connection, "close");
  else if (old_) response->set(http::field::connection, "keep-alive");
  response->content_length(said.body.size());
  if (!bodiless_) response->body() = std::move(said.body);
  stream_.expires_after(server_->settings.timeout);
  set_awaited(!known_ && !refuse_);
  http::async_write(stream_, *response, [self = shared_from_this(), response, last](const Error& error, std::size_t) {
    self->set_awaited(false);
    if (error) self->end();
    else if (last) self->read_out();
    else self->await_head();
  });
}

/// Lines have no length, so their end is marked by closing the connection.
void HttpConnection::answer_lines(const HttpAnswer& said) {
  http::response<http::empty_body> head;
  fill(head, said);
  head.set(http::field::connection, "close");
  std::ostringstream text;
  text << head.base();
  said.lines->begin(stream_, shared_from_this(), text.str());
}

/// Lingering close: closing a socket with unread bytes resets the connection, and the response may be lost with it.
void HttpConnection::read_out() {
  Error ignored;
  stream_.socket().shutdown(HttpStream::socket_type::shutdown_send, ignored);
  stream_.expires_after(read_out_time);
  set_awaited(true);
  read_out_more();
}

void HttpConnection::read_out_more() {
  stream_.async_read_some(asio::buffer(rest_), [self = shared_from_this()](const Error& error, std::size_t bytes) {
    self->read_out_ += bytes;
    if (error || self->read_out_ > read_out_bytes) self->end();
    else self->read_out_more();
  });
}

}  // namespace nuropb
