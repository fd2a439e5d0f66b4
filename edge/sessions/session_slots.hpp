#pragma once
// The sockets of an edge by slot, and its sessions by HandlerManager.
//
//   reserve() ─► put(): the handler has the slot ─► vacate(): it has closed ─► release(): meshd knows, the slot is free
//
// A slot and a serial name one socket for as long as the edge lives: slots are used again, serials are not. Handlers are
// owned by their connections. Owner thread: the edge's io_context.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/handler_kinds.hpp"
#include "common/records.hpp"
#include "edge/sessions/handler_manager.hpp"

namespace nuropb::edge {

class ConsumerHandler;
class MeshLink;

class SessionSlots {
 public:
  explicit SessionSlots(MeshLink& link) : link_(link) {}

  /// A free slot, and a new serial.
  [[nodiscard]] records::SessionRef reserve();
  void put(ConsumerHandler& handler);
  /// The socket has closed. Its slot is not free yet: meshd may still send to it.
  void vacate(const ConsumerHandler& handler);
  void release(std::uint32_t slot) { free_.push_back(slot); }

  /// nullptr if there is none.
  [[nodiscard]] ConsumerHandler* find(std::uint32_t slot) const {
    return slot < handlers_.size() ? handlers_[slot] : nullptr;
  }
  [[nodiscard]] ConsumerHandler* find(records::SessionRef ref) const;
  /// The same of an established session: it has had its hello, and is not closing.
  [[nodiscard]] ConsumerHandler* find_established(records::SessionRef ref) const;
  /// By slot; nullptr where a slot is free.
  [[nodiscard]] const std::vector<ConsumerHandler*>& all() const { return handlers_; }

  /// The sessions of one mesh identity.
  HandlerManager& manager(HandlerKind identity) { return managers_[index_of(identity)]; }
  /// Established sessions, of all identities.
  [[nodiscard]] std::size_t sessions() const;
  /// Open sockets.
  [[nodiscard]] std::size_t connections() const { return connections_; }

 private:
  MeshLink& link_;
  std::vector<ConsumerHandler*> handlers_;
  std::vector<std::uint32_t> free_;
  std::size_t connections_ = 0;
  std::uint32_t next_serial_ = 0;
  std::array<HandlerManager, handler_kinds> managers_;
};

}  // namespace nuropb::edge
