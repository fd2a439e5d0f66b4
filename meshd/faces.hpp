#pragma once
// The gateway's participants on the mesh (face.hpp), one for each kind of handlers that the config opens. The face of the
// WebSockets is always open, and serves all that belongs to the gateway as a whole, too: Snorky, backends, authorization by a
// service, and the acknowledgements of the one connection.
//
// Owner thread: the event loop. Clear it before anything that the faces' callbacks use ends: their thread wakes the loop.

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "common/handler_kinds.hpp"
#include "meshd/face.hpp"
#include "meshd/session_table.hpp"

namespace nuropb::meshd {

class Faces {
 public:
  /// Once for each kind; the WebSockets' first.
  void open(std::unique_ptr<Face> face) {
    const std::size_t at = index_of(face->kind);
    faces_[at] = std::move(face);
  }
  /// The face whose connection the others share; nullptr until it is open.
  [[nodiscard]] Face* first() const { return faces_.front().get(); }

  /// nullptr: the config does not open that kind.
  [[nodiscard]] Face* find(HandlerKind kind) const { return faces_[index_of(kind)].get(); }
  [[nodiscard]] Face& of(const Session& session) const { return *faces_[index_of(session.handler)]; }
  [[nodiscard]] Face& web() const { return *faces_.front(); }
  template <class Work>
  void each(Work&& work) const {
    for (const auto& face : faces_) {
      if (face) work(*face);
    }
  }

  [[nodiscard]] ReturnAddress address(WorkerId worker, std::uint32_t slot, const Session& session) const {
    return of(session).address(worker, slot);
  }

  /// Hands to the transport what it has room for.
  void publish_waiting() const {
    each([](Face& face) {
      if (!face.outgoing.empty()) face.manager.publish(face.outgoing);
    });
  }
  /// Whether something waits for room in the transport.
  [[nodiscard]] bool outgoing() const {
    return std::any_of(faces_.begin(), faces_.end(), [](const auto& face) { return face && !face->outgoing.empty(); });
  }

  /// The response lies in its worker's return ring, or no client waits for it any more. acknowledge() tells the broker.
  void delivered(const ServiceMeshManager::Receipt& receipt) const { web().manager.delivered(receipt); }
  void acknowledge() const { web().manager.acknowledge(); }

 private:
  std::array<std::unique_ptr<Face>, handler_kinds> faces_;
};

}  // namespace nuropb::meshd
