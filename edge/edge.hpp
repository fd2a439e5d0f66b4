#pragma once
// An edge: consumers on one side, meshd on the other, and the rules between them.
//
//   WebSocketListener,
//   LineListener ─────── admit, on_open, messages ──► Edge ── records ──► MeshLink ──► request ring
//        ▲                                             │  │
//        └──── answers, events, close codes ───────────┘  └── PendingRequests (who waits), HandlerManager (who is here)
//
// Everything runs on one io_context in one thread. Edge owns all parts; handlers are owned by their connections and
// known here by slot.

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "common/config.hpp"
#include "common/log_pause.hpp"
#include "common/topic.hpp"
#include "edge/sessions/consumer_handler.hpp"
#include "edge/sessions/guess_limit.hpp"
#include "edge/sessions/handler_manager.hpp"
#include "edge/http_api/http_port.hpp"
#include "edge/line_listener.hpp"
#include "edge/sessions/memory_budget.hpp"
#include "edge/link/mesh_link.hpp"
#include "edge/sessions/pending_requests.hpp"
#include "edge/websocket.hpp"

namespace nuropb::edge {

struct ClientRequest;
struct SnorkyRequest;

class Edge {
 public:
  /// How its certificates and keys are read (tls.hpp); nothing: by itself.
  using ReadFile = std::function<Result<std::string>(const std::string& file)>;
  Edge(const Config& config, MeshLink::Connect connect, const ReadFile& read_certificates = {});
  ~Edge();

  /// Starts to listen.
  Result<void> start();
  [[nodiscard]] std::uint16_t port() const { return listener_->port(); }
  /// Where JSON lines are spoken; 0: nowhere.
  [[nodiscard]] std::uint16_t lines_port() const { return lines_ ? lines_->port() : 0; }
  /// Where backends are heard; 0: nowhere.
  [[nodiscard]] std::uint16_t backend_port() const { return backend_ ? backend_->port() : 0; }
  /// Where the console is; 0: nowhere.
  [[nodiscard]] std::uint16_t console_port() const { return console_ ? console_->port() : 0; }
  /// Attaches to meshd, and serves. Until a signal has ended it and it has drained. The exit code.
  int run();

  // For handlers.
  [[nodiscard]] const Config::Limits& limits() const { return config_.limits; }
  /// Of the sessions of one kind.
  HandlerManager& manager(HandlerKind kind) { return managers_[index_of(kind)]; }
  /// Nothing, once the message was dealt with. Else it can't go on now, and the handler holds it back: it will be
  /// resumed when it can, or at this time, when its sender stops waiting.
  std::optional<SteadyTime> handle_message(ConsumerHandler& handler, std::string_view text, SteadyTime arrived);
  /// Looks at the clock: what is taken up until the next look is taken up at this moment.
  SteadyTime look() { return moment_ = clock_.now(); }
  void count(shm::EdgeCounter which, std::uint64_t by = 1) { link_.count(which, by); }
  /// What sockets may keep in memory together; relieved at once from where nobody walks over sockets, and soon from elsewhere.
  MemoryBudget& memory() { return memory_; }
  void relieve_memory() { memory_.relieve(); }
  void relieve_memory_soon();
  /// Says that a client's socket is closed for a limit.
  void log_closed(const ConsumerHandler& handler, std::string_view limit);
  void count_close(std::uint16_t code) { link_.count_close(code); }
  void count_outcome(RequestOutcome which) { link_.count_outcome(which); }
  /// Answers a message that is not looked at any further.
  void refuse_over_rate(ConsumerHandler& handler, std::string_view text, RateLimit::Over over);
  /// Of a socket that has shown no token yet (auth.first_message).
  void on_first_message(ConsumerHandler& handler, std::string_view text);
  void on_held(ConsumerHandler& handler);
  /// Sends what the last meshd never took, as far as it can go now.
  void send_again(ConsumerHandler& handler);
  void on_released(ConsumerHandler& handler);
  void on_closing(ConsumerHandler& handler);
  /// `lost`: its consumer did not mean to leave.
  void on_closed(ConsumerHandler& handler, bool lost);
  [[nodiscard]] std::uint32_t resume_window_ms() const { return config_.resume.window_ms; }
  /// By a meshd that has not heard of it before.
  void on_accepted_again(ConsumerHandler& handler);

