#pragma once
// What all sockets of an edge may keep in its memory together (limits.memory_bytes): messages that have arrived in part or
// can't go on yet, and what waits for clients that read slowly.
//
//   set() ──► the sum is over the limit? ──► relieve(): of the user who has most, the socket that has most is closed,
//                                            until the sum is well below the limit
//
// So a client that fills the memory loses its own sockets, and the process and everybody else's sockets go on. Who has
// little costs nothing here: less than `least` is not counted. A frame that many sockets share is in memory once, so it is
// in the sum once (`shared`), but in the share of each socket that waits for it.
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
    std::size_t own = 0;     ///< in no other socket's share
    std::size_t shared = 0;  ///< in frames that other sockets may wait for, too
  };

  /// One socket. It has to be forgotten before its end.
  class Holder {
   public:
    virtual ~Holder() = default;
    /// Whose it is: the user, or the address of a client that is not known yet.
    [[nodiscard]] virtual std::string_view owner() const = 0;
    /// To close now, and to let go of what it holds; `most` is what it holds most of.
    virtual void give_way(What most) = 0;
    /// To close now: its message takes too long.
    virtual void give_up_message() = 0;

   private:
    friend MemoryBudget;
    static constexpr std::uint32_t nowhere = UINT32_MAX;
    [[nodiscard]] std::size_t own() const { return held[0].own + held[1].own; }
    [[nodiscard]] std::size_t all() const { return own() + held[0].shared + held[1].shared; }
    Bytes held[2];                  // by What
    SteadyTime since{};             // of the message that is incomplete; nothing: there is none
    std::uint32_t place = nowhere;  // in holders_
  };

  static constexpr std::size_t least = 16 * 1024;

  /// `shared`: the bytes of all frames that sockets share.
  MemoryBudget(std::size_t limit, std::function<std::size_t()> shared) : limit_(limit), shared_(std::move(shared)) {}

  /// What the socket holds now. True if the sum is over the limit: relieve() is due, once nobody walks over sockets.
  [[nodiscard]] bool set(Holder& holder, What what, Bytes bytes);
  /// The socket's message has begun, or is complete or given up.
  void begin(Holder& holder, SteadyTime now);
  void complete(Holder& holder);
  void forget(Holder& holder);
  /// Closes sockets until the sum is well below the limit. How many.
  std::size_t relieve();
  /// Sockets whose message began before this.
  [[nodiscard]] std::vector<Holder*> begun_before(SteadyTime time) const;

  /// What counts towards the limit.
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] std::size_t holders() const { return holders_.size(); }

 private:
  void leave_if_empty(Holder& holder);
  void enter(Holder& holder);
  [[nodiscard]] std::vector<Holder*> largest_first() const;

  std::size_t limit_;
  std::function<std::size_t()> shared_;
  std::size_t own_ = 0;
  std::vector<Holder*> holders_;  // that have something
};

}  // namespace nuropb::edge
