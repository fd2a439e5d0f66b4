#include "meshd/service_mesh_manager.hpp"

#include <utility>

namespace nuropb::meshd {

ServiceMeshManager::ServiceMeshManager(Participation participation, const std::string& description,
                                       std::function<void()> wake)
    : controller_(participation.own.service_name, NUROPB_VERSION, description), wake_(std::move(wake)) {
  mesh::Carrier::Callbacks callbacks;
  callbacks.on_response = [this](mesh::Incoming&& message) { bounded(inbox_.responses, std::move(message)); };
  callbacks.on_event = [this](mesh::Incoming&& message) { bounded(inbox_.events, std::move(message)); };
  callbacks.on_event_bound = [this](const std::string& pattern) {
    const std::lock_guard lock(mutex_);
    inbox_.patterns.push_back({pattern, {}});
  };
  callbacks.on_event_refused = [this](const std::string& pattern, const std::string& reason) {
    const std::lock_guard lock(mutex_);
    inbox_.patterns.push_back({pattern, reason.empty() ? "refused" : reason});
  };
  callbacks.on_report = [this](mesh::Report&& report) {
    const std::lock_guard lock(mutex_);
    inbox_.reports.push_back(std::move(report));
  };
  callbacks.on_state = [this](mesh::State state, const std::string& detail) {
    const std::lock_guard lock(mutex_);
    inbox_.states.push_back({state, detail});
  };
  callbacks.on_service_message = [this](mesh::Incoming&& message) {
    controller_.handle(*transport_, std::move(message));
  };
  callbacks.on_batch_end = [this] {
    {
      const std::lock_guard lock(mutex_);
      if (woken_) return;
      woken_ = true;
    }
    wake_();
  };
  carrier_ = make_carrier(std::move(participation), std::move(callbacks));
}

std::unique_ptr<mesh::Carrier> ServiceMeshManager::make_carrier(Participation&& participation,
                                                                mesh::Carrier::Callbacks callbacks) {
  if (participation.carrier) return participation.carrier(std::move(callbacks));
  ServiceMeshManager* const first = participation.first;
  if (participation.loopback || (first && first->loopback_)) {
    auto made = first ? std::make_unique<mesh::Loopback>(*first->loopback_, std::move(callbacks))
                      : std::make_unique<mesh::Loopback>(std::move(callbacks));
    loopback_ = made.get();
    return made;
  }
  auto made =
      first ? std::make_unique<mesh::Transport>(*first->transport_, std::move(participation.own), std::move(callbacks))
            : std::make_unique<mesh::Transport>(*participation.connection, std::move(callbacks));
  transport_ = made.get();
  return made;
}

void ServiceMeshManager::bounded(std::vector<mesh::Incoming>& to, mesh::Incoming&& message) {
  const std::lock_guard lock(mutex_);
  inbox_bytes_ += message.body.size();
  to.push_back(std::move(message));
  if (inbox_bytes_ > inbox_high && !paused_) {
    paused_ = true;
    carrier_->pause_deliveries(true);
  }
}

void ServiceMeshManager::publish(std::vector<mesh::Outgoing>& messages) {
  const std::size_t taken = carrier_->submit(messages);
  messages.erase(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(taken));
}

void ServiceMeshManager::Events::clear() {
  constexpr std::size_t usual = 256;
  const auto emptied = [](auto& part) {
    part.clear();
    if (part.capacity() > usual) part.shrink_to_fit();
  };
  emptied(responses);
  emptied(reports);
  emptied(states);
  emptied(events);
  emptied(patterns);
}

void ServiceMeshManager::take_events(Events& events) {
  bool resume = false;
  {
    const std::lock_guard lock(mutex_);
    std::swap(events, inbox_);
    inbox_bytes_ = 0;
    woken_ = false;
    resume = std::exchange(paused_, false);
  }
  if (resume) carrier_->pause_deliveries(false);
}

void ServiceMeshManager::acknowledge() {
  carrier_->ack(delivered_);
  delivered_.clear();
}

}  // namespace nuropb::meshd