 private:
  // The consumers' side (edge_consumers.cpp)
  bool admit(const Handshake& handshake, HttpAnswer& refusal);
  std::unique_ptr<Receiver> on_open(Connection& connection, const Handshake& handshake);
  std::unique_ptr<ConsumerHandler> take_in(Connection& connection, HandlerKind kind,
                                           const std::optional<FoundToken>& token, std::string peer);
  std::unique_ptr<Receiver> begin(std::unique_ptr<ConsumerHandler> handler);
  HttpAnswer on_http(const Handshake& request);
  [[nodiscard]] HttpAnswer probe(std::string_view page) const;
  [[nodiscard]] std::size_t sessions() const;
  [[nodiscard]] std::optional<FoundToken> token_of(const Handshake& handshake) const;
  bool make_room_for_silent(std::string_view peer);
  bool may_guess(GuessLimit& guesses, std::string_view host, std::string_view secret, std::string_view what);
  void present(ConsumerHandler& handler);
  void end_session(std::uint32_t slot, std::uint32_t serial, std::uint16_t code, std::string_view reason);
  bool request(ConsumerHandler& handler, ClientRequest& message, SteadyTime arrived, SteadyTime deadline);
  bool write(ConsumerHandler& handler, const ClientRequest& message, const records::Origin& origin, SteadyTime deadline,
             std::string_view trace_id, std::uint64_t sequence);
  void end_pending(ConsumerHandler& handler, const PendingRequests::Taken& taken, std::string_view error);
  void expire(ConsumerHandler& handler, const PendingRequests::Taken& taken);
  void time_out(ConsumerHandler& handler, std::string_view trace_id, std::string_view description);
  void answer(ConsumerHandler& handler, std::string_view trace_id, std::string_view result, std::string_view error);
  ConsumerHandler* find(std::uint32_t slot) const { return slot < handlers_.size() ? handlers_[slot] : nullptr; }

  // Lines (edge_lines.cpp)
  void make_lines(DoorSettings door);
  Result<void> start_lines();
  [[nodiscard]] LineListener::Closing admit_line(std::string_view peer);
  std::unique_ptr<Receiver> on_line_open(Connection& connection, const std::string& peer,
                                         const ClientCertificate& certificate);

  // Events (edge_events.cpp)
  void subscribed(ConsumerHandler& handler, std::string_view topic);
  void unsubscribed(ConsumerHandler& handler, std::string_view topic);
  void forget_subscriptions(ConsumerHandler& handler);
  void subscribe_waiting();
  void on_mesh_event(const records::MeshEvent& event);
  void on_subscription_ended(const records::SubscriptionEnded& record);
  void subscription_lost(ConsumerHandler& handler, std::string_view topic, std::string_view raw_error);

  // Numbered messages (edge_resume.cpp)
  bool resume_or_ack(ConsumerHandler& handler, const ClientRequest& message);
  void on_numbered(const shm::RecordHeader& header, const records::Numbered& record);
  void on_resumed(const shm::RecordHeader& header, const records::Resumed& record);
  void conclude(ConsumerHandler& handler, std::string_view trace_id, std::string_view result, std::string_view error,
                std::optional<std::uint64_t> sequence = {});
  void say(ConsumerHandler& handler, std::string text, std::optional<std::uint64_t> sequence = {});
  void say_unsaid(ConsumerHandler& handler);
  void say_all_unsaid();
  [[nodiscard]] bool half_told(ConsumerHandler& handler) const;
  bool tell_again(ConsumerHandler& handler);
  void numbers_lost(ConsumerHandler& handler);
  void let_meshd_keep_time(const ConsumerHandler& handler, PendingRequest& request);

