// Round trips: send() sends a request and waits for the answer, receive() answers. Both rings in real segments,
// compared with the minimum that two processes need for it. As everywhere here, both sides read each message.

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/lockfree/spsc_queue.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "bench/ring/transport.hpp"
#include "shm/doorbell.hpp"
#include "shm/segment.hpp"

namespace nuropb::bench {
namespace {

constexpr std::size_t message_bytes = 64;
using Message = char[message_bytes];

enum class Idle { sleep, sleep_in_loop, spin };

/// What an event loop waits with, and one descriptor in it. Each process creates its own.
class Loop {
 public:
  void wait(int fd) {
    epoll_event event{EPOLLIN, {}};
    if (!epoll_) {
      epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) fail("no epoll");
    }
    (void)::epoll_wait(epoll_.get(), &event, 1, -1);
  }

 private:
  shm::UniqueFd epoll_;
};

class RingRoundTrip : public Transport {
 public:
  explicit RingRoundTrip(Idle idle) : idle_(idle) {
    auto segments = shm::MeshdSegments::create(0, 1, {buffer_bytes, buffer_bytes});
    if (!segments) fail(segments.error().text().c_str());
    segments_.emplace(std::move(*segments));
    auto bells = shm::Doorbell::pair();
    if (!bells) fail(bells.error().text().c_str());
    std::tie(meshd_bell_, edge_bell_) = std::move(*bells);
  }

  void send(std::uint64_t count) override {
    auto edge =
        shm::EdgeSegments::open(shm::UniqueFd(::dup(segments_->fd_m())), shm::UniqueFd(::dup(segments_->fd_e())));
    if (!edge) fail(edge.error().text().c_str());
    auto requests = edge->requests();
    auto responses = edge->responses();
    for (std::uint64_t n = 0; n < count; ++n) {
      write(requests, edge_bell_, n);
      read(responses, edge_bell_, n);
    }
  }

  void receive(std::uint64_t count) override {
    auto requests = segments_->requests();
    auto responses = segments_->responses();
    for (std::uint64_t n = 0; n < count; ++n) {
      read(requests, meshd_bell_, n);
      write(responses, meshd_bell_, n);
    }
  }

 private:
  void write(shm::RingWriter& ring, shm::Doorbell& bell, std::uint64_t n) {
    Message message;
    stamp(message, sizeof message, n);
    if (!ring.write(1, 0, n, {{message, sizeof message}})) fail("a ring with one record is full");
    if (ring.commit() && idle_ != Idle::spin) bell.ring();
  }

  void read(shm::RingReader& ring, shm::Doorbell& bell, std::uint64_t n) {
    shm::RecordHeader header;
    Spin spin;
    while (ring.peek(header) != shm::RingReader::Next::record) {
      if (ring.poisoned()) fail("the ring is poisoned");
      if (idle_ == Idle::spin) {
        spin.wait();
      } else if (ring.prepare_sleep()) {
        if (idle_ == Idle::sleep_in_loop) {
          loop_.wait(bell.fd());
          (void)bell.hear();
        } else if (!bell.wait()) {
          fail("the other side is gone");
        }
        ring.cancel_sleep();
      }
    }
    ring.take(header, payload_);
    check(payload_.data(), payload_.size(), message_bytes, n);
    (void)ring.release();  // no one waits for room
  }

  Idle idle_;
  Loop loop_;
  std::optional<shm::MeshdSegments> segments_;
  shm::Doorbell meshd_bell_, edge_bell_;
  std::string payload_;
};

class SpscRoundTrip : public Transport {
 public:
  void send(std::uint64_t count) override {
    for (std::uint64_t n = 0; n < count; ++n) {
      push(*requests_.operator->(), n);
      pop(*responses_.operator->(), n);
    }
  }
  void receive(std::uint64_t count) override {
    for (std::uint64_t n = 0; n < count; ++n) {
      pop(*requests_.operator->(), n);
      push(*responses_.operator->(), n);
    }
  }

 private:
  struct Slot {
    Message bytes;
  };
  using Queue = boost::lockfree::spsc_queue<Slot, boost::lockfree::capacity<buffer_bytes / message_bytes>>;
  static void push(Queue& queue, std::uint64_t n) {
    Slot slot;
    stamp(slot.bytes, sizeof slot.bytes, n);
    while (!queue.push(slot)) fail("a queue with one message is full");
  }
  static void pop(Queue& queue, std::uint64_t n) {
    Slot slot;
    for (Spin spin; !queue.pop(slot);) spin.wait();
    check(slot.bytes, sizeof slot.bytes, message_bytes, n);
  }
  Shared<Queue> requests_, responses_;
};

/// A wake-up without a message: a write and a read of a counter in the kernel.
class EventFdRoundTrip : public Transport {
 public:
  explicit EventFdRoundTrip(Idle idle)
      : idle_(idle), there_(::eventfd(0, EFD_CLOEXEC)), back_(::eventfd(0, EFD_CLOEXEC)) {
    if (!there_ || !back_) fail("no eventfd");
  }
  void send(std::uint64_t count) override {
    for (std::uint64_t n = 0; n < count; ++n) {
      ring(there_.get());
      wait(back_.get());
    }
  }
  void receive(std::uint64_t count) override {
    for (std::uint64_t n = 0; n < count; ++n) {
      wait(there_.get());
      ring(back_.get());
    }
  }

 private:
  static void ring(int fd) {
    const std::uint64_t one = 1;
    if (::write(fd, &one, sizeof one) != sizeof one) fail("an eventfd can't be written");
  }
  void wait(int fd) {
    if (idle_ == Idle::sleep_in_loop) loop_.wait(fd);
    std::uint64_t times = 0;
    if (::read(fd, &times, sizeof times) != sizeof times || times != 1) fail("an eventfd has an unexpected value");
  }
  Idle idle_;
  Loop loop_;
  shm::UniqueFd there_, back_;
};

}  // namespace

std::unique_ptr<Transport> ring_round_trip_spinning(std::size_t) { return std::make_unique<RingRoundTrip>(Idle::spin); }
std::unique_ptr<Transport> ring_round_trip_sleeping(std::size_t) {
  return std::make_unique<RingRoundTrip>(Idle::sleep);
}
std::unique_ptr<Transport> spsc_round_trip(std::size_t) { return std::make_unique<SpscRoundTrip>(); }
std::unique_ptr<Transport> eventfd_round_trip(std::size_t) { return std::make_unique<EventFdRoundTrip>(Idle::sleep); }
std::unique_ptr<Transport> ring_round_trip_in_loops(std::size_t) {
  return std::make_unique<RingRoundTrip>(Idle::sleep_in_loop);
}
std::unique_ptr<Transport> eventfd_round_trip_in_loops(std::size_t) {
  return std::make_unique<EventFdRoundTrip>(Idle::sleep_in_loop);
}

}  // namespace nuropb::bench
