// The ring loop's part in pushes: records to edges, and messages to and from other gateways.

#include "common/log.hpp"
#include "meshd/attached.hpp"
#include "meshd/ring_loop.hpp"

namespace nuropb::meshd {
namespace {

constexpr auto push_tick = std::chrono::milliseconds(100);

}  // namespace

void RingLoop::each(const std::function<void(WorkerId, SessionTable&)>& work) {
  for (auto& [id, attached] : workers_) work(id, attached->worker.sessions());
}

void RingLoop::send(WorkerId worker, records::Type type, std::string payload) {
  Attached* const attached = find(worker);
  if (!attached) return;
  touch(*attached);
  if (!attached->worker.send(type, 0, std::move(payload))) {
    attached->worker.violate("does not read its messages: " + std::to_string(attached->worker.outbox_bytes()) + " bytes wait");
  }
  schedule_turn();  // which makes it visible, with all that was sent until then
}

void RingLoop::tick_soon() {
  if (push_timer_armed_) return;
  push_timer_armed_ = true;
  push_timer_.expires_after(push_tick);
  push_timer_.async_wait([this](const boost::system::error_code& error) {
    push_timer_armed_ = false;
    if (error) return;
    pushes_.tick();
    if (pushes_.waiting()) tick_soon();
  });
}

void RingLoop::start_peers() {
  peers_.on_gone = [this](const std::string& instance) { pushes_.on_peer_gone(instance); };
  if (const auto bound = manager_.subscribe(peers_.topic()); !bound) {
    log::error("other gateways of this service can't be reached", {{"topic", peers_.topic()}, {"reason", bound.error().text()}});
  }
}

bool RingLoop::publish_to_peers(const std::string& topic, std::string body, SteadyTime deadline) {
  mesh::Outgoing message;
  message.type = MessageType::event;
  message.routing_key = topic;
  // What the broker says of it must not be taken for an answer to a consumer.
  do message.correlation_id = random_hex32();
  while (ReturnAddress::parse(message.correlation_id)->instance == instance_);
  message.trace_id = message.correlation_id;
  message.body = std::move(body);
  message.deadline = deadline;
  message.expires = true;
  return manager_.publish(std::move(message));
}

}  // namespace nuropb::meshd
