#pragma once
// Messages to sessions, whether they are numbered or not. The messages of a session that may be resumed go into its mailbox
// (mailbox.hpp) and from there to its edge, as far as that has room; those of any other session go to its edge.
//
//   say(), event(), deliver() ──► mailbox ──► hand_over() ──► numbered record ──► edge
//
// It also knows which requests of such a session have no response yet, since the edge that asked may be gone when it comes.
// Owner thread: the event loop.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/records.hpp"
#include "meshd/faces.hpp"
#include "meshd/mailbox.hpp"
#include "meshd/sessions/session_sender.hpp"
#include "meshd/translate.hpp"
#include "meshd/workers/worker_port.hpp"

namespace nuropb::meshd {

class MailboxDelivery final : public SessionSender {
 public:
  /// `on_deadline`: a request has a deadline that may be the next one.
  MailboxDelivery(Mailboxes& mailboxes, WorkerPort& workers, const Faces& faces, std::function<void()> on_deadline)
      : mailboxes_(mailboxes), workers_(workers), faces_(faces), on_deadline_(std::move(on_deadline)) {}

  // SessionSender
  void notify(Worker& worker, std::uint32_t slot, Session& session, const std::string& text) override;
  void end_subscription(Worker* worker, std::uint32_t slot, Session& session, std::string_view topic,
                        const std::string& text) override;
  void forget_topic(Session& session, std::string_view topic) override;
  [[nodiscard]] ReturnAddress holder(WorkerId worker, std::uint32_t slot, const Session& session) const override;

  /// Whether there is any session whose messages are numbered.
  [[nodiscard]] bool any() const { return mailboxes_.count() > 0; }
  /// Whether a request with this address waits for its response.
  [[nodiscard]] bool awaits(const ReturnAddress& from) const { return mailboxes_.find(from).box != nullptr; }
  /// A request of a session whose messages are numbered waits for its response from now on. False if too many do: then
  /// too_many() is the response.
  [[nodiscard]] bool await(Session& session, records::Type verb, const ReturnAddress& from, std::string_view trace_id,
                           SteadyTime deadline, std::string_view topic = {});
  [[nodiscard]] static Returned too_many(const ReturnAddress& from);
  /// Where the response to a request goes that came from `from`: to the mailbox, if it waits there.
  [[nodiscard]] ReturnAddress asker(const Session& session, const ReturnAddress& from) const;

  /// True if it was a response to a session whose messages are numbered: it has been dealt with.
  [[nodiscard]] bool deliver(const Returned& response);
  /// Ends a request that waits for its response. One that does not any more is no mistake.
  void end_request(Mailbox& box, std::uint64_t number, std::string_view result, std::string_view error,
                   RequestOutcome outcome, const records::Stages& stages = {});
  /// A message, with the next number.
  void say(Mailbox& box, std::shared_ptr<const std::string> text);
  void say(Mailbox& box, std::string text) { say(box, shared(std::move(text))); }
  /// A response that we have sent to the edge as it came, before we read there that the session's messages are numbered: its edge
  /// gives it back.
  void say_response(WorkerId worker, const records::Resume& record, Session& session);
  /// An event of the mesh (records::MeshEvent), to all sessions of the kind with a mailbox that have subscribed to it.
  void event(HandlerKind kind, const std::string& routing_key, const std::string& payload);

  /// What its edge has not got yet, as far as there is room; then the mailbox is trimmed to its bound.
  void hand_over(Mailbox& box);
  /// The same for all mailboxes that wait for room in this worker, as long as there is some.
  void hand_over_waiting(Worker& worker);

 private:
  Mailboxes& mailboxes_;
  WorkerPort& workers_;
  const Faces& faces_;
  std::function<void()> on_deadline_;
  std::vector<Mailbox*> interested_;  // in the event at hand; reused
};

}  // namespace nuropb::meshd
