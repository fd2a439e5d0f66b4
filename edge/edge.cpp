// meshd's side of the edge, its clock, and its end. The consumers' side is in edge_consumers.cpp.

#include "edge/edge.hpp"

#include <algorithm>

#include "common/close_codes.hpp"
#include "common/error_names.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"

namespace nuropb::edge {
namespace {

constexpr auto drain_look = std::chrono::milliseconds(20);
constexpr auto vanished_look = std::chrono::seconds(1);
constexpr auto close_grace = std::chrono::milliseconds(1500);

}  // namespace

Edge::Edge(const Config& config, std::string control_socket)
    : config_(config), signals_(io_, SIGTERM, SIGINT), timer_(io_), drain_timer_(io_),
      link_(io_, std::move(control_socket), config.limits.message_bytes,
            {.on_attached = [this] { on_attached(); },
             .on_lost = [this] { on_lost(); },
             .on_record = [this](const shm::RecordHeader& header, const std::string& payload) { on_record(header, payload); },
             .on_batch_end = nullptr,
             .on_change = [this] { close_waiting(); present_waiting(); subscribe_waiting(); resume_held(); }}) {
  WebSocketListener::Settings settings;
  settings.address = config.listen.address;
  settings.port = config.listen.port;
  settings.backlog = config.listen.backlog;
  settings.max_message = config.limits.message_bytes;
  settings.handshake_ms = config.limits.handshake_ms;
  listener_ = std::make_unique<WebSocketListener>(
      io_, settings,
      WebSocketListener::Callbacks{
          [this](const Handshake& handshake, HttpAnswer& refusal) { return admit(handshake, refusal); },
          [this](Connection& connection, const Handshake& handshake) { return on_open(connection, handshake); },
          [this](const Handshake& handshake) { return on_http(handshake); }});
}

Edge::~Edge() = default;

Result<void> Edge::start() {
  if (const std::string wrong = listener_->listen(); !wrong.empty()) return failure(wrong, "", "");
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (!error) on_signal();
  });
  link_.start();
  return {};
}

int Edge::run() {
  io_.run();
  return 0;
}

void Edge::on_record(const shm::RecordHeader& header, const std::string& payload) {
  using records::Type;
  switch (static_cast<Type>(header.type)) {
    case Type::response:
      if (const auto record = records::decode<records::Response>(payload)) on_response(header, *record);
      break;
    case Type::session_accepted:
      if (const auto record = records::decode<records::SessionAccepted>(payload)) {
        WebSocketHandler* const handler = find(record->session);
        if (handler && handler->serial() == record->serial) handler->accepted(record->user_id, record->username, record->ticket);
      }
      break;
    case Type::session_refused:
      if (const auto record = records::decode<records::SessionRefused>(payload)) end_session(record->session, record->serial, record->code, record->reason);
      break;
    case Type::end_session:
      if (const auto record = records::decode<records::EndSession>(payload)) end_session(record->session, record->serial, record->code, record->reason);
      break;
    case Type::session_notice:
      if (const auto record = records::decode<records::SessionNotice>(payload)) {
        WebSocketHandler* const handler = find(record->session);
        if (handler && handler->serial() == record->serial) handler->write_message(record->text);
      }
      break;
    case Type::mesh_event:
      if (const auto record = records::decode<records::MeshEvent>(payload)) on_mesh_event(*record);
      break;
    case Type::subscription_ended:
      if (const auto record = records::decode<records::SubscriptionEnded>(payload)) on_subscription_ended(*record);
      break;
    default: break;  // MeshLink has let only known types through
  }
}

void Edge::on_response(const shm::RecordHeader& header, const records::Response& record) {
  const auto asked = pending_.take(header.sequence);
  WebSocketHandler* const handler = asked ? find(asked->session) : nullptr;
  if (!handler || asked->session != record.session) {
    // The second answer of a service that sends two, or one that came after its deadline: nobody waits for it.
    link_.count(shm::EdgeCounter::late_responses);
    return;
  }
  if (!asked->topic.empty() && record.error == "null") subscribed(*handler, asked->topic);
  if (asked->trace_id.empty()) {
    if (!asked->topic.empty() && record.error != "null") subscription_lost(*handler, asked->topic, record.error);
    return;
  }
  link_.count(shm::EdgeCounter::responses);
  answer(*handler, asked->trace_id, record.result, record.error);
}

bool Edge::may_request() const {
  return link_.attached() && !link_.full() && link_.broker() == shm::BrokerState::ready && !draining_;
}

void Edge::on_attached() {
  for (WebSocketHandler* handler : handlers_) {
    if (handler && handler->state() != WebSocketHandler::State::closing && handler->state() != WebSocketHandler::State::silent) present(*handler);
  }
}

