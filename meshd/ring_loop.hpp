#pragma once
// meshd's own thread: accepts workers, reads their request rings in turns, hands requests to the ServiceMeshManager,
// and puts answers into return rings. It waits for nothing but its epoll: not for the broker (a thread of its own, with
// bounded queues between) and not for a worker (budgets, bounded outboxes).
//
//   request ring ──► next() ──► table of verbs ──► to_outgoing() ──► publish()        each worker in turn, within a
//   return ring ◄── send()  ◄── to_returned()  ◄── take_events()                      budget of records and bytes
//                           ◄── Subscriptions  ◄──

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/life_sign.hpp"
#include "common/log_pause.hpp"
#include "common/sandbox.hpp"
#include "common/scheduling_by_load.hpp"
#include "meshd/admin_socket.hpp"
#include "meshd/attach_limit.hpp"
#include "meshd/auth/authorizer.hpp"
#include "meshd/auth/mesh_authorizer.hpp"
#include "meshd/expiries.hpp"
#include "meshd/face.hpp"
#include "meshd/mailbox.hpp"
#include "meshd/metrics.hpp"
#include "meshd/metrics_listener.hpp"
#include "meshd/parking.hpp"
#include "meshd/peers.hpp"
#include "meshd/policy.hpp"
#include "meshd/pushes.hpp"
#include "meshd/refusal_log.hpp"
#include "meshd/request_encryption.hpp"
#include "meshd/runtime_dir.hpp"
#include "meshd/runtime_keeper.hpp"
#include "meshd/sealed_tickets.hpp"
#include "meshd/socket_maker.hpp"
#include "meshd/snorky/hub.hpp"
#include "meshd/service_mesh_manager.hpp"
#include "meshd/session_index.hpp"
#include "meshd/subscriptions.hpp"
#include "meshd/tracing/otlp.hpp"
#include "meshd/tap_recorder.hpp"
#include "meshd/timers.hpp"
#include "meshd/translate.hpp"
#include "meshd/user_limits.hpp"
#include "meshd/user_patterns.hpp"
#include "meshd/user_pending.hpp"
#include "meshd/worker.hpp"
#include "meshd/worker_slots.hpp"

namespace nuropb::meshd {

class RingLoop : private Pushes::Edges {
 public:
  struct Parts {
    const Config& config;
    std::string control_socket;
    std::string admin_socket;
    std::string admin_key;
    std::string instance_id;
    SealedTickets tickets;
    Authorizer& authorizer;
    MeshAuthorizer* mesh_authorizer;  ///< part of it, or nullptr
    Policy policy;
    std::shared_ptr<PeerKeys> peer_keys;  ///< nothing: gateways of one service share no key
    mesh::RequestKeys keys;
    mesh::TransportSettings transport;
    std::optional<snorky::Hub::Parts> snorky;
    std::optional<sandbox::Identity> edge_user;  ///< of edges that are not of our own user
    std::unique_ptr<OtlpExporter> spans;         ///< nothing: none are made
    RuntimeKeeper::Settings runtime;
    SocketMaker sockets;
    const Clock& clock;
    /// Makes the carrier of each kind of handlers, in their order. Empty: as gateway.mesh says.
    mesh::Carrier::Factory carrier{};
  };
  explicit RingLoop(Parts parts);
  ~RingLoop() override;

  /// Opens the control socket. Workers are taken from here on; the broker counts as away until connect_broker().
  Result<void> start();
  /// Starts towards the broker. Any thread.
  void connect_broker();
  /// Until SIGTERM or SIGINT, or until the broker ends us for good. The exit code.
  int run();
  /// In place of run(), for tests: runs one handler that is ready. False: none is.
  bool step() { return io_.poll_one() > 0; }
  /// For tests, which step the clock.
  Timers& timers() { return timers_; }

 private:
  struct Attached;  // a worker and its place in the loop
  struct Newcomer;  // a connection that has not said hello yet
  using WorkerKey = WorkerId;

  // Workers coming (ring_newcomers.cpp)
  Result<void> let_edges_in();
  Result<void> listen_again();
  void wait_for_connection();
  bool accept_some();
  bool comes_too_often(const shm::PeerCredentials& peer);
  void on_newcomer(const std::shared_ptr<Newcomer>& newcomer);
  void attach(Newcomer& newcomer, const shm::Hello& hello);
  [[nodiscard]] std::optional<WorkerId> worker_of(pid_t process) const;

  // Workers going (ring_loop.cpp)
  void wait_for_end(Attached& attached);
  void on_control(WorkerId id);
  void wait_for_doorbell(Attached& attached);
  void on_doorbell(WorkerId id, std::size_t bells);
  void detach(WorkerId id, const std::string& reason, bool kill);
  void drain_ring(Attached& attached);
  void wait_for_signal();
  void leave();
  void beat();

