// Workers coming and going; the traffic itself is in ring_traffic.cpp.

#include "meshd/ring_loop.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>

#include "common/close_codes.hpp"
#include "common/log.hpp"
#include "meshd/attached.hpp"
#include "meshd/controller.hpp"
#include "meshd/metrics.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::size_t max_newcomers = 64;
constexpr auto hello_timeout = std::chrono::seconds(2);
constexpr auto beat_interval = std::chrono::seconds(1);
constexpr auto stop_grace = std::chrono::milliseconds(2000);

std::uint64_t wall_clock_ms() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

}  // namespace

RingLoop::RingLoop(Parts parts)
    : config_(parts.config), control_socket_(std::move(parts.control_socket)),
      instance_(ReturnAddress::instance_hash(parts.instance_id)), tickets_(parts.tickets), authorizer_(parts.authorizer), mesh_authorizer_(parts.mesh_authorizer), policy_(std::move(parts.policy)),
      encryption_(parts.config.request.encryption ? std::optional<RequestEncryption>(std::in_place, parts.keys) : std::nullopt),
      users_(parts.config.limits.connections_per_user, parts.config.limits.user),
      slots_(parts.config.gateway.max_workers, wall_clock_ms()),
      request_limits_{milliseconds(parts.config.request.max_ttl_ms), parts.config.limits.json_depth},
      signals_(io_, SIGTERM, SIGINT, SIGHUP), beat_timer_(io_), listener_wait_(io_),
      mailboxes_({std::min<std::size_t>(parts.config.resume.mailbox_bytes, parts.config.limits.send_queue_bytes), parts.config.resume.total_bytes}), resume_timer_(io_),
      peers_({.service = parts.config.gateway.service, .instance = parts.instance_id, .largest = Pushes::largest_of(parts.config.limits.message_bytes),
              .json_depth = parts.config.limits.json_depth + 8U, .period = milliseconds(parts.config.push.presence_ms),
              .expiry = milliseconds(parts.config.push.presence_ms * 7 / 2)},
             clock_, [this](const std::string& topic, std::string body, SteadyTime deadline) { return publish_to_peers(topic, std::move(body), deadline); }),
      pushes_({parts.instance_id, parts.config.limits.message_bytes, parts.config.limits.connections, parts.config.limits.json_depth,
               milliseconds(parts.config.push.timeout_ms)}, clock_, *this, session_index_, peers_),
      push_timer_(io_),
      manager_(std::move(parts.transport), [this] { boost::asio::post(io_, [this] { on_events(); }); }),
      admin_(io_, std::move(parts.admin_socket), Pushes::max_user_bytes + parts.config.limits.message_bytes + 4096,
             {[this] { return metrics(); },
              [this](const std::string& name, const std::string& body, std::function<void(AdminSocket::Answer)> answer) { operate(name, body, std::move(answer)); }}) {
  add_controller_methods(manager_.controller(), {config_, pushes_, [this]() -> const Policy& { return policy_; },
                                                 [this](std::function<void()> work) { boost::asio::post(io_, std::move(work)); }});
  start_snorky(std::move(parts.snorky));
}

RingLoop::~RingLoop() {
  authorizer_.stop();
  if (listener_wait_.is_open()) listener_wait_.release();
}

Result<void> RingLoop::start() {
  auto listener = shm::ControlListener::listen(control_socket_);
  if (!listener) return tl::unexpected(listener.error());
  listener_ = std::make_unique<shm::ControlListener>(std::move(*listener));
  listener_wait_.assign(listener_->fd());
  if (mesh_authorizer_) mesh_authorizer_->connect([this](mesh::Outgoing&& question, const std::string& method) { return ask_mesh(std::move(question), method); });
  authorizer_.start([this](std::function<void()> work) { boost::asio::post(io_, std::move(work)); });
  if (const auto admin = admin_.start(); !admin) return admin;
  start_peers();
  wait_for_connection();
  wait_for_signal();
  beat();
  return {};
}

