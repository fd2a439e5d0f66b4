#pragma once
// Detects dead clients: which have to be pinged, which have not answered, which have sent nothing for too long.
//
// There is no timer per socket: all have the same limits, so each of three lists stays sorted by deadline if a socket
// with activity moves to its end. C++17, like websocket.hpp. One thread; time is passed in.

#include <algorithm>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>

namespace nuropb::edge {

class Liveness {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Limits {
    std::chrono::milliseconds ping{0};      ///< silence after which a ping is sent; 0: never
    std::chrono::milliseconds pong{20000};  ///< time for the answer, or for any progress
    std::chrono::milliseconds idle{0};      ///< maximum time without a message; 0: unlimited
  };

 private:
  using Hook = boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

 public:
  /// A watched socket. Leaves the lists on destruction or leave(); its callbacks may destroy it.
  class Socket {
   public:
    virtual ~Socket() = default;
    virtual void send_ping() = 0;
    /// Bytes that the peer has accepted from us: a slow reader is alive, although its pong is delayed.
    [[nodiscard]] virtual std::uint64_t taken() const = 0;
    virtual void on_unresponsive() = 0;
    virtual void on_idle() = 0;

   private:
    friend class Liveness;
    Hook heard_hook_, idle_hook_;
    bool watched_ = false;
    Time heard_{}, message_{};
    std::uint64_t taken_ = 0;
  };

  explicit Liveness(const Limits& limits) : limits_(limits) {}

  /// Starts watching, or resumes after a pause. A pause is not the client's silence, so all its times start again.
  void watch(Socket& socket, Time now) {
    socket.watched_ = true;
    message(socket, now);
  }
  /// Stops watching: the socket is not read for a while, or has closed.
  void leave(Socket& socket) {
    socket.watched_ = false;
    socket.heard_hook_.unlink();
    socket.idle_hook_.unlink();
  }

  /// A message was received.
  void message(Socket& socket, Time now) {
    if (!socket.watched_) return;
    heard(socket, now);
    if (limits_.idle.count() == 0) return;
    socket.message_ = now;
    socket.idle_hook_.unlink();
    idle_.push_back(socket);
  }
  /// Any activity: a message, a ping or a pong.
  void heard(Socket& socket, Time now) {
    if (!socket.watched_ || limits_.ping.count() == 0) return;
    socket.heard_ = now;
    socket.heard_hook_.unlink();
    quiet_.push_back(socket);
  }

  void tick(Time now) {
    while (!quiet_.empty() && quiet_.front().heard_ + limits_.ping <= now) {
      Socket& socket = quiet_.front();
      ask(socket, now);
      socket.send_ping();
    }
    while (!asked_.empty() && asked_.front().heard_ + limits_.pong <= now) {
      Socket& socket = asked_.front();
      if (socket.taken() != socket.taken_) {
        ask(socket, now);
        continue;
      }
      leave(socket);
      socket.on_unresponsive();
    }
    while (!idle_.empty() && idle_.front().message_ + limits_.idle <= now) {
      Socket& socket = idle_.front();
      leave(socket);
      socket.on_idle();
    }
  }

  /// When tick() has to be called if there is no activity; max() if no socket is watched.
  [[nodiscard]] Time next() const {
    Time out = Time::max();
    if (!quiet_.empty()) out = std::min(out, quiet_.front().heard_ + limits_.ping);
    if (!asked_.empty()) out = std::min(out, asked_.front().heard_ + limits_.pong);
    if (!idle_.empty()) out = std::min(out, idle_.front().message_ + limits_.idle);
    return out;
  }

 private:
  void ask(Socket& socket, Time now) {
    socket.heard_ = now;  // the time limit for its answer starts here
    socket.taken_ = socket.taken();
    socket.heard_hook_.unlink();
    asked_.push_back(socket);
  }

  template <Hook Socket::* Member>
  using List = boost::intrusive::list<Socket, boost::intrusive::member_hook<Socket, Hook, Member>,
                                      boost::intrusive::constant_time_size<false>>;

  Limits limits_;
  List<&Socket::heard_hook_> quiet_, asked_;
  List<&Socket::idle_hook_> idle_;
};

}  // namespace nuropb::edge