  // The way out (ring_traffic.cpp)
  void activate(Attached& attached);
  void schedule_turn();
  void turn();
  bool read_requests(Attached& attached);
  bool dispatch(Attached& attached, const shm::RecordHeader& header, const std::string& payload);
  bool consumers_record(Attached& attached, const shm::RecordHeader& header, const std::string& payload);
  std::optional<Returned> refused_by_policy(records::Type type, const records::Request& request, const Session& session,
                                            const ReturnAddress& from) const;
  static std::optional<Returned> refused_by_policy(const records::Event& event, const Session& session,
                                                   const ReturnAddress& from);
  bool publish(Attached& attached, Face& face, Result<mesh::Outgoing> message, std::string_view method = {});
  void send_encrypted(Face& face);
  void publish_waiting();
  [[nodiscard]] bool outgoing() const;

  // The way back (ring_answers.cpp)
  void on_events(Face& face);
  void on_report(Face& face, mesh::Report&& report, SteadyTime now);
  void on_state(const ServiceMeshManager::StateChange& change);
  bool keep_for_absent(Returned& returned, ServiceMeshManager::Receipt receipt);
  void deliver_kept(WorkerId id);
  void drop_kept();
  void deliver(Returned&& returned, std::optional<ServiceMeshManager::Receipt> receipt);
  void touch(Attached& attached);
  void flush_touched();

  // Who the sessions are (ring_sessions.cpp)
  bool open_session(Attached& attached, const std::string& payload);
  void judged(WorkerId worker, std::uint32_t slot, std::uint32_t serial, const std::string& address, Verdict verdict);
  void authorize(const records::Authorize& record, Session& session, const ReturnAddress& from);
  void judged_again(const ReturnAddress& from, std::uint32_t serial, Verdict verdict);
  void take_identity(Attached& attached, std::uint32_t slot, Session& session, Identity identity);
  void reconsider_topics(Attached* attached, WorkerId worker, std::uint32_t slot, Session& session);
  void end_session(Attached& attached, std::uint32_t slot, Session& session, std::uint16_t code,
                   std::string_view reason);
  void close_session(Attached& attached, std::uint32_t slot, Session& session, std::uint16_t code,
                     std::string_view reason);
  /// All, those that wait for their consumers too: these have no worker.
  template <class Work>
  void each_session(Work&& work);
  void forget_session(WorkerId worker, std::uint32_t slot, Session& session);
  void look_at_expiries();
  bool ask_mesh(mesh::Outgoing&& question, const std::string& method);
  std::string reload();  // what of it could not be read, or nothing

  // Limits (ring_limits.cpp)
  std::optional<std::string> over_user_rates(Attached& attached, std::uint32_t slot, Session& session,
                                             std::size_t bytes, bool said_again);
  bool within_user_rates(Attached& attached, const shm::RecordHeader& header, Session& session,
                         const ReturnAddress& from);
  bool may_wait(records::Type type, const records::Request& request, const Session& session, const ReturnAddress& from);
  void log_refused(std::string_view user, std::string_view limit);
  bool admit_user(Attached& attached, std::uint32_t slot, Session& session, std::string_view user_id);

  // Events (ring_events.cpp)
  void subscribe(const records::Subscription& record, Session& session, const ReturnAddress& from);
  void unsubscribe(const records::Subscription& record, Session& session, const ReturnAddress& from);
  void forget_subscriptions(WorkerId worker, std::uint32_t slot, Session& session);
  void end_subscription(Attached* attached, std::uint32_t slot, Session& session, const std::string& topic,
                        std::string_view error, std::string_view why);
  void on_pattern(Face& face, const ServiceMeshManager::Pattern& news);
  void on_spelling(Face& face, const ServiceMeshManager::Pattern& news);
  static void release(Face& face, std::string_view pattern);
  void on_mesh_event(Face& face, const mesh::Incoming& message);