  // Snorky (edge_snorky.cpp)
  [[nodiscard]] bool at_snorky(const Handshake& handshake) const {
    return !config_.snorky.path.empty() && handshake.path() == config_.snorky.path;
  }
  std::optional<SteadyTime> handle_snorky(ConsumerHandler& handler, std::string_view text, SteadyTime arrived);
  void refuse_call(ConsumerHandler& handler, std::string_view text, std::string_view why);
  bool call(ConsumerHandler& handler, const SnorkyRequest& message, SteadyTime arrived, SteadyTime deadline);
  bool restore_standing(ConsumerHandler& handler);
  void fail_call(ConsumerHandler& handler, std::string_view head, std::string_view text);
  void on_snorky_answer(const shm::RecordHeader& header, const records::SnorkyAnswer& record);

  // Backends (edge_backend.cpp)
  struct BackendCall {
    SteadyTime deadline;
    HttpServer::Respond respond;
    std::optional<HttpAnswer> mistake;  ///< for one whose key was to be judged first
    std::string host, secret;           ///< who has shown which key, or token
  };
  Result<void> start_backend();
  std::optional<HttpAnswer> refused_as_guess(const HttpServer::Request& request, std::string_view what);
  void check_backend(const HttpServer::Request& request, HttpServer::Checked checked);
  void key_judged(const BackendCall& call, int status);
  void on_backend_request(HttpServer::Request request, HttpServer::Respond respond);
  void on_backend_answer(const shm::RecordHeader& header, const records::BackendAnswer& record);
  void fail_backend(int status, std::string_view raw_error);
  void expire_backend(SteadyTime now);

  // What is measured (edge_measures.cpp)
  [[nodiscard]] records::Origin origin_of(const ConsumerHandler& handler, std::string_view traceparent,
                                          SteadyTime arrived) const;
  static std::unique_ptr<PendingRequest::Called> called_of(const ClientRequest& message, std::uint32_t waited_us);
  static void log_sent(const ConsumerHandler& handler, const ClientRequest& message, std::string_view trace_id,
                       const records::Origin& origin);
  void measure_answered(ConsumerHandler& handler, const PendingRequests::Taken& asked, RequestOutcome outcome,
                        const records::Stages& stages);
  void measure_batch();
  void ended(ConsumerHandler& handler, const PendingRequests::Taken& asked, RequestOutcome outcome, SteadyTime now,
             const records::Stages& stages);
  void count_abandoned(ConsumerHandler& handler);
  void show_state();

  // The console (edge_console.cpp)
  Result<void> start_console();
  [[nodiscard]] std::optional<HttpAnswer> judge_console(const RequestHead& head, HttpServer::Request& request) const;
  void on_console_request(HttpServer::Request request, HttpServer::Respond respond);
  [[nodiscard]] HttpAnswer console_page(const HttpServer::Request& request) const;
  [[nodiscard]] bool is_console(std::string_view origin) const;

  // Pushes (edge_pushes.cpp)
  [[nodiscard]] Handler* find_session(records::SessionRef ref) const;
  void on_push(const records::Push& record);
  void on_close_sessions(const records::CloseSessions& record);
  void say_taken(std::uint64_t op, std::size_t taken);
  void say_waiting();

  // meshd's side (edge.cpp)
  void on_record(const shm::RecordHeader& header, const std::string& payload);
  void on_response(const shm::RecordHeader& header, const records::Response& record);
  void on_attached(bool same_address);
  void on_lost(const MeshLink::Lost& lost);
  void resume_held();
  void present_waiting();
  void close_waiting();
  void lose(std::uint64_t sequence);
  [[nodiscard]] bool may_send() const;
  [[nodiscard]] bool may_send(ConsumerHandler& handler, const ClientRequest& message) const;
  [[nodiscard]] bool may_call() const;

  // Time
  // A new socket that has to have left a state by its deadline.
  struct Opening {
    std::uint32_t slot, serial;
    ConsumerHandler::State past;
  };
  void arm_timer();
  void on_timer();
  void await_opening(const ConsumerHandler& handler, milliseconds limit);
  [[nodiscard]] bool waits(const Opening& opening) const;
  void watch_opening();
  void expire_opening();
  void expire_held(SteadyTime now);
  void drop_vanished();
  void close_late_messages();
  void reload_later();