void Edge::on_lost() {
  to_present_.clear();
  to_subscribe_.clear();
  close_waiting();  // there is nobody to tell: the slots are free
  // What was handed over may have been published or not, and nobody is left to say (design rule 1).
  const std::string error = unknown_outcome_json("the gateway's connection to the mesh was lost; the request may have run");
  pending_.take_all([&](const PendingRequests::Taken& taken) {
    if (WebSocketHandler* const handler = find(taken.session)) end_pending(*handler, taken, error);
  });
  for (WebSocketHandler* handler : handlers_) {
    if (handler) handler->present_again();
  }
}

void Edge::present_waiting() {
  while (!to_present_.empty() && link_.attached() && !link_.full()) {
    WebSocketHandler* const handler = to_present_.front();
    to_present_.pop_front();
    present(*handler);
  }
}

void Edge::resume_held() {
  std::vector<WebSocketHandler*> waiting(held_.begin(), held_.end());
  held_.clear();
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    if (!may_request()) {
      held_.insert(waiting.begin() + static_cast<std::ptrdiff_t>(i), waiting.end());
      return;
    }
    waiting[i]->resume();
  }
}

void Edge::arm_timer() {
  if (timer_armed_) return;
  if (pending_.size() == 0 && verdicts_.empty() && first_messages_.empty() && held_.empty()) return;  // nothing to watch: an idle edge sleeps
  timer_armed_ = true;
  timer_.expires_after(PendingRequests::tick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    timer_armed_ = false;
    if (!error) on_timer();
  });
}

void Edge::on_timer() {
  const auto now = clock_.now();
  pending_.expire(now, [&](const PendingRequests::Taken& taken) {
    if (WebSocketHandler* const handler = find(taken.session)) expire(*handler, taken);
  });
  expire_held(now);
  while (!verdicts_.empty() && verdicts_.front().first <= now) {
    const auto [slot, serial] = verdicts_.front().second;
    verdicts_.pop_front();
    WebSocketHandler* const handler = find(slot);
    if (handler && handler->serial() == serial && handler->state() == WebSocketHandler::State::judging) {
      handler->close(close_code::mesh_unavailable, "no verdict on the token in time");
    }
  }
  while (!first_messages_.empty() && first_messages_.front().first <= now) {
    const auto [slot, serial] = first_messages_.front().second;
    first_messages_.pop_front();
    WebSocketHandler* const handler = find(slot);
    if (handler && handler->serial() == serial && handler->state() == WebSocketHandler::State::silent) {
      handler->close(close_code::authorize_timeout, "no authorize message in time");
    }
  }
  arm_timer();
}

void Edge::expire_held(SteadyTime now) {
  if (held_.empty()) return;
  std::vector<WebSocketHandler*> due;
  for (WebSocketHandler* handler : held_) {
    if (handler->held_until() <= now) due.push_back(handler);
  }
  for (WebSocketHandler* handler : due) {
    held_.erase(handler);
    handler->resume();
  }
  if (next_look_ <= now) {
    next_look_ = now + vanished_look;
    drop_vanished();
  }
}

void Edge::drop_vanished() {
  // Nobody reads from a socket that is held back, so its end would be seen only after the broker's return: until then
  // consumers that give up and come again would fill the limit of connections.
  std::vector<WebSocketHandler*> gone;
  for (WebSocketHandler* handler : held_) {
    if (handler->peer_gone()) gone.push_back(handler);
  }
  for (WebSocketHandler* handler : gone) handler->close(close_code::going_away, "");
}

void Edge::on_signal() {
  draining_ = true;
  drain_until_ = clock_.now() + milliseconds(config_.drain.limit_ms);
  listener_->stop();
  log::info("draining", {{"sessions", manager_.sessions()}, {"pending", pending_.size()}});
  look_whether_drained();
}

void Edge::look_whether_drained() {
  if (finishing_ ? connections_ == 0 || clock_.now() >= drain_until_ : pending_.size() == 0 || clock_.now() >= drain_until_) {
    if (finishing_) return io_.stop();
    finish();
  }
  drain_timer_.expires_after(drain_look);
  drain_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) look_whether_drained();
  });
}

void Edge::finish() {
  finishing_ = true;
  drain_until_ = clock_.now() + close_grace;
  if (pending_.size() > 0) {
    log::warning("drain limit reached", {{"pending", pending_.size()}});
    const std::string error = unknown_outcome_json("the gateway is stopping; the request may have run");
    pending_.take_all([&](const PendingRequests::Taken& taken) {
      if (WebSocketHandler* const handler = find(taken.session)) end_pending(*handler, taken, error);
    });
  }
  const std::vector<WebSocketHandler*> all = handlers_;
  for (WebSocketHandler* handler : all) {
    if (!handler) continue;
    handler->resume();  // what was held back is refused, not lost: finishing_ is set
    handler->close(close_code::going_away, "the gateway is stopping");
  }
}

}  // namespace nuropb::edge