  // Numbered messages, sessions that wait for their consumers (ring_resume.cpp)
  bool resume_record(Attached& attached, const shm::RecordHeader& header, const std::string& payload);
  void number_messages(WorkerId worker, std::uint32_t slot, Session& session, std::uint64_t last);
  void say_answer(WorkerId worker, const records::Resume& record, Session& session);
  void keep_messages(Attached& attached, const records::Resume& record, Session& session, const ReturnAddress& from);
  void take_up(Attached& attached, const records::Resume& record, Session& fresh, const ReturnAddress& from);
  void tell_resumed(Attached& attached, const Session& session, std::uint64_t sequence);
  [[nodiscard]] std::string resume_json(std::string_view token) const;
  [[nodiscard]] ReturnAddress holder(WorkerId worker, std::uint32_t slot, const Session& session);
  [[nodiscard]] SteadyTime deadline_of(std::uint64_t ring_ms) const;
  std::optional<ReturnAddress> wait_for_answer(Session& session, records::Type verb, const ReturnAddress& from,
                                               std::string_view trace_id, SteadyTime deadline, std::string_view topic);
  template <class Record>
  bool note_pending(const Record& record, records::Type type, Session& session, const ReturnAddress& from);
  bool deliver_numbered(const Returned& returned);
  void end_pending(Mailbox& box, std::uint64_t number, std::string_view result, std::string_view error,
                   RequestOutcome outcome, const records::Stages& stages = {});
  void say(Mailbox& box, std::shared_ptr<const std::string> text);
  void say(Mailbox& box, std::string text);
  void say_event(HandlerKind kind, const std::string& routing_key, const std::string& payload);
  void push_numbered(records::Type type, const std::string& payload);
  void hand_over(Mailbox& box);
  void hand_over_waiting(Attached& attached);
  void close_overrun();
  void drop_topic(Mailbox& box, Session& session, const std::string& topic);
  bool park_if_kept(WorkerId worker, SessionTable& table, std::uint32_t slot, std::uint16_t code);
  void park(WorkerId worker, SessionTable& table, std::uint32_t slot);
  std::unique_ptr<Session> unpark(Mailbox& box);
  void send_away(Attached& attached, std::uint32_t slot, std::uint32_t serial, std::uint16_t code,
                 std::string_view reason);
  void drop_parked(Mailbox& box, std::string_view reason);
  void remember_ended(const Session& session, std::string_view reason);
  void arm_resume_timer();
  void look_at_mailboxes();

  // Snorky (ring_snorky.cpp)
  class SnorkyOutlet;
  void start_snorky(std::optional<snorky::Hub::Parts> parts);
  bool snorky_record(Attached& attached, const shm::RecordHeader& header, const std::string& payload);
  bool backend_record(Attached& attached, const shm::RecordHeader& header, const std::string& payload);
  void send_to_worker(WorkerId id, records::Type type, std::uint64_t sequence, std::string payload);
  [[nodiscard]] bool takes_anonymous() const;
  [[nodiscard]] Policy::Session policy_of(const Identity& identity) const;

  // Pushes to many sessions, here and at other gateways (ring_pushes.cpp)
  void each(const std::function<void(WorkerId, SessionTable&)>& work) override;
  void send(WorkerId worker, records::Type type, std::string payload) override;
  void tick_soon() override;
  [[nodiscard]] bool is_worker(pid_t who) const;
  void operate(const std::string& name, const std::string& body, std::function<void(AdminSocket::Answer)> answer);

  // What is measured and told (ring_metrics.cpp)
  void measure_read(Attached& attached, const ReturnAddress& from, const records::Origin& origin);
  void measure_report(Attached& attached, const ReturnAddress& to, const mesh::Report& report);
  records::Stages measure_answer(Attached& attached, const ReturnAddress& to, bool from_service);
  /// Spans are made, or lines of a trace are logged.
  [[nodiscard]] bool traced() const { return spans_ || log::enabled(log::Level::debug); }
  template <class Record, class Send>
  bool in_span(records::Type verb, std::string_view service, std::string_view method, const Session& session,
               const ReturnAddress& from, const Record& record, const Send& send);
  std::string begin_span(records::Type verb, std::string_view service, std::string_view method, const Session& session,
                         const ReturnAddress& from, std::string_view raw_trace_id, const records::Origin& origin,
                         std::uint64_t deadline_ms);
  void end_span(const Returned& returned, const records::Stages& stages);
  SlotCounts& slot_counts(std::uint32_t slot);
  SlotCounts look_at(Attached& attached);
  void keep_counts(Attached& attached);
  [[nodiscard]] Readiness readiness() const;
  Pages pages();
  // What operators ask and do, by hand or at the console (ring_admin.cpp)
  using AdminDone = std::function<void(const Result<nlohmann::json>&)>;
  bool gateway_operation(std::string_view name, const nlohmann::json& params, const AdminDone& done);
  [[nodiscard]] nlohmann::json status();
  Result<nlohmann::json> signal_worker(const nlohmann::json& params, int number);
  Result<nlohmann::json> reload_all();
  bool console_record(Attached& attached, const shm::RecordHeader& header, const std::string& payload);
  std::pair<std::uint16_t, std::string> console_answer(const Verdict& verdict, const std::string& what,
                                                       const std::string& params);

