// One connection's progress through the door: PROXY header, TLS, the request head, and the response to it.

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "common/error_names.hpp"
#include "common/http/canonical_head.hpp"
#include "edge/net/door_parts.hpp"
#include "edge/net/proxy_header.hpp"

namespace nuropb::edge {
namespace {

// Maximum that is read from a client during the lingering close.
constexpr std::size_t farewell_bytes = 256 * 1024;

/// Whether a head that starts with these bytes may request a page of is_probe().
bool may_be_probe(std::string_view bytes) {
  constexpr std::string_view get = "GET ", head = "HEAD ";
  if (!bytes.starts_with(get) && !bytes.starts_with(head)) return false;
  bytes.remove_prefix(bytes.starts_with(get) ? get.size() : head.size());
  for (const std::string_view page : {alive_page, ready_page}) {
    if (bytes.starts_with(page)) return true;
  }
  return !bytes.starts_with('/');  // an absolute URL, whose path follows later
}

}  // namespace

IpAddress address_of(const boost::asio::ip::tcp::endpoint& endpoint) {
  return endpoint.address().is_v4() ? IpAddress::of_v4(endpoint.address().to_v4().to_bytes().data())
                                    : IpAddress::of_v6(endpoint.address().to_v6().to_bytes().data());
}

/// Holds a place until the connection has entered or is answered.
void Door::Impl::Entrance::take_place() {
  place_ = door_.arrivals->handshakes().enter(address_, [weak = this->weak_from_this()] {
    if (const auto self = weak.lock()) self->give_up();
  });
}

void Door::Impl::Entrance::begin(const Tcp::endpoint& peer) {
  address_ = address_of(peer);
  peer_ = peer_text(address_, peer.port());
  take_place();
  if (!door_.settings.proxy_protocol) return addressed();
  if (!door_.settings.trusted_proxies.contains(address_)) return give_up();
  read_proxy_header();
}

void Door::Impl::Entrance::turn_away() {
  refusing_ = true;
  read_head();
}

void Door::Impl::Entrance::see_off() {
  buffer_.resize(2048);
  see_off(0);
}

void Door::Impl::Entrance::expire() {
  if (gone_ || !stream_) return;
  if (answered_) leave();
  else give_up();
}

void Door::Impl::Entrance::give_up() {
  if (gone_) return;
  SystemError ignored;
  stream_->socket().close(ignored);
  gone_ = true;  // the stream exists until its pending operation has completed
  place_.reset();
  ticket_.reset();
  door_.callbacks.turned_away();
}

void Door::Impl::Entrance::read_proxy_header() {
  for (;;) {
    const ProxyHeader header = parse_proxy_header(buffer_);
    if (header.what == ProxyHeader::What::rubbish) return give_up();
    if (header.what == ProxyHeader::What::complete) {
      buffer_.clear();
      if (header.source) {
        address_ = *header.source;
        peer_ = peer_text(address_, header.port);
        take_place();
      } else {
        counted_ = true;  // the proxy's own health check
      }
      return addressed();
    }
    const std::size_t had = buffer_.size();
    buffer_.resize(had + header.wanted);
    const ssize_t n = ::recv(stream_->socket().native_handle(), buffer_.data() + had, header.wanted, MSG_DONTWAIT);
    buffer_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n > 0) continue;
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) return give_up();
    stream_->socket().async_wait(Tcp::socket::wait_read, [self = this->shared_from_this()](const SystemError& error) {
      if (self->gone_) return;
      if (error) self->give_up();
      else self->read_proxy_header();
    });
    return;
  }
}

/// The peer's address is known, unless a header will provide another one.
void Door::Impl::Entrance::addressed() {
  sender_ = address_;
  const bool told_later = door_.settings.not_http.empty() && door_.rules.client_is_in_header(address_);
  if (!told_later && !counted_by_host()) {
    if (door_.tls) return give_up();
    refusing_ = true;
  }
  if (!door_.tls) return read_head();
  contexts_ = door_.tls;
  SslPtr ssl = contexts_->accept_on(stream_->socket().native_handle());
  if (!ssl || stream_->secure_with(std::move(ssl))) return give_up();
  stream_->async_handshake([self = this->shared_from_this()](const SystemError& error, std::size_t) {
    if (self->gone_) return;
    self->contexts_.reset();
    if (error) {
      if (error == boost::asio::error::access_denied)
        self->door_.refused_certificate(self->peer_, certificate_problem(self->stream_->ssl()));
      return self->give_up();
    }
    self->certificate_ = client_certificate(self->stream_->ssl(), self->door_.settings.tls.client_name);
    self->read_head();
  });
}