void RingLoop::connect_broker() {
  boost::asio::post(io_, [this] { manager_.start(); });
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
  constexpr const char* why = "the gateway's meshd is stopping; the request was not sent";
  peers_.leave();
  authorizer_.stop();
  if (encryption_) {
    encryption_->give_up(why, clock_.now());
    send_encrypted();
  }
  manager_.publish(outgoing_);
  for (const mesh::Outgoing& message : outgoing_) {
    on_report({mesh::Outcome::refused, message.type, message.routing_key, message.correlation_id, message.tag, why, {}, message.encrypted});
  }
  outgoing_.clear();
  manager_.stop(stop_grace);  // waits for the broker's confirms
  on_events();
}

void RingLoop::wait_for_signal() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (signal == SIGHUP) {
      reload();
      wait_for_signal();
      return;
    }
    log::info("stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}, {"workers", workers_.size()}});
    io_.stop();
  });
}

void RingLoop::beat() {
  for (auto& [id, attached] : workers_) attached->worker.segments().beat();
  drop_kept();
  peers_.tick();
  users_.forget_idle(clock_.now());
  look_at_expiries();
  if (mesh_authorizer_) mesh_authorizer_->tick(clock_.now());
  if (encryption_) {
    encryption_->tick(clock_.now());
    send_encrypted();
    if (!outgoing_.empty() || !touched_.empty()) schedule_turn();
  }
  beat_timer_.expires_after(beat_interval);
  beat_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) beat();
  });
}

std::string RingLoop::metrics() {
  Counted counted{manager_.counters(), &manager_.refusals(), &manager_.controller_refusals(), dropped_events_, pushes_.counters(), peers_.alive().size(), peers_.refused(),
                  refused_, gone_edges_, resumes_, mailboxes_.count(), mailboxes_.bytes(), mailboxes_.let_go(), parked_.open(), 0, workers_.size(), subscriptions_.patterns(), manager_.queued_bytes()};
  for (const auto& [id, attached] : workers_) {
    counted.sessions += attached->worker.sessions().open();
    counted.edges.add(attached->worker.segments());
  }
  return metrics_page(counted);
}

void RingLoop::wait_for_connection() {
  listener_wait_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (error) return;
    accept_all();
    wait_for_connection();
  });
}

void RingLoop::accept_all() {
  while (auto channel = listener_->accept()) {
    const auto peer = channel->peer();
    if (!peer || (peer->uid != ::geteuid() && peer->uid != 0)) {
      log::warning("connection to the control socket refused", {{"reason", "another user's process"}, {"uid", peer ? peer->uid : 0}});
      (void)channel->send_refusal({"this meshd takes workers of its own user only"});
      continue;
    }
    if (newcomers_ >= max_newcomers) continue;  // closed: it may come again
    auto newcomer = std::make_shared<Newcomer>(io_, std::move(*channel), *peer);
    ++newcomers_;
    newcomer->deadline.expires_after(hello_timeout);
    newcomer->deadline.async_wait([newcomer](const boost::system::error_code& error) {
      if (!error) newcomer->wait.cancel();
    });
    on_newcomer(newcomer);
  }
}

void RingLoop::on_newcomer(const std::shared_ptr<Newcomer>& newcomer) {
  newcomer->wait.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                            [this, newcomer](const boost::system::error_code& error) {
    newcomer->deadline.cancel();
    --newcomers_;
    if (error) return;
    auto received = newcomer->channel.receive();
    using What = shm::ControlChannel::Received::What;
    if (received.what == What::hello) attach(*newcomer, received.hello);
    else if (received.what != What::closed) log::warning("no hello on the control socket", {{"pid", newcomer->peer.pid}, {"reason", received.rubbish}});
  });
}

