#include "meshd/workers/worker_acceptor.hpp"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "common/crash_points.hpp"
#include "common/log.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::size_t max_newcomers = 64;
constexpr int accepted_at_once = 16, turned_away_at_once = 64;
constexpr auto accept_pause = std::chrono::milliseconds(20);  // after that many; what else there is to do comes first
constexpr auto hello_timeout = std::chrono::seconds(2);

std::uint64_t wall_clock_ms() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

}  // namespace

struct WorkerAcceptor::Newcomer {
  Newcomer(boost::asio::io_context& io, shm::ControlChannel&& c, shm::PeerCredentials p)
      : channel(std::move(c)), peer(p), wait(io, channel.fd()), deadline(io) {}
  ~Newcomer() { wait.release(); }
  Newcomer(const Newcomer&) = delete;
  Newcomer& operator=(const Newcomer&) = delete;
  shm::ControlChannel channel;
  shm::PeerCredentials peer;
  boost::asio::posix::stream_descriptor wait;
  boost::asio::steady_timer deadline;
};

WorkerAcceptor::WorkerAcceptor(Parts parts)
    : config_(parts.config),
      clock_(parts.clock),
      io_(parts.io),
      workers_(parts.workers),
      tickets_(parts.tickets),
      control_socket_(std::move(parts.control_socket)),
      edge_user_(std::move(parts.edge_user)),
      broker_(std::move(parts.broker)),
      on_delivered_(std::move(parts.on_delivered)),
      slots_(parts.config.gateway.max_workers, wall_clock_ms()),
      attach_limit_(parts.config.gateway.max_workers),
      wait_(parts.io),
      pause_(parts.timers) {}

WorkerAcceptor::~WorkerAcceptor() {
  if (wait_.is_open()) wait_.release();  // the listener owns the descriptor
}

Result<void> WorkerAcceptor::listen() {
  auto listener = shm::ControlListener::listen(control_socket_);
  if (!listener) return tl::unexpected(listener.error());
  listener_ = std::make_unique<shm::ControlListener>(std::move(*listener));
  if (const auto given = let_edges_in(); !given) return given;
  wait_.assign(listener_->fd());
  return {};
}

Result<void> WorkerAcceptor::let_edges_in() {
  if (edge_user_ && (::chown(control_socket_.c_str(), static_cast<uid_t>(-1), edge_user_->gid) != 0 ||
                     ::chmod(control_socket_.c_str(), 0660) != 0)) {
    return failure("can't be given to the group of hardening.edge_user", control_socket_);
  }
  return {};
}

Result<void> WorkerAcceptor::listen_again(const std::function<Result<shm::UniqueFd>()>& make) {
  for (int turns = 0; turns < 4 && accept_some(); ++turns) {}
  pause_.cancel();
  wait_.release();
  const auto again = listener_->listen_again(make);
  wait_.assign(listener_->fd());
  wait();
  return again;
}

void WorkerAcceptor::wait() {
  wait_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (error) return;
    if (!accept_some()) return wait();
    pause_.after(accept_pause, [this] { wait(); });
  });
}

/// True if there may be more of them than are looked at in one turn.
bool WorkerAcceptor::accept_some() {
  for (int taken = 0, turned_away = 0; taken < accepted_at_once && turned_away < turned_away_at_once;) {
    auto channel = listener_->accept();
    if (!channel) return false;
    const auto peer = channel->peer();
    if (peer && comes_too_often(*peer)) {
      ++turned_away;
      continue;
    }
    ++taken;
    if (!peer || (peer->uid != ::geteuid() && peer->uid != 0 && !(edge_user_ && peer->uid == edge_user_->uid))) {
      if (const auto left_out = newcomers_pause_.due(clock_.now())) {
        log::warning("connection to the control socket refused",
                     {{"reason", "another user's process"}, {"uid", peer ? peer->uid : 0}, {"left_out", *left_out}});
      }
      (void)channel->send_refusal({"this meshd takes workers of its own user and of hardening.edge_user only"});
      continue;
    }
    if (newcomers_ >= max_newcomers) continue;  // closed: it may come again
    auto newcomer = std::make_shared<Newcomer>(io_, std::move(*channel), *peer);
    ++newcomers_;
    newcomer->deadline.expires_after(hello_timeout);
    newcomer->deadline.async_wait([newcomer](const boost::system::error_code& error) {
      if (!error) newcomer->wait.cancel();
    });
    await_hello(newcomer);
  }
  return true;
}

