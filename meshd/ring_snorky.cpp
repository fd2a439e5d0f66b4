// The ring loop's part in Snorky: calls of consumers and of backends on their way to the hub, and what comes back.

#include "common/log.hpp"
#include "meshd/attached.hpp"
#include "meshd/ring_loop.hpp"
#include "meshd/snorky/gateway_service.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::string_view peer_kind = "snorky";

}  // namespace

/// How services reach sockets and the other gateways.
class RingLoop::SnorkyOutlet final : public snorky::Outlet {
 public:
  explicit SnorkyOutlet(RingLoop& loop) : loop_(loop) {}

  bool notify(const snorky::Sessions& to, std::string_view frame) override {
    if (frame.size() > loop_.config_.limits.message_bytes) return false;
    std::vector<Pushes::Place> places;
    places.reserve(to.size());
    for (const snorky::SessionRef& one : to) places.push_back({one.worker, {one.slot, one.serial}});
    loop_.web().pushes.send_to(places, frame, true);
    return true;
  }
  void tell_peers(std::string_view service, std::string_view body) override {
    // Whether the others hear of it is the broker's affair: who is here has it already.
    (void)loop_.web().peers.tell(peer_kind, snorky::Hub::encode_peer(service, body));
  }

 private:
  RingLoop& loop_;
};

void RingLoop::start_snorky(std::optional<snorky::Hub::Parts> parts) {
  if (!parts) return;
  snorky_outlet_ = std::make_unique<SnorkyOutlet>(*this);
  snorky_ = std::make_unique<snorky::Hub>(std::move(*parts), *snorky_outlet_);
  snorky_->add_backend(std::make_unique<snorky::GatewayService>(web().pushes));
  web().peers.on(std::string(peer_kind), [this](const std::string&, std::string_view json) { snorky_->on_peer(json); });
}

/// Nobody in particular may call Snorky's services, and nothing else.
bool RingLoop::takes_anonymous() const { return snorky_ && !config_.snorky.path.empty() && config_.snorky.anonymous; }

Policy::Session RingLoop::policy_of(const Identity& identity) const {
  return identity.user_id.empty() ? Policy::Session() : policy_.for_identity(identity);
}

bool RingLoop::snorky_record(Attached& attached, const shm::RecordHeader& header, const std::string& payload) {
  Worker& worker = attached.worker;
  const auto impossible = [&](const char* why) {
    worker.violate("record type " + std::to_string(header.type) + ": " + why);
    return false;
  };
  worker.settle(worker.begin_work());
  const auto record = records::decode<records::SnorkyCall>(payload);
  if (!record) return impossible("can't be decoded");
  Session* const session = worker.sessions().find(record->session, record->serial);
  if (!session) return impossible("of a session that is not open");
  switch (allowed(records::Type::snorky_call, session->state)) {
    case Verb::snorky: break;
    case Verb::ignore: return true;
    default: return impossible("not allowed in this state of the session");
  }
  if (!snorky_ || config_.snorky.path.empty()) return impossible("there is no /ws (snorky.path)");
  const snorky::SessionRef from{worker.id(), record->session, record->serial};
  if (const auto why = over_user_rates(attached, record->session, *session, header.length, record->restoring)) {
    std::string out;
    records::encode(
        records::SnorkyAnswer{from.slot,
                              from.serial,
                              {},
                              {},
                              snorky::encode_answer(record->service, record->call_id, snorky::Outcome::failed(*why))},
        out);
    send_to_worker(from.worker, records::Type::snorky_answer, header.sequence, std::move(out));
    return true;
  }
  const ReturnAddress address = face(*session).address(worker.id(), record->session, header.sequence);
  if (traced() && !record->restoring) {
    (void)begin_span(records::Type::snorky_call, record->service, record->command, *session, address, record->call_id,
                     record->origin, to_ring_ms(moment_ + milliseconds(config_.request.ttl_ms)));
  }
  const bool honest = snorky_->consumer_call(
      *record, {from, std::string(session->identity.user_id()), &session->policy, {}},
      [this, from, address, sequence = header.sequence](const snorky::ConsumerAnswer& answer) {
        if (spans_) spans_->end(address, RequestOutcome::ok, {}, latency::to_us(clock_.now()));
        std::string out;
        records::encode(records::SnorkyAnswer{from.slot, from.serial, answer.key, answer.call, answer.text}, out);
        send_to_worker(from.worker, records::Type::snorky_answer, sequence, std::move(out));
      });
  return honest || impossible("its texts are not JSON");
}

bool RingLoop::backend_record(Attached& attached, const shm::RecordHeader& header, const std::string& payload) {
  Worker& worker = attached.worker;
  const auto impossible = [&](const char* why) {
    worker.violate("record type " + std::to_string(header.type) + ": " + why);
    return false;
  };
  worker.settle(worker.begin_work());
  const auto record = records::decode<records::BackendCall>(payload);
  if (!record) return impossible("can't be decoded");
  if (!snorky_ || !snorky_->has_keys()) return impossible("there is no backend (backend.key_file)");
  const bool honest = snorky_->backend_call(
      *record, [this, id = worker.id(), sequence = header.sequence](const snorky::HttpAnswer& answer) {
        const bool wrong_key = answer.status == 401, out_of_scope = answer.status == 403;
        counts_.backend_wrong_keys += wrong_key ? 1 : 0;
        counts_.backend_out_of_scope += out_of_scope ? 1 : 0;
        if (const auto left_out = wrong_key || out_of_scope ? backend_pause_.due(clock_.now()) : std::nullopt) {
          if (wrong_key) log::warning("a backend's key is not valid", {{"left_out", *left_out}});
          else
            log::warning("a backend's call was refused",
                         {{"key", answer.key}, {"reason", answer.text}, {"left_out", *left_out}});
        }
        std::string out;
        records::encode(records::BackendAnswer{answer.status, answer.text}, out);
        send_to_worker(id, records::Type::backend_answer, sequence, std::move(out));
      });
  return honest || impossible("its texts are not JSON");
}

void RingLoop::send_to_worker(WorkerId id, records::Type type, std::uint64_t sequence, std::string payload) {
  Attached* const attached = find(id);
  if (!attached) return;  // it has died meanwhile, and its sockets with it
  touch(*attached);
  if (!attached->worker.send(type, sequence, std::move(payload))) {
    attached->worker.violate("does not read what it is sent: " + std::to_string(attached->worker.outbox_bytes()) +
                             " bytes wait");
  }
  schedule_turn();
}

}  // namespace nuropb::meshd
