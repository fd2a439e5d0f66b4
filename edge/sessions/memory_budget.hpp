#pragma once
// Limits the memory of all sockets of an edge (limits.memory_bytes): messages that are incomplete or have to wait, and
// data that is queued for slow readers.
//
//   set() ──► the sum is over the limit? ──► relieve(): the largest socket of the user with the most bytes is closed,
//                                            until the sum is well below the limit
//
// So a client that fills the memory loses its own sockets, and the process and all other sockets continue. Amounts
// below `least` are not counted. A frame that several sockets share is in memory once, so it is counted once in the sum
// (`shared`), but in the share of each socket that queues it.
//
// Owner thread: the edge's io_context.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"

namespace nuropb::edge {

class MemoryBudget {
 public:
  enum class What : std::uint8_t { incoming, outgoing };
  struct Bytes {
    std::size_t own = 0;     ///< not shared with other sockets
    std::size_t shared = 0;  ///< in frames that other sockets may queue, too
  };

  /// One socket. forget() must be called before it is destroyed.
  class Holder {
   public:
    virtual ~Holder() = default;
    /// The owner: the user, or the address of a client that is not authenticated yet.
    [[nodiscard]] virtual std::string_view owner() const = 0;
    /// Close now and release memory; `most` is the kind that it holds most of.
    virtual void give_way(What most) = 0;
    /// Close now: its message takes too long.
    virtual void give_up_message() = 0;

   private:
    friend MemoryBudget;
    static constexpr std::uint32_t nowhere = UINT32_MAX;
    [[nodiscard]] std::size_t own() const { return held[0].own + held[1].own; }
    [[nodiscard]] std::size_t all() const { return own() + held[0].shared + held[1].shared; }
    Bytes held[2];                  // indexed by What
    SteadyTime since{};             // start of the incomplete message; zero: there is none
    std::uint32_t place = nowhere;  // index in holders_
  };

  static constexpr std::size_t least = 16 * 1024;

  /// `shared` returns the bytes of all frames that sockets share.
  MemoryBudget(std::size_t limit, std::function<std::size_t()> shared) : limit_(limit), shared_(std::move(shared)) {}

  /// Sets what the socket holds now. Returns true if the sum is over the limit: relieve() has to be called once no loop
  /// over sockets is active.
  [[nodiscard]] bool set(Holder& holder, What what, Bytes bytes);
  /// The socket's message has begun, or was completed or given up.
  void begin(Holder& holder, SteadyTime now);
  void complete(Holder& holder);
  void forget(Holder& holder);
  /// Closes sockets until the sum is well below the limit. Returns their number.
  std::size_t relieve();
  /// Sockets whose incomplete message began before this time.
  [[nodiscard]] std::vector<Holder*> begun_before(SteadyTime time) const;

  /// The sum that counts towards the limit.
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] std::size_t holders() const { return holders_.size(); }

 private:
  void leave_if_empty(Holder& holder);
  void enter(Holder& holder);
  [[nodiscard]] std::vector<Holder*> largest_first() const;

  std::size_t limit_;
  std::function<std::size_t()> shared_;
  std::size_t own_ = 0;
  std::vector<Holder*> holders_;  // sockets with a share
};

}  // namespace nuropb::edge
