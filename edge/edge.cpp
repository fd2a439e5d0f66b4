#include "edge/edge.hpp"

#include <new>

#include "common/log.hpp"
#include "common/messages.hpp"
#include "common/service_notice.hpp"

namespace nuropb::edge {

Edge::Edge(const Config& config, MeshLink::Connect connect, const ReadFile& read_certificates)
    : socket_limits_(config.limits, io_, message_clock_, link_),
      reload_(io_, SIGHUP),
      link_(io_, std::move(connect), config.limits.message_bytes, link_callbacks()),
      sessions_(config, io_, clock_, link_, socket_limits_),
      timer_(io_, clock_, PendingRequests::tick, timer_callbacks()),
      drain_(config.drain, io_, clock_, sessions_.slots, sessions_.pending, drain_callbacks()),
      relays_({config, context_, sender_, backlog_, sessions_, drain_, message_clock_, timer_}),
      context_{config.limits, link_, message_clock_, socket_limits_, relays_},
      http_api_{.calls = {sender_, sessions_.guesses, drain_, clock_, timer_},
                .backend = {config, io_, http_api_.calls, link_},
                .console = {config, io_, http_api_.calls, [this] { return port(); }},
                .probe = {config, link_, sessions_.slots, sessions_.pending, drain_}},
      admission_(config, link_, sessions_.slots, sessions_.silent, sessions_.guesses, drain_,
                 [this](std::string_view origin) { return http_api_.console.is_origin(origin); }),
      callers_(config, io_, admission_, caller_callbacks()),
      listeners_(config, io_, read_certificates, listener_callbacks()),
      gauges_(link_, sessions_.slots, sessions_.pending, sessions_.silent, drain_, listeners_.arrivals()) {
  relays_.receive_from(receiver_);
  receiver_.on<records::BackendAnswer>(
      records::Type::backend_answer,
      [this](const shm::RecordHeader& header, const auto& record) { http_api_.calls.on_answer(header, record); });
}

Edge::~Edge() = default;

MeshLink::Callbacks Edge::link_callbacks() {
  return {.on_attached =
              [this](bool same_address) {
                gauges_.publish();
                relays_.on_attached(same_address);
              },
          .on_lost =
              [this](const MeshLink::Lost& lost) {
                relays_.on_lost(lost);
                http_api_.calls.fail_all(502, unknown_outcome_json("the gateway's connection to the mesh was lost; the "
                                                                   "request may have run"));
              },
          .on_record = [this](const shm::RecordHeader& header,
                              const std::string& payload) { receiver_.receive(header, payload); },
          .on_batch_end = [this] { relays_.on_batch_end(); },
          .on_change = [this] { relays_.on_change(); },
          .on_beat =
              [this] {
                gauges_.publish();
                socket_limits_.close_late_messages();
              },
          .on_unusable =
              [this] {
                log::error("meshd's shared memory can't be mapped: this edge ends",
                           {{"hint", "memory limits of this process: ulimit -v, cgroups"}});
                exit_code_ = 1;
                io_.stop();
              }};
}

Listeners::Callbacks Edge::listener_callbacks() {
  const auto count = [this](shm::EdgeCounter which) { return [this, which] { link_.count(which); }; };
  return {.websocket = {.admit = [this](const Handshake& handshake,
                                        HttpAnswer& refusal) { return admission_.admit(handshake, refusal); },
                        .on_open =
                            [this](Connection& connection, const Handshake& handshake) {
                              return relays_.open(connection, admission_.session_of(handshake));
                            },
                        .on_http = [this](const Handshake& request) { return http_api_.probe.answer(request); },
                        .probe = [this](std::string_view page) { return http_api_.probe.probe(page); },
                        .turned_away = count(shm::EdgeCounter::refused_handshakes),
                        .on_call = [this](Guest guest) { callers_.enter(std::move(guest)); }},
          .lines = {.admit = [this](const std::string& peer) { return admission_.admit_line(peer); },
                    .on_open =
                        [this](Connection& connection, const std::string& peer, const ClientCertificate& certificate) {
                          return relays_.open(connection, admission_.session_of_line(peer, certificate));
                        },
                    .turned_away = count(shm::EdgeCounter::refused_handshakes)},
          .on_bad_certificate = count(shm::EdgeCounter::bad_certificates)};
}

HttpCallers::Callbacks Edge::caller_callbacks() {
  return {.open = [this](Connection& connection,
                         NewSession session) { return relays_.open(connection, std::move(session)); },
          .page = [this](const Handshake& request) { return http_api_.probe.answer(request); },
          .open_websocket = [this](Guest guest) { listeners_.open_websocket(std::move(guest)); }};
}

DrainController::Callbacks Edge::drain_callbacks() {
  return {.on_announced = [this] { gauges_.publish(); },
          .stop_listening =
              [this] {
                listeners_.stop();
                callers_.stop();
                http_api_.stop();
              },
          .calls_pending = [this] { return !http_api_.calls.empty() || callers_.writing(); },
          .interrupt_all =
              [this] {
                relays_.interrupt_all();
                http_api_.calls.fail_all(503, unknown_outcome_json("the gateway is stopping; the call may have run"));
              },
          .on_drained = [this] { io_.stop(); }};
}

TickTimer::Callbacks Edge::timer_callbacks() {
  return {.anything_waits =
              [this] { return sessions_.pending.size() > 0 || !sessions_.paused.empty() || !http_api_.calls.empty(); },
          .on_tick =
              [this](SteadyTime now) {
                relays_.expire(now);
                gauges_.publish();
                sessions_.paused.expire(now);
                http_api_.calls.expire(now);
              }};
}

Result<void> Edge::start() {
  if (const auto listening = listeners_.listen(); !listening) return listening;
  if (const auto started = http_api_.start(); !started) return started;
  drain_.wait_for_signal();
  reload_later();
  gauges_.count_own_files();
  return {};
}

void Edge::reload_later() {
  reload_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    ServiceNotice::ours().reloading();
    log::reopen();
    if (const std::string wrong = listeners_.reload_tls(); wrong.empty()) log::info("certificates read again", {});
    else log::error("certificates not changed", {{"reason", wrong}});
    ServiceNotice::ours().ready();
    reload_later();
  });
}

int Edge::run() {
  link_.start();
  for (;;) {
    try {
      io_.run();
      return exit_code_;
    } catch (const std::bad_alloc&) {
      // The kernel may grant the next operation what it refused this one: the other sockets go on.
      if (const auto left_out = no_memory_pause_.due(clock_.now()))
        log::error("there is no memory; one operation was given up", {{"left_out", *left_out}});
    }
  }
}

}  // namespace nuropb::edge
