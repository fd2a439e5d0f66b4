// Our ring in real segments with a real doorbell: the edge's side sends, meshd's side receives.

#include <unistd.h>

#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bench/ring/transport.hpp"
#include "shm/doorbell.hpp"
#include "shm/segment.hpp"

namespace nuropb::bench {
namespace {

enum class Idle { sleep, spin, spin_then_sleep };
constexpr int spins_before_sleep = 256;  // about 40 ns each

class RingTransport : public Transport {
 public:
  RingTransport(std::size_t size, unsigned batch, Idle idle) : size_(size), batch_(batch), idle_(idle) {
    auto segments = shm::MeshdSegments::create(0, 1, {buffer_bytes, shm::min_capacity});
    if (!segments) fail(segments.error().text().c_str());
    segments_.emplace(std::move(*segments));
    auto bells = shm::Doorbell::pair();
    if (!bells) fail(bells.error().text().c_str());
    std::tie(receiver_bell_, sender_bell_) = std::move(*bells);
  }

  void send(std::uint64_t count) override {
    auto edge =
        shm::EdgeSegments::open(shm::UniqueFd(::dup(segments_->fd_m())), shm::UniqueFd(::dup(segments_->fd_e())));
    if (!edge) fail(edge.error().text().c_str());
    auto ring = edge->requests();
    std::vector<char> message(size_);
    Spin spin;
    for (std::uint64_t n = 0; n < count;) {
      stamp(message.data(), size_, n);
      if (ring.write(1, 0, n, {{message.data(), size_}})) {
        if (++n % batch_ == 0) publish(ring);
        spun_ = 0;
        continue;
      }
      publish(ring);
      if (keeps_spinning(spin)) continue;
      if (ring.await_space(size_)) sleep_on(sender_bell_);
    }
    publish(ring);
  }

  void receive(std::uint64_t count) override {
    auto ring = segments_->requests();
    shm::RecordHeader header;
    std::string payload;
    Spin spin;
    for (std::uint64_t n = 0; n < count;) {
      // Like meshd's turn: reads what is available, up to a budget, then releases the room.
      unsigned taken = 0;
      for (; taken < 256 && n < count && ring.peek(header) == shm::RingReader::Next::record; ++taken, ++n) {
        ring.take(header, payload);
        check(payload.data(), payload.size(), size_, n);
      }
      if (ring.poisoned()) fail("the ring is poisoned");
      if (ring.release() && idle_ != Idle::spin) receiver_bell_.ring();
      if (taken > 0) {
        spun_ = 0;
        continue;
      }
      if (keeps_spinning(spin)) continue;
      if (ring.prepare_sleep()) {
        sleep_on(receiver_bell_);
        ring.cancel_sleep();
      }
    }
  }

 private:
  void publish(shm::RingWriter& ring) {
    if (ring.commit() && idle_ != Idle::spin) sender_bell_.ring();
  }
  bool keeps_spinning(Spin& spin) {
    if (idle_ == Idle::sleep) return false;
    if (idle_ == Idle::spin_then_sleep) {
      if (++spun_ > spins_before_sleep) {
        spun_ = 0;
        return false;
      }
      __builtin_ia32_pause();
      return true;
    }
    spin.wait();
    return true;
  }
  static void sleep_on(shm::Doorbell& bell) {
    if (!bell.wait()) fail("the other side is gone");
  }

  std::size_t size_;
  unsigned batch_;
  Idle idle_;
  int spun_ = 0;  // each of the two processes has its own copy
  std::optional<shm::MeshdSegments> segments_;
  shm::Doorbell receiver_bell_, sender_bell_;
};

}  // namespace

std::unique_ptr<Transport> ring_in_batches(std::size_t size) {
  return std::make_unique<RingTransport>(size, 16, Idle::spin_then_sleep);
}
std::unique_ptr<Transport> ring_one_by_one(std::size_t size) {
  return std::make_unique<RingTransport>(size, 1, Idle::spin_then_sleep);
}
std::unique_ptr<Transport> ring_spinning(std::size_t size) {
  return std::make_unique<RingTransport>(size, 1, Idle::spin);
}

}  // namespace nuropb::bench
