#include "edge/net/door.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/listening_socket.hpp"
#include "common/log.hpp"
#include "edge/net/door_parts.hpp"

namespace nuropb::edge {
namespace {

/// Refused connections that are answered at the same time; further ones are closed at once.
constexpr std::size_t most_turned_away = 256;
constexpr auto out_of_descriptors_pause = std::chrono::milliseconds(100);
constexpr int shed_at_once = 16;
// Bytes that the kernel buffers for a socket before it has sent them.
constexpr int not_sent = 128 * 1024;

}  // namespace

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
  auto claimed = PortClaim::take(address.to_string(), settings.port, settings.gateway);
  if (!claimed) return "can't listen on " + where + ": " + claimed.error().what;
  claim = std::move(*claimed);
  // Every edge binds the same port, and the kernel distributes connections among them.
  const auto socket = listening_socket({settings.address, settings.port, static_cast<int>(settings.backlog), true});
  if (!socket) return "can't listen on " + where + ": " + socket.error().what;
  acceptor.assign(address.is_v6() ? Tcp::v6() : Tcp::v4(), *socket, error);
  if (error) return "can't listen on " + where + ": " + error.message();
  reserve = ::eventfd(0, EFD_CLOEXEC);  // any descriptor: a running edge cannot open files
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
  if (error) return;  // the peer has already disconnected
  socket.set_option(Tcp::no_delay(true), error);
  // Data that a slow client does not read waits in our queue, which has rules, and not by the megabyte in the kernel's.
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent, sizeof not_sent);
  auto verdict = arrivals->judge(Clock::now());
  if (verdict == Arrivals::Verdict::too_many && arrivals->handshakes().make_room(address_of(peer)))
    verdict = arrivals->judge(Clock::now());
  if (verdict == Arrivals::Verdict::welcome) {
    const std::shared_ptr<Entrance> one(new Entrance(*this, std::move(socket), arrivals->enter()));
    watch(coming, one, std::chrono::milliseconds(settings.handshake_ms));
    return one->begin(peer);
  }
  refused(verdict == Arrivals::Verdict::too_many ? "limits.connections" : "limits.new_connections_per_s",
          address_of(peer));
  if (tls || settings.proxy_protocol || turned_away.use_count() > static_cast<long>(most_turned_away)) {
    callbacks.turned_away();
    if (!tls) {
      const std::string answer = settings.not_http.empty() ? on_the_wire(come_again(too_many)) : settings.not_http;
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
    log::error("can't accept",
               {{"reason", error.message()}, {"connections", arrivals->connections()}, {"left_out", *left_out}});
  }
  // Retrying at once would only burn the CPU that could free a descriptor. Connections may wait in the kernel's queue
  // as long as a handshake may take; after that some are closed instead of left hanging.
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

void Door::Impl::watch(std::deque<std::pair<Clock::time_point, std::weak_ptr<Entrance>>>& line,
                       const std::shared_ptr<Entrance>& one, Clock::duration limit) {
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

void Door::Impl::refused(const char* limit, const IpAddress& address) {
  if (const auto left_out = limit_pause.due(Clock::now())) {
    log::warning("connection refused", {{"limit", limit},
                                        {"address", address.text()},
                                        {"connections", arrivals->connections()},
                                        {"left_out", *left_out}});
  }
}

void Door::Impl::refused_certificate(const std::string& peer, const std::string& why) {
  settings.on_bad_certificate();
  if (const auto left_out = certificate_pause.due(Clock::now()))
    log::warning("client certificate refused", {{"address", peer}, {"reason", why}, {"left_out", *left_out}});
}

Door::Door(boost::asio::io_context& io, DoorSettings settings, Callbacks callbacks)
    : impl_(std::make_unique<Impl>(io, std::move(settings), std::move(callbacks))) {}
Door::~Door() = default;
std::string Door::open() { return impl_->open(); }

std::uint16_t Door::port() const {
  boost::system::error_code error;
  return impl_->acceptor.local_endpoint(error).port();
}

void Door::see_off(std::shared_ptr<Stream> stream) {
  stream->carry(nullptr);  // a connection that is closing takes no place
  const auto one = std::make_shared<Impl::Entrance>(*impl_, std::move(stream));
  impl_->watch(impl_->leaving, one, Impl::farewell);
  one->see_off();
}

void Door::close() {
  if (impl_->stopped) return;
  impl_->stopped = true;
  boost::system::error_code ignored;
  impl_->retry.cancel();
  // Connections that the kernel has already accepted get a response instead of a reset.
  impl_->acceptor.non_blocking(true, ignored);
  for (boost::system::error_code error; !error;) {
    boost::asio::ip::tcp::socket socket = impl_->acceptor.accept(error);
    if (!error) impl_->welcome(std::move(socket));
  }
  impl_->acceptor.close(ignored);
  impl_->claim.release();
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
