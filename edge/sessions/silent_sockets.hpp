#pragma once
// Sockets that have presented no token yet (auth.first_message). Their number is limited (auth.first_message_waiting): if all
// places are taken, the address that has most of them loses its oldest one to a client of another address, so one
// address can't lock out the others.
//
// Owner thread: the edge's io_context.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_set>

namespace nuropb::edge {

class ConsumerHandler;
class SocketLimits;

class SilentSockets {
 public:
  /// `most`: how many there may be.
  SilentSockets(std::size_t most, SocketLimits& limits) : most_(most), limits_(limits) {}

  void add(ConsumerHandler& handler) { sockets_.insert(&handler); }
  /// It has presented a token, or is closing.
  void remove(ConsumerHandler& handler) { sockets_.erase(&handler); }

  /// Whether a socket of this peer may be added. It may close another one for that.
  [[nodiscard]] bool make_room(std::string_view peer);
  /// Sockets that were closed to make room.
  [[nodiscard]] std::uint64_t gave_way() const { return gave_way_; }

 private:
  std::size_t most_;
  SocketLimits& limits_;
  std::unordered_set<ConsumerHandler*> sockets_;
  std::uint64_t gave_way_ = 0;
};

}  // namespace nuropb::edge
