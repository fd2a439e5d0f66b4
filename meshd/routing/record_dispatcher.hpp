#pragma once
// The privileges of an edge, in one table: which record it may send in which state of a session, what has to be true of it, and who
// handles it. What is not allowed by the table ends the worker, since an edge that behaves never sends it (design.md, rule 2).
//
//   record ──► row of its type ──► decoded? ──► session, in a state that allows it? ──► preconditions ──► handler
//
// A record that can cross one of ours on the way is ignored and not a violation: the session was ended by us, and its edge did not
// know that yet. Owner thread: the event loop.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "common/config.hpp"
#include "common/records.hpp"
#include "meshd/faces.hpp"
#include "meshd/push/edge_pusher.hpp"
#include "meshd/request_deadline.hpp"
#include "meshd/resume/mailbox_delivery.hpp"
#include "meshd/resume/resume_service.hpp"
#include "meshd/routing/request_router.hpp"
#include "meshd/sessions/response_sink.hpp"
#include "meshd/sessions/session_manager.hpp"
#include "meshd/sessions/subscription_manager.hpp"
#include "meshd/snorky/snorky_gateway.hpp"
#include "meshd/tap_recorder.hpp"
#include "meshd/tracing/request_tracing.hpp"
#include "meshd/workers/record_handler.hpp"

namespace nuropb::meshd {

class RecordDispatcher final : public RecordHandler {
 public:
  struct Parts {
    const Config& config;
    RequestDeadline deadline;
    const Faces& faces;
    SessionManager& sessions;
    SubscriptionManager& subscriptions;
    RequestRouter& requests;
    ResumeService& resume;
    MailboxDelivery& delivery;
    SnorkyGateway& snorky;
    EdgePusher& pusher;
    ResponseSink& responses;
    RequestTracing& tracing;
    TapRecorder& taps;
    /// A client at the console asks for something, through the edge with this id.
    std::function<void(WorkerId, std::uint64_t sequence, const records::ConsoleCall&)> on_console_call;
  };
  explicit RecordDispatcher(Parts parts) : to_(std::move(parts)) {}

  RecordResult handle(Worker& worker, const shm::RecordHeader& header, const std::string& payload) override;
  void publish_read() override { to_.requests.publish_read(); }
  void publish_waiting() override { to_.faces.publish_waiting(); }
  [[nodiscard]] bool congested() const override { return to_.faces.outgoing(); }

  /// What a record means for a session in some state.
  enum class Rule : std::uint8_t {
    violation,  ///< can't happen with an honest edge: end the worker
    handle,
    ignore,  ///< it crossed a record of ours on the way
  };
  /// The table. Records that are of no session are `handle` in every state.
  [[nodiscard]] static Rule rule(records::Type type, SessionState state);

 private:
  struct Arrived {
    Worker& worker;
    const shm::RecordHeader& header;
    const std::string& payload;
    [[nodiscard]] records::Type type() const { return static_cast<records::Type>(header.type); }
  };
  struct Row;
  [[nodiscard]] static std::span<const Row> table();
  [[nodiscard]] static const Row* row_of(records::Type type);

  // How a record is taken apart, and its preconditions checked.
  template <class Record, auto Handler>
  RecordResult of_session(const Arrived& arrived, const Row& row);
  template <class Record, auto Handler>
  RecordResult of_worker(const Arrived& arrived, const Row& row);
  /// Both: nothing if its handler is to be called.
  template <class Record>
  std::optional<RecordResult> await_response(const Arrived& arrived, const Record& record, Session& session,
                                             const ReturnAddress& from);
  std::optional<RecordResult> refuse_over_rates(const Arrived& arrived, Session& session, const ReturnAddress& from);

  // Handlers: of what clients say…
  RecordResult request(const Arrived& arrived, const records::Request& record, Session& session,
                       const ReturnAddress& from);
  RecordResult event(const Arrived& arrived, const records::Event& record, Session& session, const ReturnAddress& from);
  RecordResult subscription(const Arrived& arrived, const records::Subscription& record, Session& session,
                            const ReturnAddress& from);
  RecordResult authorize(const Arrived& arrived, const records::Authorize& record, Session& session,
                         const ReturnAddress& from);
  RecordResult resume(const Arrived& arrived, const records::Resume& record, Session& session,
                      const ReturnAddress& from);
  RecordResult snorky_call(const Arrived& arrived, const records::SnorkyCall& record, Session& session,
                           const ReturnAddress& from);
  // …and of what edges say.
  RecordResult open_session(const Arrived& arrived, const records::OpenSession& record, const Row& row);
  RecordResult close_session(const Arrived& arrived, const records::CloseSession& record, const Row& row);
  RecordResult backend_call(const Arrived& arrived, const records::BackendCall& record, const Row& row);
  RecordResult console_call(const Arrived& arrived, const records::ConsoleCall& record, const Row& row);
  RecordResult pushed(const Arrived& arrived, const records::Pushed& record, const Row& row);

  Parts to_;
};

}  // namespace nuropb::meshd
