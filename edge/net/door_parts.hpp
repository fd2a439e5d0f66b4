#pragma once
// Private to the door: the acceptor with its limits and deadlines (door.cpp), and one connection in progress
// (door_entrance.cpp).

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <utility>

#include "common/log_pause.hpp"
#include "edge/net/door.hpp"
#include "edge/net/port_claim.hpp"

namespace nuropb::edge {

struct Door::Impl {
  class Entrance;
  using Tcp = boost::asio::ip::tcp;
  using SystemError = boost::system::error_code;
  using Clock = std::chrono::steady_clock;
  /// Time for the client to read a response that ends the connection.
  static constexpr auto farewell = std::chrono::milliseconds(1000);
  static constexpr const char* too_many = "too many connections: try again later";

  Impl(boost::asio::io_context& context, DoorSettings s, Callbacks c)
      : io(context),
        settings(std::move(s)),
        callbacks(std::move(c)),
        rules(settings.hosts, settings.forwarded_header, settings.trusted_proxies),
        head_limits(settings.head),
        arrivals(settings.arrivals ? settings.arrivals : std::make_shared<Arrivals>(settings.limits)),
        acceptor(context),
        retry(context),
        sweeper(context) {
    head_limits.body = settings.largest_body;
  }
  ~Impl() {
    if (reserve >= 0) ::close(reserve);
  }

  std::string open();
  void accept();
  void welcome(Tcp::socket socket);
  void out_of_descriptors(const SystemError& error);
  void watch(std::deque<std::pair<Clock::time_point, std::weak_ptr<Entrance>>>& line,
             const std::shared_ptr<Entrance>& one, Clock::duration limit);
  void sweep();
  void refused(const char* limit, const IpAddress& address);
  void refused_certificate(const std::string& peer, const std::string& why);

  boost::asio::io_context& io;
  DoorSettings settings;
  Callbacks callbacks;
  HeadRules rules;
  HeadLimits head_limits;
  std::shared_ptr<Arrivals> arrivals;
  std::shared_ptr<TlsContexts> tls;
  PortClaim claim;
  Tcp::acceptor acceptor;
  boost::asio::steady_timer retry, sweeper;
  // Each queue has one time limit, so entries are in order of their deadlines.
  std::deque<std::pair<Clock::time_point, std::weak_ptr<Entrance>>> coming, leaving;
  std::shared_ptr<int> turned_away = std::make_shared<int>(0);  ///< incremented by its users
  log::Pause limit_pause{std::chrono::seconds(10)}, descriptors_pause{std::chrono::seconds(10)},
      certificate_pause{std::chrono::seconds(10)};
  Clock::time_point short_since{};  ///< when we ran out of descriptors
  /// A descriptor to release when there are no others, in order to accept and close one more connection.
  int reserve = -1;
  bool sweeping = false, stopped = false;
};

IpAddress address_of(const boost::asio::ip::tcp::endpoint& endpoint);

/// One connection in progress. Kept alive by its pending operation.
class Door::Impl::Entrance : public std::enable_shared_from_this<Entrance> {
 public:
  Entrance(Impl& door, Tcp::socket socket, std::shared_ptr<void> ticket)
      : door_(door),
        stream_(std::make_shared<Stream>(std::move(socket))),
        ticket_(std::move(ticket)),
        since_(Clock::now()) {}
  /// A connection that only gets a lingering close.
  Entrance(Impl& door, std::shared_ptr<Stream> stream) : door_(door), stream_(std::move(stream)), answered_(true) {}

  void begin(const Tcp::endpoint& peer);
  /// For a connection over the limit: its request is read only so that the response is not lost to a reset.
  void turn_away();
  void see_off();
  /// Called when its time is up.
  void expire();

 private:
  void give_up();
  void read_proxy_header();
  void addressed();
  bool counted_by_host();
  void read_head();
  void judge(std::size_t searched);
  void enter();
  void answer(const HttpAnswer& what);
  void answer(std::string bytes);
  void write_answer(std::size_t from);
  void see_off(std::size_t seen);
  void leave();
  void take_place();

  Impl& door_;
  std::shared_ptr<Stream> stream_;
  std::shared_ptr<void> ticket_;
  HandshakeShares::Place place_;           ///< while its handshake is in progress
  std::shared_ptr<TlsContexts> contexts_;  ///< until the end of the handshake, because a reload may happen meanwhile
  Clock::time_point since_;
  IpAddress address_;
  IpAddress sender_;  ///< as far as no header names another one
  std::string peer_, buffer_;
  ClientCertificate certificate_;
  bool is_call_ = false, counted_ = false, refusing_ = false, answered_ = false, gone_ = false, bodiless_ = false;
};

}  // namespace nuropb::edge
