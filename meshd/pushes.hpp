#pragma once
// Server-initiated operations on clients, across all edges and all gateways of a service, as if they were one
// HandlerManager: send to one session, to users, to all; close them; list and count them.
//
//   controller ─┐                 ┌─► one record per edge ──► push, close_sessions ──► pushed {op, taken} ─┐
//   backend    ─┼─► Pushes ───────┤                                                                        ├─► done()
//   nuropb-ctl ─┘  (ring loop)    └─► Peers: every other gateway of the service, its count ────────────────┘
//
// Operations on local clients never wait for other gateways: our own clients get the message at once, with or without a
// broker. done() is called exactly once, when all have answered or `timeout` has passed, always on the event loop's
// thread; it may be called before the operation returns if there is no one to wait for.
//
// Owner thread: the ring loop.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"
#include "common/handler_kinds.hpp"
#include "common/ids.hpp"
#include "common/records.hpp"
#include "common/result.hpp"
#include "meshd/peers.hpp"
#include "meshd/sealed_tickets.hpp"
#include "meshd/session_index.hpp"
#include "meshd/session_table.hpp"

namespace nuropb::meshd {

/// The sessions that an operation applies to.
struct Target {
  enum class Kind : std::uint8_t { session, users, all };
  Kind kind = Kind::all;
  SessionId session;  ///< of Kind::session
  /// Of Kind::users: every connection of each user, each once even if a user is listed repeatedly.
  std::vector<std::string> user_ids;

  static Target one(const SessionId& session) { return {Kind::session, session, {}}; }
  static Target users(std::vector<std::string> user_ids) { return {Kind::users, {}, std::move(user_ids)}; }
  static Target everyone() { return {Kind::all, {}, {}}; }
};

/// The result of an operation.
struct Outcome {
  std::uint64_t connections = 0;        ///< sessions that got the message, or were closed
  std::vector<std::string> unanswered;  ///< instance ids of live gateways that did not answer in time
  std::uint32_t silent_edges = 0;       ///< edges of any gateway that did not answer in time, or died meanwhile
};

/// One entry of the list of sessions.
struct SessionEntry {
  std::string session_id, user_id, username, gateway;
  std::uint32_t edge = 0;  ///< worker slot
};
struct SessionPage {
  std::vector<SessionEntry> sessions;
  std::string cursor;  ///< start of the next page; empty: this was the last
};
struct SessionCount {
  std::uint64_t sessions = 0;
  std::uint64_t users = 0;     ///< counted per gateway: one with sessions on two gateways counts twice
  std::uint32_t gateways = 0;  ///< gateways that were counted, including this one
  std::vector<std::string> unanswered;
};

class Pushes {
 public:
  static constexpr std::size_t max_users = 10'000;         ///< per operation
  static constexpr std::size_t max_user_bytes = 1U << 20;  ///< total size of their ids
  static constexpr std::size_t max_operations = 10'000;    ///< in progress
  static constexpr std::size_t max_page = 1'000;
  /// Maximum size of a message between gateways: an operation's message and its users.
  static constexpr std::size_t largest_of(std::size_t max_message) { return max_message + 8 * max_user_bytes; }

  struct Settings {
    std::string instance;
    std::size_t max_message = 0;   ///< limits.message_bytes
    std::size_t max_sessions = 0;  ///< limits.connections, per edge
    std::size_t json_depth = 256;
    milliseconds timeout{2000};                     ///< push.timeout_ms
    HandlerKind handler = HandlerKind::web_socket;  ///< the kind of sessions
  };
  /// Access to the edges; implemented by the ring loop.
  class Edges {
   public:
    virtual ~Edges() = default;
    virtual void each(const std::function<void(WorkerId, SessionTable&)>& work) = 0;  ///< in the order of WorkerId
    virtual void send(WorkerId worker, records::Type type, std::string payload) = 0;
    virtual void tick_soon() = 0;  ///< work is pending: tick() has to be called regularly until waiting() is false
  };
  using Done = std::function<void(const Outcome&)>;
  /// The kind of the operation that an edge's answer refers to.
  [[nodiscard]] static std::optional<HandlerKind> kind_of(std::uint64_t op);

