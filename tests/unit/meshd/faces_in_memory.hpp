#pragma once
// The gateway's WebSocket face without a mesh, for tests of one class of meshd: what it publishes is kept, and pushes go nowhere.

#include <memory>
#include <string>
#include <utility>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "meshd/faces.hpp"
#include "tests/unit/meshd/stepped_loopback.hpp"

namespace nuropb::meshd {

class FacesInMemory {
 public:
  FacesInMemory(const Config& config, const Clock& clock) {
    const auto keys = mesh::RequestKeys::random();
    const AddressSeal::Key address_key{};
    const mesh::TransportSettings transport;
    const mesh::Carrier::Factory carrier = [this](mesh::Carrier::Callbacks callbacks) {
      auto made = std::make_unique<SteppedLoopback>(nullptr, std::move(callbacks));
      mesh_ = made.get();
      return made;
    };
    for (const MeshIdentity& identity : identities(config, "0123456789abcdef0123456789abcdef")) {
      all.open(std::make_unique<Face>(
          identity, Face::Parts{config, clock, edges_, keys, address_key, transport, carrier, all.first(), nullptr,
                                [this]() -> const Policy& { return policy_; }, [](const std::function<void()>&) {},
                                [](Face&) {}}));
      break;  // the WebSockets' alone
    }
  }
  SteppedLoopback& mesh() { return *mesh_; }

 private:
  struct NoEdges final : Pushes::Edges {
    void each(const std::function<void(WorkerId, SessionTable&)>&) override {}
    void send(WorkerId, records::Type, std::string) override {}
    void tick_soon() override {}
  };
  NoEdges edges_;
  Policy policy_;
  SteppedLoopback* mesh_ = nullptr;

 public:
  Faces all;
};

}  // namespace nuropb::meshd
