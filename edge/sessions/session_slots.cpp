#include "edge/sessions/session_slots.hpp"

#include "edge/link/mesh_link.hpp"
#include "edge/sessions/consumer_handler.hpp"

namespace nuropb::edge {

records::SessionRef SessionSlots::reserve() {
  std::uint32_t slot = static_cast<std::uint32_t>(handlers_.size());
  if (free_.empty()) {
    handlers_.push_back(nullptr);
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  return {slot, ++next_serial_};
}

void SessionSlots::put(ConsumerHandler& handler) {
  handlers_[handler.slot()] = &handler;
  link_.set(shm::EdgeCounter::sessions, ++connections_);
}

void SessionSlots::vacate(const ConsumerHandler& handler) {
  handlers_[handler.slot()] = nullptr;
  link_.set(shm::EdgeCounter::sessions, --connections_);
}

ConsumerHandler* SessionSlots::find(records::SessionRef ref) const {
  ConsumerHandler* const handler = find(ref.session);
  return handler && handler->serial() == ref.serial ? handler : nullptr;
}

ConsumerHandler* SessionSlots::find_established(records::SessionRef ref) const {
  ConsumerHandler* const handler = find(ref);
  if (!handler) return nullptr;
  const Handler* const registered = managers_[index_of(handler->identity())].get_handler(handler->session_id());
  return registered == handler ? handler : nullptr;
}

std::size_t SessionSlots::sessions() const {
  std::size_t out = 0;
  for (const HandlerManager& manager : managers_) out += manager.sessions();
  return out;
}

}  // namespace nuropb::edge