  [[nodiscard]] std::string metrics();
  [[nodiscard]] Counted count();
  // What the kinds of handlers don't share. The WebSockets' face serves all that is of the gateway as a whole, too: Snorky,
  // backends, authorization by a service.
  Face* face(HandlerKind kind) { return faces_[index_of(kind)].get(); }  // nullptr: the config does not open that kind
  Face& face(const Session& session) { return *faces_[index_of(session.handler)]; }
  Face& web() { return *faces_.front(); }
  void each_face(const std::function<void(Face&)>& work);
  void delivered(const ServiceMeshManager::Receipt& receipt) { web().manager.delivered(receipt); }
  [[nodiscard]] ReturnAddress address(WorkerId worker, std::uint32_t slot, const Session& session) {
    return face(session).address(worker, slot);
  }
  Attached* find(WorkerId id);

  const Config& config_;
  std::string control_socket_;
  std::optional<sandbox::Identity> edge_user_;
  SealedTickets tickets_;
  Authorizer& authorizer_;
  MeshAuthorizer* mesh_authorizer_;
  Expiries expiries_;
  ClockSteps clock_steps_{Moment::now()};
  Policy policy_;
  std::shared_ptr<PeerKeys> peer_keys_;  // nothing: gateways of one service share no key
  std::vector<WorkerId> interested_;     // in the event at hand; reused
  const Clock& clock_;
  const SteadyTime started_ = clock_.now();
  UserLimits users_;  // these outlive the sessions in workers_
  UserPatterns user_patterns_;
  UserPending user_pending_;
  log::Pause user_pause_{std::chrono::seconds(1)};
  RefusedByLimit refused_;
  std::uint64_t killed_workers_ = 0;
  LoopCounts counts_;
  std::unique_ptr<OtlpExporter> exporter_;  // nothing: no spans are made
  std::optional<Spans> spans_;
  std::map<std::uint32_t, SlotCounts> slots_seen_;  // of edges that are gone, by slot; no more than 256
  double started_at_ = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  WorkerSlots slots_;
  AttachLimit attach_limit_;
  RequestSettings request_settings_;

  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_;
  Timers timers_{io_, clock_};
  Timers::Timer beat_timer_{timers_};
  LifeSign life_sign_;
  SchedulingByLoad scheduling_{clock_};
  std::unique_ptr<shm::ControlListener> listener_;
  RuntimeKeeper runtime_keeper_;
  SocketMaker socket_maker_;
  boost::asio::posix::stream_descriptor listener_wait_;
  Timers::Timer listener_pause_{timers_};
  Mailboxes mailboxes_;              // outlives the sessions in workers_ and parked_
  SessionTable parked_{UINT32_MAX};  // sessions that wait for their consumers
  std::uint32_t parked_slots_ = 0;
  std::vector<std::uint32_t> free_parked_;
  Parking parking_;                              // the same by their mailboxes: until when, and who gives way
  std::map<SessionId, std::string_view> ended_;  // why those that were kept are no more
  std::deque<SessionId> ended_order_;
  std::vector<Mailbox*> boxes_;  // in the event at hand; reused
  ResumeCounts resumes_;
  Timers::Timer resume_timer_{timers_};
  SteadyTime resume_timer_at_ = SteadyTime::max();
  std::map<WorkerId, std::unique_ptr<Attached>> workers_;
  std::size_t newcomers_ = 0;

  Timers::Timer push_timer_{timers_};

  std::vector<WorkerId> turn_order_;  // workers that may have something to read
  std::vector<Attached*> touched_;    // workers with records staged in this turn
  std::string payload_;               // reused for every record
  SteadyTime moment_{};               // when the batch at hand was begun
  SteadyTime turn_began_{};           // of reading one ring: what is read in it has come by then
  bool turn_scheduled_ = false;
  std::vector<std::pair<Returned, ServiceMeshManager::Receipt>> absent_;  // answers for edges that have not come yet
  std::size_t absent_bytes_ = 0;
  SteadyTime absent_until_ = SteadyTime::max();  // set once we can get any
  mesh::State broker_ = mesh::State::connecting;
  bool leaving_ = false;  // the end of run()
  int exit_code_ = 0;

  log::Pause newcomers_pause_{std::chrono::seconds(10)}, often_pause_{std::chrono::seconds(10)},
      dropped_pause_{std::chrono::seconds(10)}, refused_pause_{std::chrono::seconds(10)};
  RefusalLog refusal_log_;
  std::uint64_t dropped_events_ = 0;

  TapRecorder taps_;
  std::string console_status_;  // for those who ask in the same moment
  SteadyTime console_status_until_{};
  log::Pause backend_pause_{std::chrono::seconds(10)}, console_pause_{std::chrono::seconds(10)};
  std::unique_ptr<snorky::Outlet> snorky_outlet_;
  std::unique_ptr<snorky::Hub> snorky_;  // nullptr: the config wants none

  std::array<std::unique_ptr<Face>, handler_kinds> faces_;  // their thread wakes the loop above
  AdminSocket admin_;                                       // last: these look at all of the above
  MetricsListener metrics_listener_;
};

}  // namespace nuropb::meshd
