#include "meshd/meshd.hpp"

#include <signal.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "common/log.hpp"
#include "common/service_notice.hpp"
#include "meshd/meshd_objects.hpp"

namespace nuropb::meshd {
namespace {

constexpr auto beat_interval = std::chrono::seconds(1);  // gateway.hung_after_s counts these
constexpr auto stop_grace = std::chrono::milliseconds(2000);

}  // namespace

Meshd::Foundation::Foundation(Parts& parts)
    : config(parts.config),
      clock(parts.clock),
      authorizer(parts.authorizer),
      mesh_authorizer(parts.mesh_authorizer),
      tickets(parts.tickets),
      runtime(std::move(parts.runtime)),
      sockets(std::move(parts.sockets)),
      tracing(config.tracing, std::move(parts.spans), times, deadline) {}

Meshd::Loop::Loop(Parts&& parts)
    : Foundation(parts),
      sessions({config, clock, workers, faces, all, quotas, subscriptions, delivery, detached, responses, authorizer,
                tickets, std::move(parts.policy), parts.snorky.has_value(),
                [this](WorkerId worker, std::uint32_t slot, std::uint32_t serial) {
                  snorky.on_socket_gone(worker, slot, serial);
                }}),
      snorky({config, clock, times, deadline, faces, workers, sessions, tracing, std::move(parts.snorky)}),
      acceptor({config, clock, io, timers, workers, tickets, std::move(parts.control_socket),
                std::move(parts.edge_user), [this] { return broker.word(); },
                [this](const mesh::Delivery& receipt) { faces.delivered(receipt); }}),
      reloader(config, authorizer, parts.peer_keys, snorky, sessions, workers),
      admin(io, {std::move(parts.admin_socket), std::move(parts.admin_key)},
            Pushes::max_user_bytes + config.limits.message_bytes + 4096,
            {collector.pages(),
             [this](const std::string& name, const std::string& body, std::function<void(AdminSocket::Answer)> answer) {
               operations.operate(name, body, std::move(answer));
             },
             [this](pid_t process) { return operations.refuses(process); },
             [this](const std::string& body, std::shared_ptr<Taps::Reader> reader) {
               return taps.start(body, std::move(reader));
             }}),
      metrics_listener(io, config.metrics.listen, collector.pages()) {
  open_faces(parts);
  snorky.start();
}

void Meshd::Loop::open_faces(const Parts& parts) {
  const AddressSeal::Key address_key = tickets.key_for("correlation ids");
  for (const MeshIdentity& identity : identities(config, parts.instance_id)) {
    faces.open(std::make_unique<Face>(
        identity, Face::Parts{config, clock, pusher, parts.keys, address_key, parts.transport, parts.carrier,
                              faces.first(), parts.peer_keys, [this]() -> const Policy& { return sessions.policy(); },
                              [this](std::function<void()> work) { boost::asio::post(io, std::move(work)); },
                              [this](Face& face) { inbox.take(face); }}));
  }
}

WorkerPool::Callbacks Meshd::Loop::worker_callbacks() {
  return {.on_attached =
              [this](Worker& worker) {
                collector.on_attached(worker);
                responses.release_early(worker.id());
              },
          .on_news = [this](Worker& worker) { turns.activate(worker); },
          .on_closed = [this](Worker& worker) { turns.drain(worker); },
          .on_room = [this](Worker& worker) { delivery.hand_over_waiting(worker); },
          .on_flushed = [this] { resume.close_overrun(); },
          .before_detach =
              [this](Worker& worker) {
                sessions.worker_gone(worker);
                collector.keep(worker);
                turns.forget(worker.id());
              },
          .after_detach =
              [this](WorkerId id) {
                acceptor.release(id);
                faces.acknowledge();
                faces.each([id](Face& face) { face.pushes.on_worker_gone(id); });
              },
          .acknowledge = [this] { faces.acknowledge(); },
          .schedule_turn = [this] { turns.schedule(); }};
}

void Meshd::Loop::wait_for_signal() {
  signals.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (signal == SIGHUP) {
      ServiceNotice::ours().reloading();
      (void)reloader.reload();  // the log says how it went
      ServiceNotice::ours().ready();
      wait_for_signal();
      return;
    }
    ServiceNotice::ours().stopping();
    log::info("stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}, {"workers", workers.size()}});
    io.stop();
  });
}

void Meshd::Loop::beat() {
  life_sign.give();
  log::tick();
  load.tick();
  workers.beat(config.gateway.hung_after_s);
  responses.expire_early();
  taps.forget_gone();
  faces.each([](Face& face) { face.peers.tick(); });
  quotas.tick();
  runtime.look();
  tracing.expire(clock.now());
  sessions.check_expiries();
  if (mesh_authorizer) mesh_authorizer->tick(clock.now());
  faces.each([this](Face& face) {
    if (!face.encryption) return;
    face.encryption->tick(clock.now());
    requests.send_encrypted(face);
  });
  if (faces.outgoing() || workers.unflushed()) turns.schedule();
  beat_timer.after(beat_interval, [this] { beat(); });
}

/// Nothing more is read from the rings: what stays there goes to the next meshd. Of what was taken, every edge is told before the
/// end what became of it.
void Meshd::Loop::leave() {
  faces.each([](Face& face) { face.peers.leave(); });
  authorizer.stop();
  inbox.refuse_unsent();
  faces.web().manager.stop(stop_grace);  // waits for the broker's confirms
  faces.each([this](Face& face) { inbox.take(face); });
  tracing.stop();
}

Meshd::Meshd(Parts parts) : loop_(std::make_unique<Loop>(std::move(parts))) {}

Meshd::~Meshd() = default;

Result<void> Meshd::start() {
  Loop& loop = *loop_;
  if (const auto listens = loop.acceptor.listen(); !listens) return listens;
  loop.runtime.watch(
      {"meshd.sock", [&loop] { return loop.acceptor.there(); },
       [&loop] { return loop.acceptor.listen_again([&loop] { return loop.sockets.make(SocketMaker::control); }); }});
  loop.runtime.watch({"admin.sock", [&loop] { return loop.admin.there(); },
                      [&loop] { return loop.admin.take(loop.sockets.make(SocketMaker::admin)); }});
  if (loop.mesh_authorizer)
    loop.mesh_authorizer->connect([&loop](mesh::Outgoing&& question, const std::string& method) {
      return loop.requests.ask(std::move(question), method);
    });
  loop.authorizer.start([&loop](std::function<void()> work) { boost::asio::post(loop.io, std::move(work)); });
  if (const auto admin = loop.admin.start(); !admin) return admin;
  if (const auto listens = loop.metrics_listener.start(); !listens) return listens;
  loop.tracing.start();
  loop.faces.each([](Face& face) { face.start_peers(); });
  loop.acceptor.wait();
  loop.wait_for_signal();
  loop.beat();
  return {};
}

void Meshd::connect_broker() {
  // And with it all faces: they share the connection.
  boost::asio::post(loop_->io, [this] { loop_->faces.web().manager.start(); });
}

int Meshd::run() {
  loop_->io.run();
  loop_->leave();
  return loop_->exit_code;
}

bool Meshd::step() { return loop_->io.poll_one() > 0; }

Timers& Meshd::timers() { return loop_->timers; }

}  // namespace nuropb::meshd