void RingLoop::attach(Newcomer& newcomer, const shm::Hello& hello) {
  const auto refuse = [&](const std::string& reason) {
    if (const auto left_out = newcomers_pause_.due(clock_.now())) log::error("worker refused", {{"pid", newcomer.peer.pid}, {"reason", reason}, {"left_out", *left_out}});
    (void)newcomer.channel.send_refusal({reason});
  };
  if (hello.abi != shm::abi) {
    return refuse("ABI " + std::to_string(hello.abi) + " is not ABI " + std::to_string(shm::abi) + ": edge and meshd are of different versions");
  }
  std::optional<WorkerId> id;
  if (const auto former = tickets_.open_worker(hello.ticket)) id = slots_.reclaim(*former);
  const bool reclaimed = id.has_value();
  if (!id) id = slots_.claim();
  if (!id) return refuse("all " + std::to_string(config_.gateway.max_workers) + " worker slots are taken (gateway.max_workers)");

  auto segments = shm::MeshdSegments::create(id->slot, id->generation, {config_.rings.request_bytes, config_.rings.return_bytes});
  if (!segments) {
    slots_.release(*id);
    return refuse("no shared memory: " + segments.error().text());
  }
  shm::UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, newcomer.peer.pid, 0)));
  segments->set_broker(broker_ == mesh::State::ready ? shm::BrokerState::ready
                                                     : broker_ == mesh::State::blocked ? shm::BrokerState::blocked : shm::BrokerState::away);
  if (const auto sent = newcomer.channel.send_welcome({id->slot, id->generation, tickets_.seal_worker(*id)}, segments->fd_m(), segments->fd_e()); !sent) {
    slots_.release(*id);
    return refuse(sent.error().text());
  }
  segments->close_fds();

  newcomer.wait.release();
  const WorkerLimits limits{config_.limits.connections, config_.limits.message_bytes, std::size_t{4} * config_.rings.return_bytes};
  auto attached = std::make_unique<Attached>(
      io_, Worker(*id, std::move(newcomer.channel), std::move(*segments), newcomer.peer, std::move(pidfd), limits));
  attached->worker.on_delivered = [this](ServiceMeshManager::Receipt receipt) { manager_.delivered(receipt); };
  log::info("worker attached", {{"slot", id->slot}, {"generation", id->generation}, {"pid", newcomer.peer.pid}, {"reclaimed", reclaimed}});
  Attached& place = *(workers_[*id] = std::move(attached));
  wait_for_doorbell(place);
  activate(place);
  deliver_kept(place.worker.id());
}

void RingLoop::wait_for_doorbell(Attached& attached) {
  attached.wait.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [this, id = attached.worker.id()](const boost::system::error_code& error) {
    if (!error) on_doorbell(id);
  });
}

void RingLoop::on_doorbell(WorkerId id) {
  Attached* const attached = find(id);
  if (!attached) return;
  const auto received = attached->worker.channel().drain_doorbells();
  using What = shm::ControlChannel::Received::What;
  if (received.what == What::closed) drain_ring(*attached);
  if (received.what == What::closed) return detach(id, "its control socket closed", false);
  if (received.what != What::nothing && received.what != What::doorbell) return detach(id, "rubbish on the control socket", true);
  touch(*attached);  // it may have made room for what waits in its outbox
  activate(*attached);
  wait_for_doorbell(*attached);
}

/// What a dead edge had taken from its sockets, whole records only, goes its way: who comes back for an answer gets it.
void RingLoop::drain_ring(Attached& attached) {
  shm::RecordHeader header;
  // No more than lies there now: who only says that it is dead could go on writing.
  std::size_t left = attached.worker.unread();
  while (left > 0 && attached.worker.next(header, payload_) == Worker::Next::record && dispatch(attached, header, payload_)) {
    left -= std::min<std::size_t>(left, sizeof(shm::RecordHeader) + header.length);
  }
  if (encryption_) send_encrypted();
  manager_.publish(outgoing_);
}

void RingLoop::detach(WorkerId id, const std::string& reason, bool kill) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  Worker& worker = found->second->worker;
  log::info(kill ? "worker killed" : "worker gone", {{"slot", id.slot}, {"generation", id.generation}, {"pid", worker.peer().pid},
                                                    {"reason", reason}, {"sessions", worker.sessions().open()}});
  if (kill) worker.kill();
  worker.abandon();
  worker.sessions().each([&](std::uint32_t slot, Session& session) {
    if (park_if_kept(id, worker.sessions(), slot, close_code::going_away)) return;
    forget_session(id, slot, session);
    worker.sessions().close(session);
  });
  gone_edges_.add(worker.segments());
  std::erase(touched_, found->second.get());
  std::erase(turn_order_, id);
  workers_.erase(found);
  slots_.release(id);
  manager_.acknowledge();
  pushes_.on_worker_gone(id);
}

RingLoop::Attached* RingLoop::find(WorkerId id) {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second.get();
}

}  // namespace nuropb::meshd