/// Its connection is closed without a word, which costs next to nothing. If it is a worker, it is no honest one.
bool WorkerAcceptor::comes_too_often(const shm::PeerCredentials& peer) {
  if (attach_limit_.may_connect(peer.pid, clock_.now())) return false;
  if (const auto left_out = often_pause_.due(clock_.now())) {
    log::warning("connection to the control socket refused",
                 {{"reason", "its process comes too often"}, {"pid", peer.pid}, {"left_out", *left_out}});
  }
  if (const auto id = workers_.worker_of(peer.pid)) workers_.detach(*id, "connects without end", true);
  return true;
}

void WorkerAcceptor::await_hello(const std::shared_ptr<Newcomer>& newcomer) {
  newcomer->wait.async_wait(
      boost::asio::posix::stream_descriptor::wait_read, [this, newcomer](const boost::system::error_code& error) {
        newcomer->deadline.cancel();
        --newcomers_;
        if (error) return;
        auto received = newcomer->channel.receive();
        using What = shm::ControlChannel::Received::What;
        if (received.what == What::hello) {
          // The worker is the process that says hello. Another one may have connected for it (edge/process/control_dialer.hpp).
          const bool known = received.sender && received.sender->uid == newcomer->peer.uid;
          if (!known) {
            (void)newcomer->channel.send_refusal({"the hello is not from the user who has connected"});
            return;
          }
          newcomer->peer = *received.sender;
          attach(*newcomer, received.hello);
        } else if (received.what != What::closed) {
          if (const auto left_out = newcomers_pause_.due(clock_.now()))
            log::warning("no hello on the control socket",
                         {{"pid", newcomer->peer.pid}, {"reason", received.rubbish}, {"left_out", *left_out}});
        }
      });
}

void WorkerAcceptor::attach(Newcomer& newcomer, const shm::Hello& hello) {
  const auto refuse = [&](const std::string& reason) {
    if (const auto left_out = newcomers_pause_.due(clock_.now()))
      log::error("worker refused", {{"pid", newcomer.peer.pid}, {"reason", reason}, {"left_out", *left_out}});
    (void)newcomer.channel.send_refusal({reason});
  };
  if (hello.abi != shm::abi) {
    return refuse("ABI " + std::to_string(hello.abi) + " is not ABI " + std::to_string(shm::abi) +
                  ": edge and meshd are of different versions");
  }
  // A process has one worker. A process that connects again has left its former worker, or tries to occupy every slot.
  if (const auto left = workers_.worker_of(newcomer.peer.pid))
    workers_.detach(*left, "its process has come again", false);
  const auto former = tickets_.open_worker(hello.ticket);
  const bool reclaimed = former && slots_.reclaimable(*former);
  if (!attach_limit_.may_attach(reclaimed, clock_.now()))
    return refuse("too many workers come at once; try again in a moment");
  const auto id = reclaimed ? slots_.reclaim(*former) : slots_.claim();
  if (!id)
    return refuse("all " + std::to_string(config_.gateway.max_workers) +
                  " worker slots are taken (gateway.max_workers)");

  auto segments =
      shm::MeshdSegments::create(id->slot, id->generation, {config_.rings.request_bytes, config_.rings.return_bytes});
  if (!segments) {
    slots_.release(*id);
    return refuse("no shared memory: " + segments.error().text());
  }
  shm::UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, newcomer.peer.pid, 0)));
  segments->set_broker(broker_());
  auto bells = shm::Doorbell::pair();
  if (!bells) {
    slots_.release(*id);
    return refuse(bells.error().text());
  }
  auto& [ours, theirs] = *bells;
  if (const auto sent = newcomer.channel.send_welcome({id->slot, id->generation, tickets_.seal_worker(*id)},
                                                      segments->fd_m(), segments->fd_e(), theirs);
      !sent) {
    slots_.release(*id);
    return refuse(sent.error().text());
  }
  NUROPB_CRASH_POINT(worker_welcomed);
  segments->close_fds();

  newcomer.wait.release();
  const WorkerLimits limits{config_.limits.connections, config_.limits.message_bytes,
                            std::size_t{4} * config_.rings.return_bytes};
  Worker worker(*id, std::move(newcomer.channel), std::move(ours), std::move(*segments), newcomer.peer,
                std::move(pidfd), limits);
  worker.on_delivered = on_delivered_;
  log::info("worker attached",
            {{"slot", id->slot}, {"generation", id->generation}, {"pid", newcomer.peer.pid}, {"reclaimed", reclaimed}});
  workers_.adopt(std::move(worker));
}

}  // namespace nuropb::meshd