  // The end (edge_drain.cpp)
  enum class Phase { serving, announcing, draining, finishing };
  void wait_for_signal();
  void on_signal(int signal);
  void drain();
  void look_whether_drained();
  void dismiss(ConsumerHandler& handler);
  void finish();
  [[nodiscard]] bool takes_from(ConsumerHandler& handler) const {
    return leaving_.empty() || !leaving_.contains(&handler);
  }
  [[nodiscard]] bool refuses(ConsumerHandler& handler) const {
    return phase_ == Phase::finishing || dismissed_ == &handler;
  }

  const Config& config_;
  SystemClock clock_;
  MemoryBudget memory_;  // before the connections, which end with io_ at the latest
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_, reload_;
  boost::asio::steady_timer timer_, opening_timer_, drain_timer_;
  std::array<HandlerManager, handler_kinds> managers_;
  PendingRequests pending_;
  int exit_code_ = 0;
  std::uint64_t silent_gave_way_ = 0;  // sockets without a token, for those of other addresses
  bool relief_is_due_ = false;
  GuessLimit token_guesses_;
  GuessLimit key_guesses_{10, 100};  ///< of backends' keys, and of tokens at the console
  log::Pause closed_pause_{std::chrono::seconds(1)}, guess_pause_{std::chrono::seconds(10)};
  std::vector<ConsumerHandler*> handlers_;  // by slot
  std::vector<std::uint32_t> free_slots_;
  std::size_t connections_ = 0;
  std::uint32_t next_serial_ = 0;
  std::uint64_t next_sequence_ = 0;
  std::unordered_set<ConsumerHandler*> held_;  // those with messages held back
  std::deque<ConsumerHandler*> to_present_;    // those whose open_session record found no room
  QueueRules queue_rules_;
  std::array<TopicIndex, handler_kinds> subscriptions_;  // of slots, by kind
  std::vector<TopicIndex::Id> interested_;               // in the event at hand; reused
  std::deque<ConsumerHandler*> to_subscribe_;            // those whose topics a new meshd has to be told of
  std::deque<records::CloseSession> to_close_;           // those that found none
  std::unordered_set<ConsumerHandler*> to_say_;          // those with something unsaid that found no room
  std::deque<records::Pushed> unsaid_;                   // counts that found no room in the request ring
  std::unordered_set<ConsumerHandler*> silent_;          // those that owe their first message
  std::multimap<SteadyTime, Opening> opening_;           // of new sockets, and of some that are no more
  std::optional<SteadyTime> opening_timer_at_;
  std::size_t early_commands_ = 0;  // bytes of those that were sent to meshd while the broker took nothing
  std::string record_, answer_;     // reused for every message
  SteadyTime next_look_{};          // at whether those held back are still there
  bool timer_armed_ = false;
  Phase phase_ = Phase::serving;
  std::shared_ptr<Arrivals> arrivals_;            // of all doors for consumers
  std::uint64_t own_files_ = 0, most_files_ = 0;  // file descriptors: those before any consumer, and the limit
  SteadyTime drain_until_{};
  std::vector<std::pair<SteadyTime, records::SessionRef>>
      goodbyes_;                                  // when each socket is told to go; the last is the next
  std::unordered_set<ConsumerHandler*> leaving_;  // those that were, and have something pending
  ConsumerHandler* dismissed_ = nullptr;          // the one whose held messages are being refused
  MeshLink link_;
  std::unique_ptr<WebSocketListener> listener_;
  std::unique_ptr<LineListener> lines_;                 // nullptr: the config does not open that kind
  std::map<std::uint64_t, BackendCall> backend_calls_;  // by sequence; in the order of their deadlines
  std::unique_ptr<HttpPort> backend_, console_;         // nullptr: the config does not open it
  SteadyTime moment_{};                                 // the last look()
  std::vector<std::uint64_t> answered_;      // in the batch at hand: when their requests had arrived, in microseconds
  log::Pause slow_pause_{milliseconds(10)};  // a hundred lines a second
};

}  // namespace nuropb::edge
