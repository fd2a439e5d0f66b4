#include "edge/door.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <deque>

#include "common/error_names.hpp"
#include "common/log.hpp"
#include "common/log_pause.hpp"
#include "common/messages.hpp"
#include "edge/proxy_header.hpp"

namespace nuropb::edge {
namespace {

using Tcp = boost::asio::ip::tcp;
using SystemError = boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr auto farewell = std::chrono::milliseconds(1000);     ///< to read an answer that ends the connection
constexpr std::size_t farewell_bytes = 256 * 1024;             ///< of what it still sends
constexpr std::size_t most_turned_away = 256;                  ///< that are answered at a time; more are cut off
constexpr auto out_of_descriptors_pause = std::chrono::milliseconds(100);
constexpr int shed_at_once = 16;
constexpr int not_sent = 128 * 1024;  // bytes that the kernel takes for a socket before it has sent them

const char* phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 421: return "Misdirected Request";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Refused";
  }
}

std::string on_the_wire(const HttpAnswer& answer) {
  std::string out = "HTTP/1.1 " + std::to_string(answer.status) + " " + phrase(answer.status) + "\r\n";
  for (const auto& [name, value] : answer.headers) out += name + ": " + value + "\r\n";
  return out + "Content-Length: " + std::to_string(answer.body.size()) + "\r\nConnection: close\r\n\r\n" + answer.body;
}

HttpAnswer refusal(int status, std::string_view reason) {
  const std::string_view name = status == 503 ? error_name::transport : status == 421 ? error_name::authorization : error_name::validation;
  HttpAnswer out{status, error_json(name, reason) + "\n", {{"Content-Type", "application/json"}}};
  if (status == 503) out.headers.emplace_back("Retry-After", "1");
  return out;
}

IpAddress address_of(const Tcp::endpoint& endpoint) {
  return endpoint.address().is_v4() ? IpAddress::of_v4(endpoint.address().to_v4().to_bytes().data()) : IpAddress::of_v6(endpoint.address().to_v6().to_bytes().data());
}

std::string peer_text(const IpAddress& address, std::uint16_t port) {
  const std::string host = address.is_v4() ? address.text() : "[" + address.text() + "]";
  return port == 0 ? address.text() : host + ":" + std::to_string(port);
}

/// The page that a request asks for, by its first bytes; empty: none of is_probe().
std::string_view probe_of(std::string_view bytes) {
  for (const std::string_view page : {alive_page, ready_page}) {
    constexpr std::string_view method = "GET ";
    const std::size_t end = method.size() + page.size();
    if (bytes.starts_with(method) && bytes.substr(method.size()).starts_with(page) && (bytes.size() == end || bytes[end] == ' ')) return page;
  }
  return {};
}

}  // namespace

struct Door::Impl {
  class Entrance;

  Impl(boost::asio::io_context& context, DoorSettings s, Callbacks c)
      : io(context), settings(std::move(s)), callbacks(std::move(c)), arrivals(settings.arrivals ? settings.arrivals : std::make_shared<Arrivals>(settings.limits)), acceptor(context), retry(context), sweeper(context) {}
  ~Impl() {
    if (reserve >= 0) ::close(reserve);
  }

  std::string open();
  void accept();
  void welcome(Tcp::socket socket);
  void out_of_descriptors(const SystemError& error);
  void watch(std::deque<std::pair<Clock::time_point, std::weak_ptr<Entrance>>>& line, const std::shared_ptr<Entrance>& one, Clock::duration limit);
  void sweep();
  void refused(const char* limit);

  boost::asio::io_context& io;
  DoorSettings settings;
  Callbacks callbacks;
  std::shared_ptr<Arrivals> arrivals;
  std::shared_ptr<TlsContexts> tls;
  Tcp::acceptor acceptor;
  boost::asio::steady_timer retry, sweeper;
  // In order of their deadlines, since each line has one and the same limit.
  std::deque<std::pair<Clock::time_point, std::weak_ptr<Entrance>>> coming, leaving;
  std::shared_ptr<int> turned_away = std::make_shared<int>(0);  ///< counted by its users
  log::Pause limit_pause{std::chrono::seconds(10)}, descriptors_pause{std::chrono::seconds(10)};
  Clock::time_point short_since{};  ///< of descriptors
  int reserve = -1;  ///< a descriptor to give up when there are no others: to accept, and let go of, one more
  bool sweeping = false, stopped = false;
};

