#pragma once
// Responses that arrive before their edge does. After a restart of meshd the broker delivers what came while there was no meshd,
// and that may be here before the edges of the former meshd have found the new one. Such a response is held for a few seconds, and
// is not acknowledged meanwhile: should meshd die, too, its successor gets it again.
//
//   hold() ──► release(), when its edge attaches
//          └─► expire(), when no edge came in time
//
// Bounded in bytes. Owner thread: the event loop.

#include <functional>
#include <utility>
#include <vector>

#include "common/clock.hpp"
#include "meshd/sealed_tickets.hpp"
#include "meshd/service_mesh_manager.hpp"
#include "meshd/translate.hpp"

namespace nuropb::meshd {

class EarlyResponses {
 public:
  using Receipt = ServiceMeshManager::Receipt;
  static constexpr std::size_t most_bytes = 32U << 20;
  /// Edges look for a new meshd every 50 ms.
  static constexpr auto wait = std::chrono::seconds(3);

  explicit EarlyResponses(const Clock& clock) : clock_(clock) {}

  /// The broker is ready: the time for edges to come begins, the first time that it is.
  void broker_ready();
  /// False if it is not held, since there is no room or the time is over. `response` is moved from only if it is held.
  [[nodiscard]] bool hold(Returned& response, const Receipt& receipt);
  /// This worker has attached: `deliver` gets its responses. `drop` gets the receipts of those that can't be held any longer.
  void release(WorkerId worker, const std::function<void(Returned&&, const Receipt&)>& deliver,
               const std::function<void(const Receipt&)>& drop);
  /// Now and then: `drop` gets the receipts of all of them once the time is over. True if there were any.
  bool expire(const std::function<void(const Receipt&)>& drop);

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  const Clock& clock_;
  std::vector<std::pair<Returned, Receipt>> held_;
  std::size_t bytes_ = 0;
  SteadyTime until_ = SteadyTime::max();  // set once a response can come
};

}  // namespace nuropb::meshd