  Pushes(Settings settings, const Clock& clock, Edges& edges, SessionIndex& sessions, Peers& peers);
  ~Pushes();

  /// Sends `message`, JSON text, unchanged (on a /ws socket inside Snorky's envelope of service `gateway`, unless
  /// `whole_frame` says that it is a Snorky frame). Without `done` deliveries are not counted. On an error nothing was
  /// done, and done() is not called; the text says why (not JSON, too long, too many users, too many operations in
  /// progress).
  Result<void> send(const Target& target, std::string_view message, Done done, bool whole_frame = false);
  /// Closes with a code of 1000, 1001, 4000–4999 and a reason of at most 123 bytes.
  Result<void> close(const Target& target, std::uint16_t code, std::string_view reason, Done done);

  /// A page of all sessions, or of one user's, of all gateways; `cursor` is empty or comes from an earlier page. The
  /// order is the same from page to page; sessions that open or close meanwhile may or may not be included. A page may
  /// be shorter than `limit` and still have a cursor. An error: invalid cursor, or its gateway does not answer.
  Result<void> list(std::string_view cursor, std::size_t limit, const std::optional<std::string>& user_id,
                    std::function<void(Result<SessionPage>)> done);
  Result<void> count(std::function<void(const SessionCount&)> done);

  /// Sends a frame to certain sessions of this gateway with one record per edge, for callers with their own list of
  /// sessions (Snorky's channels). Deliveries are not counted.
  struct Place {
    WorkerId worker;
    records::SessionRef session;
    auto operator<=>(const Place&) const = default;
  };
  void send_to(const std::vector<Place>& places, std::string_view frame, bool whole_frame);

  // Called by the ring loop.
  /// Returns false if the record is one that a correct edge never sends.
  bool on_pushed(WorkerId worker, const records::Pushed& record);
  void on_worker_gone(WorkerId worker);
  void on_peer_gone(const std::string& instance);
  /// To be called about ten times a second while anything is in progress.
  void tick();
  [[nodiscard]] bool waiting() const { return !operations_.empty() || !questions_.empty(); }

  struct Counters {
    std::uint64_t sends = 0, closes = 0;  ///< operations that were started here
    std::uint64_t for_peers = 0;          ///< operations requested by other gateways
    std::uint64_t timeouts = 0;           ///< operations that ended without all answers
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  enum class Verb : std::uint8_t { send, close, count };
  /// What to do with the target.
  struct What {
    Verb verb = Verb::send;
    std::string_view text{};  // of send
    bool whole_frame = false;
    std::uint16_t code = 0;  // of close
    std::string_view reason{};
  };
  struct Operation;
  struct Question;
  struct Paging;
  [[nodiscard]] Result<void> check(const Target& target, const What& what) const;
  Result<void> begin(const Target& target, const What& what, std::function<void(const Operation&)> finish);
  std::uint64_t add(std::unique_ptr<Operation> operation);
  void to_edges(const Target& target, const What& what, std::uint64_t op, Operation* operation);
  void to_edge(WorkerId worker, const What& what, std::uint64_t op, bool all, std::string_view refs,
               Operation* operation);
  void to_peers(const Target& target, const What& what, std::uint64_t op, Operation& operation);
  void look_whether_done(std::uint64_t op);
  void end(std::uint64_t op);
  void on_operation(const std::string& from, std::string_view json);
  void on_counted(const std::string& from, std::string_view json);

  // Lists (pushes_list.cpp)
  void next_page(const std::shared_ptr<Paging>& paging);
  void page_of_ours(const std::string& user, bool of_user, std::string_view after, std::size_t limit,
                    SessionPage& page);
  void on_list(const std::string& from, std::string_view json);
  void on_listed(const std::string& from, std::string_view json);
  void end_question(std::uint64_t op, Result<SessionPage> answer);

  Settings settings_;
  const Clock& clock_;
  Edges& edges_;
  SessionIndex& sessions_;
  Peers& peers_;
  std::map<std::uint64_t, std::unique_ptr<Operation>> operations_;
  std::map<std::uint64_t, std::unique_ptr<Question>> questions_;  // pages requested from other gateways
  std::uint64_t next_op_;
  std::uint64_t given_ = 0;  // operations so far
  Counters counters_;
};

}  // namespace nuropb::meshd