/// One connection on its way in. Kept alive by the operation that is under way.
class Door::Impl::Entrance : public std::enable_shared_from_this<Entrance> {
 public:
  Entrance(Impl& door, Tcp::socket socket, std::shared_ptr<void> ticket)
      : door_(door), stream_(std::make_shared<Stream>(std::move(socket))), ticket_(std::move(ticket)), since_(Clock::now()) {}

  void begin(const Tcp::endpoint& peer) {
    address_ = address_of(peer);
    peer_ = peer_text(address_, peer.port());
    if (!door_.settings.proxy_protocol) return addressed();
    if (!door_.settings.trusted_proxies.contains(address_)) return give_up();
    read_proxy_header();
  }

  Entrance(Impl& door, std::shared_ptr<Stream> stream) : door_(door), stream_(std::move(stream)), answered_(true) {}

  void see_off() {
    buffer_.resize(2048);
    see_off(0);
  }

  /// One too many: it is heard out only to be answered, which is lost if it had not been read to the end.
  void turn_away() {
    refusing_ = true;
    read_head();
  }

  /// The end of its time.
  void expire() {
    if (gone_ || !stream_) return;
    if (answered_) leave();
    else give_up();
  }

 private:
  void give_up() {
    if (gone_) return;
    SystemError ignored;
    stream_->socket().close(ignored);
    gone_ = true;  // the stream stays until what is under way on it has been called back
    door_.callbacks.turned_away();
  }

  void read_proxy_header() {
    for (;;) {
      const ProxyHeader header = parse_proxy_header(buffer_);
      if (header.what == ProxyHeader::What::rubbish) return give_up();
      if (header.what == ProxyHeader::What::complete) {
        buffer_.clear();
        if (header.source) {
          address_ = *header.source;
          peer_ = peer_text(address_, header.port);
        } else {
          counted_ = true;  // the proxy itself, looking whether we live
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

  /// Its address is known, unless a header will tell another one.
  void addressed() {
    const bool told_later = door_.settings.not_http.empty() && door_.settings.forwarded_header != ForwardedHeader::none && door_.settings.trusted_proxies.contains(address_);
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
      if (error) return self->give_up();
      self->client_name_ = client_name(self->stream_->ssl(), self->door_.settings.tls.client_name);
      self->read_head();
    });
  }

  bool counted_by_host() {
    if (counted_) return true;
    counted_ = door_.arrivals->belongs_to(ticket_, address_);
    if (!counted_) door_.refused("limits.connections_per_ip");
    return counted_;
  }

  void read_head() {
    if (!door_.settings.not_http.empty()) {
      if (!refusing_) return enter();
      door_.callbacks.turned_away();
      return answer(door_.settings.not_http);
    }
    const std::size_t had = buffer_.size();
    buffer_.resize(std::min(had + 2048, door_.settings.head.bytes + 2048));
    stream_->async_read_some(boost::asio::buffer(buffer_.data() + had, buffer_.size() - had), [self = this->shared_from_this(), had](const SystemError& error, std::size_t n) {
      if (self->gone_) return;
      self->buffer_.resize(had + n);
      if (error) return self->give_up();
      self->judge(had);
    });
  }

  void judge(std::size_t searched) {
    const RequestHead head = parse_request_head(buffer_, door_.settings.head, searched);
    if (refusing_) {
      const std::string_view page = probe_of(buffer_);
      if (!page.empty() && head.what == RequestHead::What::incomplete) return read_head();
      return answer(!page.empty() ? door_.callbacks.probe(page) : refusal(503, "all connections are taken, or too many come at once: try again later"));
    }
    if (head.what == RequestHead::What::incomplete) return read_head();
    if (head.what == RequestHead::What::refused) return answer(refusal(head.status, head.reason));
    if (!is_probe(head.target) && !host_allowed(head.header("Host"), door_.settings.hosts)) return answer(refusal(421, "this gateway is not called by this name (listen.hosts)"));
    if (door_.settings.forwarded_header != ForwardedHeader::none && door_.settings.trusted_proxies.contains(address_)) {
      const char* const name = door_.settings.forwarded_header == ForwardedHeader::forwarded ? "Forwarded" : "X-Forwarded-For";
      const auto consumer = forwarded_for(door_.settings.forwarded_header, head.header(name), address_, door_.settings.trusted_proxies);
      if (!consumer) return answer(refusal(400, "the proxy does not tell the consumer's address (listen.forwarded_header)"));
      if (!(*consumer == address_)) {
        address_ = *consumer;
        peer_ = peer_text(address_, 0);
      }
      if (!counted_by_host()) return answer(refusal(503, "this address has all connections that it may have (limits.connections_per_ip)"));
    }
    enter();
  }

  void enter() {
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since_);
    Guest guest{std::move(stream_), std::move(peer_), std::move(client_name_), std::chrono::milliseconds(door_.settings.handshake_ms) - spent};
    guest.stream->unread(std::move(buffer_));
    guest.stream->carry(std::move(ticket_));
    door_.callbacks.enter(std::move(guest));
  }

  void answer(const HttpAnswer& what) {
    if (what.status != 200) door_.callbacks.turned_away();
    answer(on_the_wire(what));
  }
  void answer(std::string bytes) {
    answered_ = true;
    ticket_.reset();
    buffer_ = std::move(bytes);
    door_.watch(door_.leaving, this->shared_from_this(), farewell);
    write_answer(0);
  }
  void write_answer(std::size_t from) {
    stream_->async_write_some(boost::asio::buffer(buffer_.data() + from, buffer_.size() - from), [self = this->shared_from_this(), from](const SystemError& error, std::size_t n) {
      if (self->gone_) return;
      if (error) return self->leave();
      if (from + n < self->buffer_.size()) return self->write_answer(from + n);
      self->stream_->shutdown(Tcp::socket::shutdown_send);
      self->see_off();
    });
  }
  /// Closing at once, with bytes unread, would reset the connection and take the answer with it.
  void see_off(std::size_t seen) {
    if (seen > farewell_bytes) return leave();
    stream_->socket().async_read_some(boost::asio::buffer(buffer_), [self = this->shared_from_this(), seen](const SystemError& error, std::size_t n) {
      if (self->gone_) return;
      if (error) return self->leave();
      self->see_off(seen + n);
    });
  }
  void leave() {
    SystemError ignored;
    stream_->socket().close(ignored);
    gone_ = true;
  }

  Impl& door_;
  std::shared_ptr<Stream> stream_;
  std::shared_ptr<void> ticket_;
  std::shared_ptr<TlsContexts> contexts_;  ///< until the handshake's end: a reload may come in between
  Clock::time_point since_;
  IpAddress address_;
  std::string peer_, client_name_, buffer_;
  bool counted_ = false, refusing_ = false, answered_ = false, gone_ = false;
};

std::string Door::Impl::open() {
  const std::string where = settings.address + " port " + std::to_string(settings.port);
  SystemError error;
  const auto address = boost::asio::ip::make_address(settings.address, error);
  if (error) return "listen.address '" + settings.address + "' is not an IP address";
  if (!settings.tls.certificate_files.empty()) {
    std::string wrong;
    tls = TlsContexts::load(settings.tls, wrong);
    if (!tls) return wrong;
    for (const std::string& certificate : tls->certificates()) log::info("certificate", {{"for", certificate}});
  }
  const Tcp::endpoint endpoint(address, settings.port);
  const int on = 1;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error && address == boost::asio::ip::address_v6::any()) acceptor.set_option(boost::asio::ip::v6_only(false), error);
  // Every edge binds the same port, and the kernel spreads connections over them.
  if (!error && ::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) error = SystemError(errno, boost::system::system_category());
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(static_cast<int>(settings.backlog), error);
  if (error) return "can't listen on " + where + ": " + error.message();
  reserve = ::eventfd(0, EFD_CLOEXEC);  // whatever: a running edge can open no file
  accept();
  return {};
}

