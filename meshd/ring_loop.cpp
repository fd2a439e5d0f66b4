// Beginning and end, and workers going; how they come is in ring_newcomers.cpp, the traffic itself in ring_traffic.cpp.

#include "meshd/ring_loop.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>

#include "common/close_codes.hpp"
#include "common/crash_points.hpp"
#include "common/log.hpp"
#include "common/service_notice.hpp"
#include "meshd/attached.hpp"

namespace nuropb::meshd {
namespace {

constexpr auto beat_interval = std::chrono::seconds(1);  // gateway.hung_after_s counts these
constexpr auto bell_pause = std::chrono::milliseconds(5);
constexpr auto stop_grace = std::chrono::milliseconds(2000);

std::uint64_t wall_clock_ms() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

}  // namespace

RingLoop::RingLoop(Parts parts)
    : config_(parts.config),
      control_socket_(std::move(parts.control_socket)),
      edge_user_(std::move(parts.edge_user)),
      tickets_(parts.tickets),
      authorizer_(parts.authorizer),
      mesh_authorizer_(parts.mesh_authorizer),
      policy_(std::move(parts.policy)),
      peer_keys_(std::move(parts.peer_keys)),
      clock_(parts.clock),
      users_(parts.config.limits.connections_per_user, parts.config.limits.user),
      user_patterns_(parts.config.events.subscriptions_per_user),
      user_pending_({parts.config.limits.pending_per_user, parts.config.limits.pending_user_bytes}),
      exporter_(std::move(parts.spans)),
      slots_(parts.config.gateway.max_workers, wall_clock_ms()),
      attach_limit_(parts.config.gateway.max_workers),
      request_settings_{milliseconds(parts.config.request.max_ttl_ms),
                        parts.config.limits.json(),
                        {parts.config.auth.context_user_key, parts.config.auth.context_token_key,
                         parts.config.auth.context_claims_key}},
      signals_(io_, SIGTERM, SIGINT, SIGHUP),
      runtime_keeper_(std::move(parts.runtime)),
      socket_maker_(std::move(parts.sockets)),
      listener_wait_(io_),
      mailboxes_({std::min<std::size_t>(parts.config.resume.mailbox_bytes, parts.config.limits.send_queue_bytes),
                  parts.config.resume.total_bytes}),
      taps_(parts.config.admin.tap, clock_, mailboxes_,
            [this](const std::function<void(WorkerId, SessionTable&)>& work) { each(work); }),
      admin_(io_, {std::move(parts.admin_socket), std::move(parts.admin_key)},
             Pushes::max_user_bytes + parts.config.limits.message_bytes + 4096,
             {pages(),
              [this](const std::string& name, const std::string& body,
                     std::function<void(AdminSocket::Answer)> answer) { operate(name, body, std::move(answer)); },
              [this](pid_t who) { return is_worker(who); },
              [this](const std::string& body, std::shared_ptr<Taps::Reader> reader) {
                return taps_.start(body, std::move(reader));
              }}),
      metrics_listener_(io_, config_.metrics.listen, pages()) {
  const AddressSeal::Key address_key = tickets_.key_for("correlation ids");
  for (const MeshIdentity& identity : identities(config_, parts.instance_id)) {
    faces_[index_of(identity.kind)] = std::make_unique<Face>(
        identity, Face::Parts{config_, clock_, *this, parts.keys, address_key, parts.transport, parts.carrier,
                              faces_.front().get(), peer_keys_, [this]() -> const Policy& { return policy_; },
                              [this](std::function<void()> work) { boost::asio::post(io_, std::move(work)); },
                              [this](Face& face) { on_events(face); }});
  }
  start_snorky(std::move(parts.snorky));
  if (exporter_)
    spans_.emplace(std::stod(config_.tracing.sample_ratio),
                   [this](std::vector<Span>&& spans) { exporter_->add(std::move(spans)); });
}

RingLoop::~RingLoop() {
  authorizer_.stop();
  if (listener_wait_.is_open()) listener_wait_.release();
}

Result<void> RingLoop::start() {
  auto listener = shm::ControlListener::listen(control_socket_);
  if (!listener) return tl::unexpected(listener.error());
  listener_ = std::make_unique<shm::ControlListener>(std::move(*listener));
  if (const auto given = let_edges_in(); !given) return given;
  listener_wait_.assign(listener_->fd());
  runtime_keeper_.watch({"meshd.sock", [this] { return listener_->there(); }, [this] { return listen_again(); }});
  runtime_keeper_.watch({"admin.sock", [this] { return admin_.there(); },
                         [this] { return admin_.take(socket_maker_.make(SocketMaker::admin)); }});
  if (mesh_authorizer_)
    mesh_authorizer_->connect(
        [this](mesh::Outgoing&& question, const std::string& method) { return ask_mesh(std::move(question), method); });
  authorizer_.start([this](std::function<void()> work) { boost::asio::post(io_, std::move(work)); });
  if (const auto admin = admin_.start(); !admin) return admin;
  if (const auto listens = metrics_listener_.start(); !listens) return listens;
  if (exporter_) exporter_->start();
  each_face([](Face& face) { face.start_peers(); });
  wait_for_connection();
  wait_for_signal();
  beat();
  return {};
}

Result<void> RingLoop::let_edges_in() {
  if (edge_user_ && (::chown(control_socket_.c_str(), static_cast<uid_t>(-1), edge_user_->gid) != 0 ||
                     ::chmod(control_socket_.c_str(), 0660) != 0)) {
    return failure("can't be given to the group of hardening.edge_user", control_socket_);
  }
  return {};
}

/// At the same path. Who waits in the former socket's queue comes first.
Result<void> RingLoop::listen_again() {
  for (int turns = 0; turns < 4 && accept_some(); ++turns) {}
  listener_pause_.cancel();
  listener_wait_.release();
  const auto again = listener_->listen_again([this] { return socket_maker_.make(SocketMaker::control); });
  listener_wait_.assign(listener_->fd());
  wait_for_connection();
  return again;
}

void RingLoop::connect_broker() {
  boost::asio::post(io_, [this] { web().manager.start(); });  // and with it all faces: they share the connection
}

int RingLoop::run() {
  io_.run();
  leave();
  return exit_code_;
}

/// Nothing more is read from the rings: what stays there goes to the next meshd. Of what was taken, every edge is told
/// before the end what became of it, so that a successor in our place (a new binary) costs nobody an unknown outcome.
void RingLoop::leave() {
  leaving_ = true;
  each_face([](Face& face) { face.peers.leave(); });
  authorizer_.stop();
  each_face([this](Face& face) {
    constexpr const char* why = "the gateway's meshd is stopping; the request was not sent";
    if (face.encryption) face.encryption->give_up(why, clock_.now());
    send_encrypted(face);
    face.manager.publish(face.outgoing);
    for (const mesh::Outgoing& message : face.outgoing) {
      on_report(face,
                {mesh::Outcome::refused,
                 message.type,
                 message.routing_key,
                 message.correlation_id,
                 message.tag,
                 why,
                 {},
                 message.encrypted},
                clock_.now());
    }
    face.outgoing.clear();
  });
  web().manager.stop(stop_grace);  // waits for the broker's confirms
  each_face([this](Face& face) { on_events(face); });
  if (spans_) spans_->expire(UINT64_MAX);
  if (exporter_) exporter_->stop();
}

void RingLoop::wait_for_signal() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (signal == SIGHUP) {
      ServiceNotice::ours().reloading();
      (void)reload();  // the log says how it went
      ServiceNotice::ours().ready();
      wait_for_signal();
      return;
    }
    ServiceNotice::ours().stopping();
    log::info("stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}, {"workers", workers_.size()}});
    io_.stop();
  });
}

