// Alternatives to the ring between edge and meshd. None of these three survives a hostile peer, and the first two do
// not support records of different sizes.

#include <sys/socket.h>
#include <unistd.h>

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/ring/transport.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::bench {
namespace {

template <std::size_t size>
struct Slot {
  char bytes[size];
};

template <std::size_t size>
class SpscQueue : public Transport {
 public:
  void send(std::uint64_t count) override {
    Slot<size> message{};
    Spin spin;
    for (std::uint64_t n = 0; n < count; ++n) {
      stamp(message.bytes, size, n);
      while (!queue_->push(message)) spin.wait();
    }
  }
  void receive(std::uint64_t count) override {
    Slot<size> message;
    Spin spin;
    for (std::uint64_t n = 0; n < count; ++n) {
      while (!queue_->pop(message)) spin.wait();
      check(message.bytes, size, size, n);
    }
  }

 private:
  // With a capacity fixed at compile time its slots are stored inside the object and not behind a pointer.
  Shared<boost::lockfree::spsc_queue<Slot<size>, boost::lockfree::capacity<buffer_bytes / size>>> queue_;
};

class MessageQueue : public Transport {
 public:
  explicit MessageQueue(std::size_t size) : size_(size) {
    namespace bip = boost::interprocess;
    const std::string name = "nuropb-bench-" + std::to_string(::getpid());
    bip::message_queue::remove(name.c_str());
    queue_.emplace(bip::create_only, name.c_str(), buffer_bytes / size, size);
    bip::message_queue::remove(name.c_str());  // the mapping is sufficient, and is removed with the last process
  }
  void send(std::uint64_t count) override {
    std::vector<char> message(size_);
    for (std::uint64_t n = 0; n < count; ++n) {
      stamp(message.data(), size_, n);
      queue_->send(message.data(), size_, 0);
    }
  }
  void receive(std::uint64_t count) override {
    std::vector<char> message(size_);
    for (std::uint64_t n = 0; n < count; ++n) {
      boost::interprocess::message_queue::size_type got = 0;
      unsigned priority = 0;
      queue_->receive(message.data(), size_, got, priority);
      check(message.data(), got, size_, n);
    }
  }

 private:
  std::size_t size_;
  std::optional<boost::interprocess::message_queue> queue_;
};

class SeqPacket : public Transport {
 public:
  explicit SeqPacket(std::size_t size) : size_(size) {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) fail("no socket pair");
    receiver_.reset(fds[0]);
    sender_.reset(fds[1]);
  }
  void send(std::uint64_t count) override {
    std::vector<char> message(size_);
    for (std::uint64_t n = 0; n < count; ++n) {
      stamp(message.data(), size_, n);
      if (::send(sender_.get(), message.data(), size_, MSG_NOSIGNAL) != static_cast<ssize_t>(size_))
        fail("send failed");
    }
  }
  void receive(std::uint64_t count) override {
    std::vector<char> message(size_);
    for (std::uint64_t n = 0; n < count; ++n) {
      const ssize_t got = ::recv(receiver_.get(), message.data(), size_, 0);
      if (got < 0) fail("recv failed");
      check(message.data(), static_cast<std::size_t>(got), size_, n);
    }
  }

 private:
  std::size_t size_;
  shm::UniqueFd receiver_, sender_;
};

}  // namespace

std::unique_ptr<Transport> spsc_queue(std::size_t size) {
  if (size == 64) return std::make_unique<SpscQueue<64>>();
  if (size == 256) return std::make_unique<SpscQueue<256>>();
  fail("spsc_queue is compiled for 64 and 256 bytes");
}
std::unique_ptr<Transport> message_queue(std::size_t size) { return std::make_unique<MessageQueue>(size); }
std::unique_ptr<Transport> seqpacket(std::size_t size) { return std::make_unique<SeqPacket>(size); }

}  // namespace nuropb::bench
