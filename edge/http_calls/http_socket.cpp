#include "edge/http_calls/http_socket.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <new>
#include <utility>

#include "common/error_names.hpp"
#include "common/http/canonical_head.hpp"

namespace nuropb::edge {
namespace {

using Tcp = boost::asio::ip::tcp;

constexpr std::size_t small_read = 4096, large_read = 64 * 1024;
constexpr std::size_t most_ahead = 4096;            // of requests that were sent ahead
constexpr std::size_t most_discarded = 256 * 1024;  // during the lingering close
constexpr auto farewell = std::chrono::milliseconds(1000);
constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

HttpSocket::HttpSocket(boost::asio::io_context& io, std::shared_ptr<Stream> stream, const Settings& settings,
                       Owner& owner)
    : timer_(io), stream_(std::move(stream)), settings_(settings), owner_(owner) {}

/// Takes as many steps as what has arrived allows; then reads on.
void HttpSocket::go_on() {
  if (going_on_) return;  // from within a step of this loop
  const auto self = shared_from_this();
  guarded([this] {
    going_on_ = true;
    while ((step_ == Step::head && read_head()) || (step_ == Step::body && read_more_of_body())) {}
    going_on_ = false;
    read();
  });
}

/// Without memory for its request or response this connection is closed; all others go on.
template <class Work>
void HttpSocket::guarded(Work&& work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    going_on_ = false;
    end();
  }
}

bool HttpSocket::read_head() {
  if (stopping_) {
    leave();
    return false;
  }
  const RequestHead head = parse_request_head(received_, settings_.head, searched_);
  if (head.what == RequestHead::What::incomplete) {
    if (searched_ == 0) set_deadline(received_.empty() ? settings_.idle : settings_.head_time);
    searched_ = received_.size();
    if (received_.empty()) received_ = {};  // an idle connection needs no memory for it
    return false;
  }
  searched_ = 0;
  clear_deadline();
  step_ = Step::owner;
  if (head.what == RequestHead::What::refused) {
    keeps_ = bodiless_ = false;
    refuse(refusal(head.status, error_name::validation, head.reason));
    return step_ == Step::head;
  }
  old_ = head.old;
  keeps_ = head.keep_alive();
  bodiless_ = head.method == "HEAD";
  whole_ = !head.chunked && head.content_length == 0;
  if (!whole_) body_ = std::make_unique<BodyReader>(head, settings_.head.body);
  expects_ = !whole_ && head.expects_continue() && received_.size() == head.length;
  owner_.on_head(head);
  received_.erase(0, head.length);  // only now: the views of the head point into it
  return step_ == Step::head || step_ == Step::body;
}

void HttpSocket::read_body() {
  if (step_ != Step::owner) return;
  step_ = Step::body;
  if (expects_) write_continue(continue_line);
  go_on();
}

void HttpSocket::write_continue(std::string_view left) {
  if (!stream_->secure()) left.remove_prefix(stream_->write_now(left.data(), left.size()));
  continuing_ = !left.empty();
  if (!continuing_) return;
  stream_->async_write_some(boost::asio::buffer(left),
                            [self = shared_from_this(), left](const Error& error, std::size_t bytes) {
                              self->continuing_ = false;
                              if (self->step_ == Step::gone) return;
                              if (error) return self->end();
                              if (bytes < left.size()) return self->write_continue(left.substr(bytes));
                              if (self->step_ == Step::writing) self->write();
                            });
}

bool HttpSocket::read_more_of_body() {
  if (body_) {
    const BodyReader::What what = body_->take(received_);
    if (what == BodyReader::What::too_large || what == BodyReader::What::malformed) {
      step_ = Step::owner;
      refuse(what == BodyReader::What::too_large
                 ? refusal(413, error_name::validation, "the body is too large (limits.message_bytes)")
                 : refusal(400, error_name::validation, "the chunks of the body are malformed"));
      return step_ == Step::head;
    }
    if (what == BodyReader::What::incomplete) {
      // At least 1: the time for a body runs also before its first byte, and while something else arrives in its place.
      const std::size_t buffer = reads_large() ? large_read : 0;
      owner_.on_part_of_body(std::max<std::size_t>(body_->size() + received_.size() + buffer, 1));
      return false;
    }
  }
  whole_ = true;
  step_ = Step::owner;
  const auto body = std::exchange(body_, nullptr);
  owner_.on_body(body ? body->body() : std::string());
  return step_ == Step::head;
}

void HttpSocket::refuse(HttpAnswer answer) {
  whole_ = false;
  owner_.on_refused(std::move(answer));
}

void HttpSocket::respond(const HttpAnswer& answer, bool may_stay) {
  if (step_ != Step::owner && step_ != Step::body) return;
  step_ = Step::writing;
  body_.reset();
  written_ = 0;
  keeps_ = keeps_ && whole_ && may_stay && !stopping_ && !last_;
  out_ = head_on_the_wire(answer, !keeps_ ? "close" : old_ ? "keep-alive" : "");
  if (!bodiless_) out_ += answer.body;
  set_deadline(settings_.taking);
  if (continuing_) return;  // goes on in write_continue()
  if (!stream_->secure()) written_ = stream_->write_now(out_.data(), out_.size());
  if (written_ < out_.size()) return write();
  // Never within the call: the owner may be in the middle of something.
  boost::asio::post(stream_->get_executor(), [self = shared_from_this()] {
    if (self->step_ == Step::writing) self->guarded([&] { self->response_written(); });
  });
}

void HttpSocket::write() {
  stream_->async_write_some(boost::asio::buffer(out_.data() + written_, out_.size() - written_),
                            [self = shared_from_this()](const Error& error, std::size_t bytes) {
                              self->guarded([&] { self->on_written(error, bytes); });
                            });
}

void HttpSocket::on_written(const Error& error, std::size_t bytes) {
  if (step_ != Step::writing) return;
  if (error) return end();
  written_ += bytes;
  if (written_ < out_.size()) return write();
  response_written();
}

void HttpSocket::response_written() {
  out_ = {};
  written_ = 0;
  clear_deadline();
  step_ = Step::head;
  if (!keeps_) leave();
  owner_.on_written();
  go_on();
}

void HttpSocket::stop() {
  stopping_ = true;
  if (step_ == Step::head && !going_on_) leave();
}

std::shared_ptr<Stream> HttpSocket::release(const RequestHead& head) {
  if (reading_ || step_ != Step::owner) return nullptr;
  step_ = Step::gone;
  timer_.cancel();
  stream_->unread(canonical_head(head) + received_.substr(head.length));
  return std::exchange(stream_, nullptr);
}

/// Of a client that has sent much already: a large buffer for each of many that send little would be free for them.
bool HttpSocket::reads_large() const { return step_ == Step::body && body_ && body_->size() >= large_read; }

void HttpSocket::read() {
  if (reading_ || step_ == Step::gone) return;
  if ((step_ == Step::owner || step_ == Step::writing) && received_.size() >= most_ahead) return;
  const std::size_t most = reads_large() ? large_read : small_read;
  if (in_.size() != most) in_ = std::string(most, '\0');
  reading_ = true;
  const auto then = [self = shared_from_this()](const Error& error, std::size_t bytes) {
    self->guarded([&] { self->on_read(error, bytes); });
  };
  // What arrives after the end of our side is not even decrypted.
  if (step_ == Step::leaving) stream_->socket().async_read_some(boost::asio::buffer(in_), then);
  else stream_->async_read_some(boost::asio::buffer(in_), then);
}

void HttpSocket::on_read(const Error& error, std::size_t bytes) {
  reading_ = false;
  if (step_ == Step::gone) return;
  if (error) {
    keeps_ = false;
    if (step_ != Step::writing) end();
    return;
  }
  if (step_ == Step::leaving) {
    discarded_ += bytes;
    if (discarded_ > most_discarded) return end();
    return read();
  }
  received_.append(in_, 0, bytes);
  go_on();
}

/// Lingering close: closing a socket with unread bytes would reset the connection, and the response might be lost with it.
void HttpSocket::leave() {
  if (step_ == Step::leaving || step_ == Step::gone) return;
  step_ = Step::leaving;
  received_ = {};
  stream_->shutdown(Tcp::socket::shutdown_send);
  set_deadline(farewell);
  read();
}

void HttpSocket::end() {
  if (step_ == Step::gone) return;
  step_ = Step::gone;
  Error ignored;
  timer_.cancel();
  stream_->socket().close(ignored);
  stream_->carry(nullptr);
  owner_.on_gone();
}

void HttpSocket::set_deadline(std::chrono::milliseconds limit) {
  deadline_ = std::chrono::steady_clock::now() + limit;
  if (deadline_ < armed_for_) arm();
}

/// The timer is set again only when it expires, or for an earlier deadline: most requests do not touch it.
void HttpSocket::arm() {
  armed_for_ = deadline_;
  timer_.expires_at(deadline_);
  timer_.async_wait([weak = weak_from_this()](const Error& cancelled) {
    const auto self = weak.lock();
    if (cancelled || !self || self->step_ == Step::gone) return;
    self->armed_for_ = Time::max();
    if (self->deadline_ == Time::max()) return;
    if (self->deadline_ > std::chrono::steady_clock::now()) return self->arm();
    self->clear_deadline();
    if (self->step_ != Step::head || self->received_.empty()) return self->end();
    self->step_ = Step::owner;
    self->keeps_ = self->bodiless_ = false;
    self->guarded(
        [&] { self->refuse(refusal(408, error_name::timeout, "the request took too long (limits.handshake_ms)")); });
  });
}

}  // namespace nuropb::edge