void RingLoop::beat() {
  life_sign_.give();
  log::tick();
  scheduling_.tick();
  std::vector<WorkerId> hung;
  for (auto& [id, attached] : workers_) {
    attached->worker.segments().beat();
    if (attached->worker.hangs(config_.gateway.hung_after_s)) hung.push_back(id);
  }
  for (const WorkerId id : hung) detach(id, "no heartbeat", true);
  drop_kept();
  taps_.forget_gone();
  each_face([](Face& face) { face.peers.tick(); });
  users_.forget_idle(clock_.now());
  user_pending_.sweep(clock_.now());
  runtime_keeper_.look();
  if (spans_) spans_->expire(latency::to_us(clock_.now()));
  look_at_expiries();
  if (mesh_authorizer_) mesh_authorizer_->tick(clock_.now());
  each_face([this](Face& face) {
    if (!face.encryption) return;
    face.encryption->tick(clock_.now());
    send_encrypted(face);
  });
  if (outgoing() || !touched_.empty()) schedule_turn();
  beat_timer_.after(beat_interval, [this] { beat(); });
}

bool RingLoop::is_worker(pid_t who) const {
  const auto id = worker_of(who);
  if (id) log::warning("an edge at the admin socket was turned away", {{"slot", id->slot}, {"pid", who}});
  return id.has_value();
}

