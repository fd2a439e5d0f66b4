#pragma once
// Makes workers of the processes that connect to the control socket: checks who they are, what they say, and how often they come,
// and gives each a slot, memory and a doorbell. All of it is limited, since a process that may connect can do so without end.
//
//   connect ──► accepted ──► hello, in time ──► checked ──► welcome ──► WorkerPool::adopt()
//
// Owner thread: the event loop.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/log_pause.hpp"
#include "common/result.hpp"
#include "common/sandbox.hpp"
#include "meshd/workers/attach_limit.hpp"
#include "meshd/sealed_tickets.hpp"
#include "meshd/timers.hpp"
#include "meshd/workers/worker_pool.hpp"
#include "meshd/workers/worker_slots.hpp"
#include "shm/control.hpp"

namespace nuropb::meshd {

class WorkerAcceptor {
 public:
  struct Parts {
    const Config& config;
    const Clock& clock;
    boost::asio::io_context& io;
    Timers& timers;
    WorkerPool& workers;
    SealedTickets tickets;
    std::string control_socket;
    std::optional<sandbox::Identity> edge_user;  ///< of edges that are not of our own user
    /// What a new edge reads of the broker.
    std::function<shm::BrokerState()> broker;
    /// A response lies in its worker's return ring.
    std::function<void(const mesh::Delivery&)> on_delivered;
  };
  explicit WorkerAcceptor(Parts parts);
  ~WorkerAcceptor();
  WorkerAcceptor(const WorkerAcceptor&) = delete;
  WorkerAcceptor& operator=(const WorkerAcceptor&) = delete;

  /// Opens the control socket; wait() accepts from it.
  Result<void> listen();
  void wait();
  /// Whether the socket's path still leads here.
  [[nodiscard]] bool there() const { return listener_->there(); }
  /// Listens at the same path again, with the descriptor that `make` gives. Those that wait at the former socket come first.
  Result<void> listen_again(const std::function<Result<shm::UniqueFd>()>& make);

  /// A worker is gone: its slot is free.
  void release(WorkerId id) { slots_.release(id); }

 private:
  struct Newcomer;  // a connection on which no hello has come yet
  Result<void> let_edges_in();
  bool accept_some();
  bool comes_too_often(const shm::PeerCredentials& peer);
  void await_hello(const std::shared_ptr<Newcomer>& newcomer);
  void attach(Newcomer& newcomer, const shm::Hello& hello);

  const Config& config_;
  const Clock& clock_;
  boost::asio::io_context& io_;
  WorkerPool& workers_;
  SealedTickets tickets_;
  std::string control_socket_;
  std::optional<sandbox::Identity> edge_user_;
  std::function<shm::BrokerState()> broker_;
  std::function<void(const mesh::Delivery&)> on_delivered_;
  WorkerSlots slots_;
  AttachLimit attach_limit_;
  std::unique_ptr<shm::ControlListener> listener_;
  boost::asio::posix::stream_descriptor wait_;
  Timers::Timer pause_;
  std::size_t newcomers_ = 0;
  log::Pause newcomers_pause_{std::chrono::seconds(10)}, often_pause_{std::chrono::seconds(10)};
};

}  // namespace nuropb::meshd