void Door::Impl::accept() {
  acceptor.async_accept([this](const SystemError& error, Tcp::socket socket) {
    if (stopped) return;
    if (error && error != boost::asio::error::connection_aborted) return out_of_descriptors(error);
    short_since = {};
    if (!error) welcome(std::move(socket));
    accept();
  });
}

void Door::Impl::welcome(Tcp::socket socket) {
  SystemError error;
  const auto peer = socket.remote_endpoint(error);
  if (error) return;  // it has gone already
  socket.set_option(Tcp::no_delay(true), error);
  // What a slow consumer does not read waits in our queue, which has rules, and not by megabytes in the kernel's.
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent, sizeof not_sent);
  const auto verdict = arrivals->judge(Clock::now());
  if (verdict == Arrivals::Verdict::welcome) {
    const std::shared_ptr<Entrance> one(new Entrance(*this, std::move(socket), arrivals->enter()));
    watch(coming, one, std::chrono::milliseconds(settings.handshake_ms));
    return one->begin(peer);
  }
  refused(verdict == Arrivals::Verdict::too_many ? "limits.connections" : "limits.new_connections_per_s");
  if (tls || settings.proxy_protocol || turned_away.use_count() > static_cast<long>(most_turned_away)) {
    callbacks.turned_away();
    if (!tls) {
      const std::string answer = settings.not_http.empty() ? on_the_wire(refusal(503, "all connections are taken, or too many come at once: try again later")) : settings.not_http;
      (void)!::send(socket.native_handle(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return;
  }
  const std::shared_ptr<Entrance> one(new Entrance(*this, std::move(socket), turned_away));
  watch(leaving, one, farewell);
  one->turn_away();
}

void Door::Impl::out_of_descriptors(const SystemError& error) {
  if (const auto left_out = descriptors_pause.due(Clock::now())) {
    log::error("can't accept", {{"reason", error.message()}, {"connections", arrivals->connections()}, {"left_out", *left_out}});
  }
  // Trying again at once would only burn the CPU that could free a descriptor. Those that wait in the kernel's queue may
  // do so for as long as a handshake may take; then some of them are let go, rather than left hanging.
  if (short_since == Clock::time_point()) short_since = Clock::now();
  const bool shed = Clock::now() - short_since >= std::chrono::milliseconds(settings.handshake_ms);
  for (int i = 0; shed && i < shed_at_once && reserve >= 0; ++i) {
    ::close(reserve);
    const int one = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (one >= 0) {
      ::close(one);
      callbacks.turned_away();
    }
    reserve = ::eventfd(0, EFD_CLOEXEC);
    if (one < 0) break;
  }
  retry.expires_after(out_of_descriptors_pause);
  retry.async_wait([this](const SystemError& cancelled) {
    if (cancelled || stopped) return;
    if (reserve < 0) reserve = ::eventfd(0, EFD_CLOEXEC);
    accept();
  });
}

void Door::Impl::watch(std::deque<std::pair<Clock::time_point, std::weak_ptr<Entrance>>>& line, const std::shared_ptr<Entrance>& one, Clock::duration limit) {
  line.emplace_back(Clock::now() + limit, one);
  if (!sweeping) sweep();
  else if (line.size() == 1 && line.front().first < sweeper.expiry()) sweep();
}

void Door::Impl::sweep() {
  const auto now = Clock::now();
  for (auto* const line : {&coming, &leaving}) {
    while (!line->empty() && (line->front().first <= now || line->front().second.expired())) {
      const auto one = line->front().second.lock();
      line->pop_front();
      if (one) one->expire();
    }
  }
  sweeping = !coming.empty() || !leaving.empty();
  if (!sweeping) return;
  auto next = Clock::time_point::max();
  for (const auto* const line : {&coming, &leaving}) {
    if (!line->empty()) next = std::min(next, line->front().first);
  }
  sweeper.expires_at(next);
  sweeper.async_wait([this](const SystemError& cancelled) {
    if (!cancelled) sweep();
  });
}

void Door::Impl::refused(const char* limit) {
  if (const auto left_out = limit_pause.due(Clock::now())) {
    log::warning("connection refused", {{"limit", limit}, {"connections", arrivals->connections()}, {"left_out", *left_out}});
  }
}

Door::Door(boost::asio::io_context& io, DoorSettings settings, Callbacks callbacks) : impl_(std::make_unique<Impl>(io, std::move(settings), std::move(callbacks))) {}
Door::~Door() = default;
std::string Door::open() { return impl_->open(); }

std::uint16_t Door::port() const {
  SystemError error;
  return impl_->acceptor.local_endpoint(error).port();
}

void Door::see_off(std::shared_ptr<Stream> stream) {
  stream->carry(nullptr);  // who is going takes nobody's place
  const auto one = std::make_shared<Impl::Entrance>(*impl_, std::move(stream));
  impl_->watch(impl_->leaving, one, farewell);
  one->see_off();
}

void Door::close() {
  if (impl_->stopped) return;
  impl_->stopped = true;
  SystemError ignored;
  impl_->retry.cancel();
  // Those whom the kernel has let in already get an answer rather than a reset.
  impl_->acceptor.non_blocking(true, ignored);
  for (SystemError error; !error;) {
    boost::asio::ip::tcp::socket socket = impl_->acceptor.accept(error);
    if (!error) impl_->welcome(std::move(socket));
  }
  impl_->acceptor.close(ignored);
}

std::string Door::reload_tls() {
  if (impl_->settings.tls.certificate_files.empty()) return {};
  std::string wrong;
  auto fresh = TlsContexts::load(impl_->settings.tls, wrong);
  if (!fresh) return wrong;
  impl_->tls = std::move(fresh);
  for (const std::string& certificate : impl_->tls->certificates()) log::info("certificate", {{"for", certificate}});
  return {};
}

}  // namespace nuropb::edge