/// An attached edge says nothing there any more.
void RingLoop::wait_for_end(Attached& attached) {
  attached.end.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [this, id = attached.worker.id()](const boost::system::error_code& error) {
                            if (!error) on_control(id);
                          });
}

void RingLoop::on_control(WorkerId id) {
  Attached* const attached = find(id);
  if (!attached) return;
  using What = shm::ControlChannel::Received::What;
  switch (attached->worker.channel().receive().what) {
    case What::nothing: return wait_for_end(*attached);
    case What::closed: drain_ring(*attached); return detach(id, "its control socket closed", false);
    default: return detach(id, "rubbish on the control socket", true);
  }
}

void RingLoop::wait_for_doorbell(Attached& attached) {
  // An error is its end, or that it has closed what it rings: the first is on_control()'s, the second its own loss.
  attached.bell.async_read_some(
      boost::asio::buffer(attached.bells),
      [this, id = attached.worker.id()](const boost::system::error_code& error, std::size_t bells) {
        if (!error) on_doorbell(id, bells);
      });
}

void RingLoop::on_doorbell(WorkerId id, std::size_t bells) {
  Attached* const attached = find(id);
  if (!attached) return;
  if (!attached->worker.rung(static_cast<int>(bells))) return detach(id, "rings without end, and for nothing", true);
  touch(*attached);  // it may have made room for what waits in its outbox
  activate(*attached);
  // Counted since there was news, and not by how many come at a time: in a pipe of packets each comes alone.
  if (attached->worker.idle_doorbells() < static_cast<int>(Attached::bells_at_once))
    return wait_for_doorbell(*attached);
  // Its next bells wait in the pipe, where there is room for some. And out of the epoll: each write to a pipe wakes who
  // polls it, even one that finds no room.
  (void)attached->bell.release();
  attached->pause.after(bell_pause, [this, id] {
    Attached* const again = find(id);
    if (!again) return;
    boost::system::error_code wrong;
    again->bell.assign(again->worker.bell().fd(), wrong);
    if (wrong) return detach(id, "its doorbell can't be heard any more: " + wrong.message(), false);
    wait_for_doorbell(*again);
  });
}

/// What a dead edge had taken from its sockets, whole records only, goes its way: who comes back for an answer gets it.
void RingLoop::drain_ring(Attached& attached) {
  shm::RecordHeader header;
  // No more than lies there now: who only says that it is dead could go on writing.
  std::size_t left = attached.worker.unread();
  while (left > 0 && attached.worker.next(header, payload_) == Worker::Next::record &&
         dispatch(attached, header, payload_)) {
    left -= std::min<std::size_t>(left, sizeof(shm::RecordHeader) + header.length);
  }
  each_face([this](Face& face) { send_encrypted(face); });
  publish_waiting();
}

void RingLoop::detach(WorkerId id, const std::string& reason, bool kill) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  Worker& worker = found->second->worker;
  log::info(kill ? "worker killed" : "worker gone", {{"slot", id.slot},
                                                     {"generation", id.generation},
                                                     {"pid", worker.peer().pid},
                                                     {"reason", reason},
                                                     {"sessions", worker.sessions().open()}});
  if (kill) {
    worker.kill();
    ++killed_workers_;
  }
  worker.abandon();
  worker.sessions().each([&](std::uint32_t slot, Session& session) {
    if (park_if_kept(id, worker.sessions(), slot, close_code::going_away)) return;
    forget_session(id, slot, session);
    worker.sessions().close(session);
  });
  keep_counts(*found->second);
  std::erase(touched_, found->second.get());
  std::erase(turn_order_, id);
  workers_.erase(found);
  slots_.release(id);
  web().manager.acknowledge();
  each_face([id](Face& face) { face.pushes.on_worker_gone(id); });
}

void RingLoop::each_face(const std::function<void(Face&)>& work) {
  for (const auto& face : faces_) {
    if (face) work(*face);
  }
}

RingLoop::Attached* RingLoop::find(WorkerId id) {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second.get();
}

}  // namespace nuropb::meshd
