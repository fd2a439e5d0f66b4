#pragma once
// Whether the broker can be reached: what the transport said last, and the word for it that edges read in shared memory.
// Owner thread: the event loop.

#include "meshd/mesh/transport.hpp"
#include "shm/segment.hpp"

namespace nuropb::meshd {

class BrokerStatus {
 public:
  void set(mesh::State state) { state_ = state; }
  [[nodiscard]] mesh::State state() const { return state_; }
  [[nodiscard]] bool ready() const { return state_ == mesh::State::ready; }
  [[nodiscard]] shm::BrokerState word() const { return word_for(state_); }

  [[nodiscard]] static shm::BrokerState word_for(mesh::State state) {
    switch (state) {
      case mesh::State::ready: return shm::BrokerState::ready;
      case mesh::State::blocked: return shm::BrokerState::blocked;
      case mesh::State::connecting:
      case mesh::State::away:
      case mesh::State::stopped: break;
    }
    return shm::BrokerState::away;
  }

 private:
  mesh::State state_ = mesh::State::connecting;
};

}  // namespace nuropb::meshd
