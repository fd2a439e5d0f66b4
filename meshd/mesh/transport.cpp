// The public interface: inboxes and thread management. The thread itself is in transport_loop.cpp.

#include "meshd/mesh/transport.hpp"

#include "meshd/mesh/transport_loop.hpp"

namespace nuropb::mesh {

/// One participant's reference to the loop that all participants of the connection share.
struct Transport::Impl {
  std::shared_ptr<TransportLoop> loop;
  TransportLoop::Participant& participant;
  TransportInbox& inbox() { return *participant.inbox; }
};

Transport::Transport(TransportSettings settings, Callbacks callbacks) {
  const ParticipantSettings first = settings;
  auto loop = std::make_shared<TransportLoop>(std::move(settings));
  TransportLoop::Participant& participant = loop->add(first, std::move(callbacks));
  impl_ = std::make_unique<Impl>(Impl{std::move(loop), participant});
}
Transport::Transport(Transport& first, ParticipantSettings settings, Callbacks callbacks)
    : impl_(std::make_unique<Impl>(
          Impl{first.impl_->loop, first.impl_->loop->add(std::move(settings), std::move(callbacks))})) {}
Transport::~Transport() { stop(milliseconds{0}); }

void Transport::start() { impl_->loop->start(); }
Result<void> Transport::wait_ready(milliseconds timeout) { return impl_->loop->wait_ready(timeout); }
void Transport::stop(milliseconds grace) { impl_->loop->stop(grace); }

bool Transport::submit(Outgoing&& message) { return impl_->inbox().push(std::move(message)); }
std::size_t Transport::submit(std::vector<Outgoing>& messages) { return impl_->inbox().push(messages); }
void Transport::ack(Delivery delivery, bool multiple) {
  impl_->inbox().settle({delivery, TransportInbox::Verdict::ack, multiple, 0});
}
void Transport::ack(const std::vector<Delivery>& deliveries) { impl_->inbox().acknowledge(deliveries); }
void Transport::reject(Delivery delivery, bool requeue) {
  impl_->inbox().settle(
      {delivery, requeue ? TransportInbox::Verdict::requeue : TransportInbox::Verdict::reject, false, 0});
}
Result<void> Transport::bind_event(std::string topic_pattern) {
  const auto news = impl_->participant.events.bind(std::move(topic_pattern));
  if (!news) return tl::unexpected(news.error());
  if (*news) impl_->inbox().poke();
  return {};
}
void Transport::unbind_event(const std::string& topic_pattern) {
  if (impl_->participant.events.unbind(topic_pattern)) impl_->inbox().poke();
}
void Transport::pause_deliveries(bool paused) { impl_->inbox().pause(paused); }
void Transport::post(std::function<void()> work) { impl_->inbox().post(std::nullopt, std::move(work)); }
void Transport::post_at(SteadyTime when, std::function<void()> work) { impl_->inbox().post(when, std::move(work)); }
Transport::Sender Transport::sender() const { return Sender(impl_->participant.inbox); }
State Transport::state() const { return impl_->loop->state(); }
std::string Transport::response_queue() const { return impl_->participant.response_queue(); }
const Refusals& Transport::refusals() const { return impl_->participant.refusals; }
std::size_t Transport::queued_bytes() const { return impl_->inbox().queued_bytes(); }

Transport::Counters Transport::counters() const { return impl_->loop->counters(impl_->participant); }

bool Transport::Sender::submit(Outgoing&& message) const { return inbox_->push(std::move(message)); }
void Transport::Sender::ack(Delivery delivery) const {
  inbox_->settle({delivery, TransportInbox::Verdict::ack, false, 0});
}
void Transport::Sender::reject(Delivery delivery, bool requeue) const {
  inbox_->settle({delivery, requeue ? TransportInbox::Verdict::requeue : TransportInbox::Verdict::reject, false, 0});
}
void Transport::Sender::post_at(SteadyTime when, std::function<void()> work) const {
  inbox_->post(when, std::move(work));
}

}  // namespace nuropb::mesh
