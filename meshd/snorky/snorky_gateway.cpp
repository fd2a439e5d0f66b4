#include "meshd/snorky/snorky_gateway.hpp"

#include <string>
#include <utility>
#include <vector>

#include "common/log.hpp"
#include "meshd/snorky/gateway_service.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::string_view peer_kind = "snorky";

}  // namespace

SnorkyGateway::SnorkyGateway(Parts parts)
    : config_(parts.config),
      clock_(parts.clock),
      times_(parts.times),
      deadline_(parts.deadline),
      faces_(parts.faces),
      workers_(parts.workers),
      sessions_(parts.sessions),
      tracing_(parts.tracing) {
  snorky::Outlet& outlet = *this;
  if (parts.hub) hub_ = std::make_unique<snorky::Hub>(std::move(*parts.hub), outlet);
}

void SnorkyGateway::start() {
  if (!hub_) return;
  hub_->add_backend(std::make_unique<snorky::GatewayService>(faces_.web().pushes));
  faces_.web().peers.on(std::string(peer_kind),
                        [this](const std::string&, std::string_view json) { hub_->on_peer(json); });
}

bool SnorkyGateway::notify(const snorky::Sessions& to, std::string_view frame) {
  if (frame.size() > config_.limits.message_bytes) return false;
  std::vector<Pushes::Place> places;
  places.reserve(to.size());
  for (const snorky::SessionRef& one : to) places.push_back({one.worker, {one.slot, one.serial}});
  faces_.web().pushes.send_to(places, frame, true);
  return true;
}

void SnorkyGateway::tell_peers(std::string_view service, std::string_view body) {
  // Whether the other gateways get it is the broker's affair: the clients that are here have it already.
  (void)faces_.web().peers.tell(peer_kind, snorky::Hub::encode_peer(service, body));
}

RecordResult SnorkyGateway::client_call(Worker& worker, const shm::RecordHeader& header,
                                        const records::SnorkyCall& record, Session& session,
                                        const ReturnAddress& address) {
  if (!hub_ || config_.snorky.path.empty()) return RecordResult::violation("there is no /ws (snorky.path)");
  const snorky::SessionRef from{worker.id(), record.session, record.serial};
  const auto answer = [this, from, sequence = header.sequence](const snorky::ConsumerAnswer& what) {
    std::string out;
    records::encode(records::SnorkyAnswer{from.slot, from.serial, what.key, what.call, what.text}, out);
    workers_.send(from.worker, records::Type::snorky_answer, sequence, std::move(out));
  };
  if (const auto over = sessions_.over_rates(session, header.length, record.restoring)) {
    answer({{}, {}, snorky::encode_answer(record.service, record.call_id, snorky::Outcome::failed(over->why))});
    sessions_.end_over_rates(worker, record.session, session, *over);
    return RecordResult::handled();
  }
  if (tracing_.on() && !record.restoring) {
    (void)tracing_.begin(records::Type::snorky_call, record.service, record.command, session, address, record.call_id,
                         record.origin, deadline_.of(to_ring_ms(times_.batch + milliseconds(config_.request.ttl_ms))));
  }
  const bool honest = hub_->consumer_call(record, {from, std::string(session.identity.user_id()), &session.policy, {}},
                                          [this, address, answer](const snorky::ConsumerAnswer& what) {
                                            tracing_.end(address, clock_.now());
                                            answer(what);
                                          });
  return honest ? RecordResult::handled() : RecordResult::violation("its texts are not JSON");
}

RecordResult SnorkyGateway::backend_call(Worker& worker, const shm::RecordHeader& header,
                                         const records::BackendCall& record) {
  if (!has_keys()) return RecordResult::violation("there is no backend (backend.key_file)");
  const bool honest = hub_->backend_call(
      record, [this, id = worker.id(), sequence = header.sequence](const snorky::HttpAnswer& answer) {
        note_refused(answer);
        std::string out;
        records::encode(records::BackendAnswer{answer.status, answer.text}, out);
        workers_.send(id, records::Type::backend_answer, sequence, std::move(out));
      });
  return honest ? RecordResult::handled() : RecordResult::violation("its texts are not JSON");
}

void SnorkyGateway::note_refused(const snorky::HttpAnswer& answer) {
  const bool wrong_key = answer.status == 401, out_of_scope = answer.status == 403;
  counters_.wrong_keys += wrong_key ? 1 : 0;
  counters_.out_of_scope += out_of_scope ? 1 : 0;
  const auto left_out = wrong_key || out_of_scope ? refused_pause_.due(clock_.now()) : std::nullopt;
  if (!left_out) return;
  if (wrong_key) log::warning("a backend's key is not valid", {{"left_out", *left_out}});
  else
    log::warning("a backend's call was refused",
                 {{"key", answer.key}, {"reason", answer.text}, {"left_out", *left_out}});
}

void SnorkyGateway::on_socket_gone(WorkerId worker, std::uint32_t slot, std::uint32_t serial) {
  if (hub_) hub_->on_session_closed({worker, slot, serial});
}

}  // namespace nuropb::meshd
