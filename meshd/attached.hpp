#pragma once
// Private to the ring loop: a worker and its place in the loop.

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <array>

#include "meshd/ring_loop.hpp"

namespace nuropb::meshd {

struct RingLoop::Attached {
  static constexpr std::size_t bells_at_once = 16;  // an honest edge rings once or twice before we look

  Attached(boost::asio::io_context& io, Timers& timers, Worker&& w)
      : worker(std::move(w)), end(io, worker.channel().fd()), bell(io, worker.bell().fd()), pause(timers) {}
  ~Attached() {  // the worker owns the descriptors
    end.release();
    bell.release();
  }
  Worker worker;
  boost::asio::posix::stream_descriptor end, bell;
  std::array<char, bells_at_once> bells;  // what is heard of them
  Timers::Timer pause;                    // of one that rings too often
  bool active = false;                    // in turn_order_; not asleep on its ring
  bool touched = false;                   // in touched_
};

template <class Work>
void RingLoop::each_session(Work&& work) {
  for (auto& [id, attached] : workers_) {
    attached->worker.sessions().each([&, worker = id, place = attached.get()](std::uint32_t slot, Session& session) {
      work(place, worker, slot, session);
    });
  }
  parked_.each([&](std::uint32_t slot, Session& session) { work(nullptr, numbered_worker, slot, session); });
}

struct RingLoop::Newcomer {
  Newcomer(boost::asio::io_context& io, shm::ControlChannel&& c, shm::PeerCredentials p)
      : channel(std::move(c)), peer(p), wait(io, channel.fd()), deadline(io) {}
  ~Newcomer() { wait.release(); }
  shm::ControlChannel channel;
  shm::PeerCredentials peer;
  boost::asio::posix::stream_descriptor wait;
  boost::asio::steady_timer deadline;
};

}  // namespace nuropb::meshd