bool Door::Impl::Entrance::counted_by_host() {
  if (counted_) return true;
  counted_ = door_.arrivals->belongs_to(ticket_, address_);
  if (!counted_) door_.refused("limits.connections_per_ip", address_);
  return counted_;
}

void Door::Impl::Entrance::read_head() {
  if (!door_.settings.not_http.empty()) {
    if (!refusing_) return enter();
    door_.callbacks.turned_away();
    return answer(door_.settings.not_http);
  }
  const std::size_t had = buffer_.size();
  buffer_.resize(std::min(had + 2048, door_.settings.head.bytes + 2048));
  stream_->async_read_some(boost::asio::buffer(buffer_.data() + had, buffer_.size() - had),
                           [self = this->shared_from_this(), had](const SystemError& error, std::size_t n) {
                             if (self->gone_) return;
                             self->buffer_.resize(had + n);
                             if (error) return self->give_up();
                             self->judge(had);
                           });
}

void Door::Impl::Entrance::judge(std::size_t searched) {
  const RequestHead head = parse_request_head(buffer_, door_.head_limits, searched);
  bodiless_ = head.method == "HEAD";
  if (refusing_) {
    if (head.what == RequestHead::What::incomplete && may_be_probe(buffer_)) return read_head();
    const bool reads = head.what == RequestHead::What::complete && (bodiless_ || head.method == "GET");
    return answer(reads && is_probe(head.path) ? door_.callbacks.probe(head.path) : come_again(too_many));
  }
  if (head.what == RequestHead::What::incomplete) return read_head();
  if (head.what == RequestHead::What::refused) return answer(refusal(head.status, error_name::validation, head.reason));
  is_call_ = door_.settings.largest_body > 0 && is_call(head.path) && !head.wants_websocket();
  if (!is_call_ && (head.chunked || head.content_length > 0))
    return answer(refusal(413, error_name::validation, "requests with a body are not accepted"));
  if (!is_probe(head.path)) {
    if (auto refused = door_.rules.refusal_of_host(head)) return answer(*refused);
  }
  if (door_.rules.client_is_in_header(address_)) {
    const auto client = door_.rules.client_of(head, address_);
    if (!client) return answer(HeadRules::no_client());
    if (!(*client == address_)) {
      address_ = *client;
      peer_ = peer_text(address_, 0);
    }
    if (!counted_by_host())
      return answer(come_again("this address has too many connections (limits.connections_per_ip)"));
  }
  // A call is read by our own parser again, which needs to know its version and how its connection goes on.
  if (!is_call_) buffer_ = canonical_head(head) + buffer_.substr(head.length);
  enter();
}

void Door::Impl::Entrance::enter() {
  const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since_);
  Guest guest{std::move(stream_),
              std::move(peer_),
              std::move(certificate_),
              std::chrono::milliseconds(door_.settings.handshake_ms) - spent,
              sender_,
              is_call_};
  guest.stream->unread(std::move(buffer_));
  guest.stream->carry(std::move(ticket_));
  place_.reset();
  door_.callbacks.enter(std::move(guest));
}

void Door::Impl::Entrance::answer(const HttpAnswer& what) {
  if (what.status != 200) door_.callbacks.turned_away();
  answer(on_the_wire(what, bodiless_));
}

void Door::Impl::Entrance::answer(std::string bytes) {
  answered_ = true;
  ticket_.reset();
  place_.reset();
  buffer_ = std::move(bytes);
  door_.watch(door_.leaving, this->shared_from_this(), farewell);
  write_answer(0);
}

void Door::Impl::Entrance::write_answer(std::size_t from) {
  stream_->async_write_some(boost::asio::buffer(buffer_.data() + from, buffer_.size() - from),
                            [self = this->shared_from_this(), from](const SystemError& error, std::size_t n) {
                              if (self->gone_) return;
                              if (error) return self->leave();
                              if (from + n < self->buffer_.size()) return self->write_answer(from + n);
                              self->stream_->shutdown(Tcp::socket::shutdown_send);
                              self->see_off();
                            });
}

/// Lingering close: closing at once with unread bytes would reset the connection, and the response would be lost.
void Door::Impl::Entrance::see_off(std::size_t seen) {
  if (seen > farewell_bytes) return leave();
  stream_->socket().async_read_some(boost::asio::buffer(buffer_),
                                    [self = this->shared_from_this(), seen](const SystemError& error, std::size_t n) {
                                      if (self->gone_) return;
                                      if (error) return self->leave();
                                      self->see_off(seen + n);
                                    });
}

void Door::Impl::Entrance::leave() {
  SystemError ignored;
  stream_->socket().close(ignored);
  gone_ = true;
}

}  // namespace nuropb::edge
