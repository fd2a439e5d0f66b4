#pragma once
// The objects of meshd, in the order in which they are made: private to meshd.cpp, which tells them of each other. They end in the
// reverse of this order. An object may keep a reference to one below, but uses it only once the loop runs.

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "common/life_sign.hpp"
#include "common/scheduling_by_load.hpp"
#include "meshd/admin/admin_operations.hpp"
#include "meshd/admin/console_api.hpp"
#include "meshd/admin/metrics_collector.hpp"
#include "meshd/admin/reloader.hpp"
#include "meshd/admin_socket.hpp"
#include "meshd/faces.hpp"
#include "meshd/meshd.hpp"
#include "meshd/metrics_listener.hpp"
#include "meshd/push/edge_pusher.hpp"
#include "meshd/routing/mesh_inbox.hpp"
#include "meshd/routing/record_dispatcher.hpp"
#include "meshd/workers/turn_scheduler.hpp"
#include "meshd/workers/worker_acceptor.hpp"

namespace nuropb::meshd {

/// What everything else stands on, and what sessions hold places in.
struct Meshd::Foundation {
  explicit Foundation(Parts& parts);
  Foundation(const Foundation&) = delete;
  Foundation& operator=(const Foundation&) = delete;

  const Config& config;
  const Clock& clock;
  Authorizer& authorizer;
  MeshAuthorizer* mesh_authorizer;
  SealedTickets tickets;

  boost::asio::io_context io{1};
  boost::asio::signal_set signals{io, SIGTERM, SIGINT, SIGHUP};
  Timers timers{io, clock};
  Timers::Timer beat_timer{timers};
  LifeSign life_sign;
  SchedulingByLoad load{clock};
  RuntimeKeeper runtime;
  SocketMaker sockets;
  int exit_code = 0;

  BatchTimes times;
  RequestDeadline deadline{clock, milliseconds(config.request.max_ttl_ms)};
  UserQuotas quotas{config, clock};
  Mailboxes mailboxes{
      {std::min<std::size_t>(config.resume.mailbox_bytes, config.limits.send_queue_bytes), config.resume.total_bytes}};
  RequestTracing tracing;
  EarlyResponses early{clock};
  BrokerStatus broker;
};

/// Everything else.
struct Meshd::Loop : Foundation {
  explicit Loop(Parts&& parts);
  ~Loop() { authorizer.stop(); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  void open_faces(const Parts& parts);
  WorkerPool::Callbacks worker_callbacks();
  void wait_for_signal();
  void beat();
  void leave();

  DetachedSessions detached{config.resume, clock, mailboxes, sessions, [this] { resume.arm_timer(); }};
  WorkerPool workers{io, timers, worker_callbacks()};
  AllSessions all{workers, detached.table(), mailboxes};
  TapRecorder taps{config.admin.tap, clock, mailboxes,
                   [this](const std::function<void(WorkerId, SessionTable&)>& work) { all.each_table(work); }};
  MailboxDelivery delivery{mailboxes, workers, faces, [this] { resume.arm_timer(); }};
  ResponseRouter responses{{faces, workers, quotas, tracing, taps, delivery, early, mesh_authorizer}};
  SubscriptionManager subscriptions{config.events, clock, faces, quotas, all, delivery, responses};
  SessionManager sessions;
  ResumeService resume{{config, clock, timers, tickets, deadline, mailboxes, delivery, detached, sessions,
                        subscriptions, faces, workers, responses}};
  SnorkyGateway snorky;
  EdgePusher pusher{{io, timers, workers, all, sessions, detached, mailboxes, delivery, taps, faces}};
  EventRouter events{config, clock, workers, delivery, taps};
  RequestRouter requests{
      {config, clock, io, times, deadline, faces, workers, quotas, tracing, responses, broker, mesh_authorizer}};
  RecordDispatcher dispatcher{{config, deadline, faces, sessions, subscriptions, requests, resume, delivery, snorky,
                               pusher, responses, tracing, taps,
                               [this](WorkerId worker, std::uint64_t sequence, const records::ConsoleCall& call) {
                                 console.handle(worker, sequence, call);
                               }}};
  TurnScheduler turns{io, clock, times, load, workers, dispatcher};
  MeshInbox inbox{{config, clock, times, faces, workers, turns, requests, responses, events, subscriptions, early,
                   broker, mesh_authorizer, [this] {
                     exit_code = 1;
                     io.stop();
                   }}};
  WorkerAcceptor acceptor;
  Reloader reloader;
  MetricsCollector collector{{config, workers, faces, quotas, sessions, mailboxes, detached, resume, requests,
                              responses, events, inbox, broker, tracing, snorky, authorizer, runtime, admin}};
  AdminOperations operations{config, clock, workers, faces, collector, reloader};
  ConsoleApi console{config, clock, authorizer, operations, workers};

  Faces faces;        // their thread wakes the loop above
  AdminSocket admin;  // last: these look at all of the above
  MetricsListener metrics_listener;
};

}  // namespace nuropb::meshd
