#pragma once
// The sequenced messages of resumable sessions (design.md, Resume), and the sessions' pending requests.
//
//              add()                   sent in order                           seen()
//   message ───────────► log ── n+1 ── n+2 ── n+3 ──► edge ──► client ── "I have n" ──► removed
//                         ▲ over a limit: the oldest is evicted
//
// Above the limit of all mailboxes together, messages of the user with the most bytes are evicted, from that user's
// largest mailbox: filling many mailboxes takes nothing from other users.
//
// A session without a socket is *detached*: its log continues. A resuming client names the last number that it has
// received; the later ones are in the log, or the session cannot be resumed. A response ends its request here, exactly
// once: for these sessions meshd enforces the deadlines, because the edge may die.
//
// Pure, except for the shared limits. Owner thread: the ring loop.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/clock.hpp"
#include "common/ids.hpp"
#include "common/records.hpp"
#include "common/topic.hpp"
#include "meshd/sealed_tickets.hpp"

namespace nuropb::meshd {

struct Session;
class Mailboxes;

/// Pseudo worker id of all resumable sessions, whichever edge they are on: no worker has such a slot. Their
/// subscriptions are held under it, so that moving from edge to edge changes none.
inline constexpr WorkerId numbered_worker{ReturnAddress::max_slot + 1, 0};

/// Whether a client that lost its socket with this close code may resume its session.
inline bool may_come_back(std::uint16_t code) { return code != 1000 && code < 4500; }

/// A message's text, shared among mailboxes.
inline std::shared_ptr<const std::string> shared(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

class Mailbox {
 public:
  /// A request without a response yet.
  struct Pending {
    ReturnAddress from;  ///< the original address; the worker may be gone
    std::uint32_t serial = 0;
    records::Type verb{};
    std::string trace_id;  ///< raw JSON; empty: the edge itself asks
    std::string topic;     ///< of a subscription
    SteadyTime deadline;
  };
  /// What is kept of a request after its response.
  struct Asked {
    ReturnAddress from;
    std::uint32_t serial = 0;
  };
  struct Message {
    std::uint64_t number = 0;
    std::shared_ptr<const std::string> text;  ///< shared by all recipients
    std::optional<Asked> answers;
    std::uint64_t pending = 0;                    ///< its number, if the message is a response
    RequestOutcome outcome = RequestOutcome::ok;  ///< of the request that it answers
    records::Stages stages{};                     ///< of the request that it answers
  };

  Mailbox(Mailboxes& all, Session& owner, std::uint64_t last);
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  [[nodiscard]] std::uint32_t id() const { return id_; }
  [[nodiscard]] Session& owner() const { return owner_; }
  [[nodiscard]] std::uint64_t last() const { return last_; }
  /// All messages up to this number were removed from the log.
  [[nodiscard]] std::uint64_t gone() const { return gone_; }
  /// The message after `number`; nullptr if it does not exist or was removed.
  [[nodiscard]] const Message* after(std::uint64_t number) const;
  [[nodiscard]] const std::map<std::uint64_t, Pending>& pending() const { return pending_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  struct Place {
    WorkerId worker;
    std::uint32_t slot = 0;
  };
  /// The session's current socket; empty: detached.
  [[nodiscard]] const std::optional<Place>& place() const { return place_; }

  // Used by the ring loop only.
  SteadyTime parked_until{};
  std::uint64_t handed = 0;          ///< the last message sent to the edge
  std::uint64_t inherited_from = 0;  ///< responses above this were announced to the edge when the session was resumed
  std::uint32_t token = 0;           ///< sequence count of the last token issued
  std::uint32_t proven = 0;          ///< sequence count of the last token that the client is known to have
  std::uint64_t resumed_from = 0;    ///< the last message received by the client when it used that token
  std::set<std::string, std::less<>> topics{};  ///< topics with a subscription in Mailboxes' index

 private:
  friend Mailboxes;
  Mailboxes& all_;
  Session& owner_;
  std::uint32_t id_;
  std::uint64_t last_, gone_;
  std::optional<Place> place_;
  std::uint64_t turn_ = 0;  // position among those waiting for room; 0: not waiting
  std::deque<Message> log_;
  std::size_t bytes_ = 0;
  const std::string* user_ = nullptr;  // points into Mailboxes; set while there are bytes
  std::map<std::uint64_t, Pending> pending_;
  std::size_t pending_text_ = 0;
};

class Mailboxes {
 public:
  /// Cost of a message in addition to its text, and of a pending request.
  static constexpr std::size_t overhead = 256, pending_overhead = 400;
  struct Bounds {
    std::size_t each = 0, total = 0;
    std::size_t pending_text = records::max_pending_text;
    std::size_t pending_of_worker = 32U << 20;  ///< total cost of one worker's pending requests
  };
  explicit Mailboxes(Bounds bounds) : bounds_(bounds) {}

  [[nodiscard]] Mailbox* find(std::uint32_t id) const;
  [[nodiscard]] std::size_t count() const { return boxes_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t let_go() const { return let_go_; }
  void each(const std::function<void(Mailbox&)>& work) const;

  /// Appends a message with the next number. Call trim() afterwards, once the message was sent to the edge if possible.
  void add(Mailbox& box, std::shared_ptr<const std::string> text);
  /// The same for a response. Returns false if its request is no longer pending.
  bool answer(Mailbox& box, std::uint64_t pending, std::shared_ptr<const std::string> text, RequestOutcome outcome,
              const records::Stages& stages = {});
  /// Evicts the oldest messages: of this mailbox while it is over its limit, and of the user with the most bytes while
  /// all together are over theirs.
  void trim(Mailbox& box);
  /// Mailboxes that lost a message which their edge had not received: their sessions cannot continue.
  [[nodiscard]] std::vector<std::uint32_t> take_overrun() { return std::exchange(overrun_, {}); }
  [[nodiscard]] bool any_overrun() const { return !overrun_.empty(); }
  /// The client has received all messages up to `number`.
  void seen(Mailbox& box, std::uint64_t number);

  /// Moves the session to another socket, or detaches it.
  void move(Mailbox& box, std::optional<Mailbox::Place> place);
  /// The edge has no room. The mailbox that waits longest is served first; otherwise one with constant traffic would
  /// delay the others.
  void wait_for_room(Mailbox& box);
  /// Removes and returns the first waiting mailbox; nullptr if none waits.
  Mailbox* next_for_room(WorkerId worker);

  /// Registers a pending request and returns its number. Empty if too many are pending, or its address is already in
  /// use.
  std::optional<std::uint64_t> wait(Mailbox& box, Mailbox::Pending pending);
  /// Removes a pending request without a message.
  std::optional<Mailbox::Pending> take(Mailbox& box, std::uint64_t pending);
  struct Found {
    Mailbox* box = nullptr;
    std::uint64_t pending = 0;
  };
  [[nodiscard]] Found find(const ReturnAddress& from) const;
  /// The next request whose deadline has passed by `now`; empty if there is none.
  [[nodiscard]] std::optional<Found> due(SteadyTime now) const;
  [[nodiscard]] SteadyTime next_deadline() const {
    return deadlines_.empty() ? SteadyTime::max() : deadlines_.begin()->first;
  }

  void add_topic(Mailbox& box, std::string_view topic);
  void remove_topic(Mailbox& box, std::string_view topic);
  void match(std::string_view topic, std::vector<Mailbox*>& out) const;

 private:
  friend Mailbox;
  static std::size_t cost(const Mailbox::Pending& pending) {
    return pending_overhead + pending.trace_id.size() + pending.topic.size();
  }
  /// Bytes of all mailboxes of one user.
  struct Share {
    std::size_t bytes = 0;
    std::set<std::pair<std::size_t, std::uint32_t>> boxes;  // bytes and id of those with a log
  };
  void put(Mailbox& box, Mailbox::Message message);
  void pop(Mailbox& box);
  void resize(Mailbox& box, std::size_t bytes);
  [[nodiscard]] Mailbox& largest() const;

  Bounds bounds_;
  // By worker, so that a compromised edge cannot use up what others need.
  std::map<WorkerId, std::size_t> pending_cost_;
  std::size_t bytes_ = 0;
  std::uint64_t let_go_ = 0;
  std::uint32_t next_id_ = 0;
  std::uint64_t next_pending_ = 1;
  std::map<std::uint32_t, Mailbox*> boxes_;
  std::map<std::string, Share, std::less<>> shares_;                         // by user, for users with bytes
  std::set<std::pair<std::size_t, const std::string*>> by_share_;            // the same users ordered by bytes
  std::map<WorkerId, std::map<std::uint64_t, std::uint32_t>> without_room_;  // ids by position
  std::uint64_t last_turn_ = 0;
  std::vector<std::uint32_t> overrun_;
  std::unordered_map<ReturnAddress, Found, ReturnAddressHash> addresses_;
  std::set<std::pair<SteadyTime, std::pair<std::uint32_t, std::uint64_t>>> deadlines_;
  TopicIndex topics_;  // ids are mailbox ids
  mutable std::vector<TopicIndex::Id> found_;
};

}  // namespace nuropb::meshd
