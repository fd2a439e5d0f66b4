#pragma once
// The numbered messages of sessions that asked for them (design.md, Resume), and who of them waits for which answer.
//
//              add()                   hand over, in order                       seen()
//   message ───────────► log ── n+1 ── n+2 ── n+3 ──► edge ──► consumer ── "I have n" ──► let go
//                         ▲ over a bound: the oldest is let go unseen
//
// Over the bound of all, the user who has most gives way, with the largest of their mailboxes: who fills many can't take
// from others what is theirs.
//
// While a session has no socket it is *parked*: its log goes on. Whoever takes it up says which number was the last that
// it has seen; what is above it is in the log, or the session can't be taken up. An answer ends its request here, once:
// for these sessions meshd keeps the time, since the edge may die.
//
// Pure but for the bounds that all share. Owner thread: the ring loop.

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

/// Stands for a worker where numbered sessions are meant, whichever edge they are on: no worker has such a slot. Their
/// subscriptions are held under it, so that moving from edge to edge changes none.
inline constexpr WorkerId numbered_worker{ReturnAddress::max_slot + 1, 0};

/// Whether a consumer that lost its socket by this close code may take its session up again.
inline bool may_come_back(std::uint16_t code) { return code != 1000 && code < 4500; }

/// A message's text, as mailboxes share it.
inline std::shared_ptr<const std::string> shared(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

class Mailbox {
 public:
  /// A request that is still to be answered.
  struct Pending {
    ReturnAddress from;  ///< the edge's own; the worker may be gone
    std::uint32_t serial = 0;
    records::Type verb{};
    std::string trace_id;  ///< raw JSON; empty: the edge asks by itself
    std::string topic;     ///< of a subscription
    SteadyTime deadline;
  };
  /// What is remembered of a request once its answer is here.
  struct Asked {
    ReturnAddress from;
    std::uint32_t serial = 0;
  };
  struct Message {
    std::uint64_t number = 0;
    std::shared_ptr<const std::string> text;  ///< shared by all who get it
    std::optional<Asked> answers;
    std::uint64_t pending = 0;                    ///< its number, where it answers
    RequestOutcome outcome = RequestOutcome::ok;  ///< of what it answers
    records::Stages stages{};                     ///< the same
  };

  Mailbox(Mailboxes& all, Session& owner, std::uint64_t last);
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  [[nodiscard]] std::uint32_t id() const { return id_; }
  [[nodiscard]] Session& owner() const { return owner_; }
  [[nodiscard]] std::uint64_t last() const { return last_; }
  /// All up to this is gone from the log.
  [[nodiscard]] std::uint64_t gone() const { return gone_; }
  /// The message after `number`; nullptr if there is none, or it is gone.
  [[nodiscard]] const Message* after(std::uint64_t number) const;
  [[nodiscard]] const std::map<std::uint64_t, Pending>& pending() const { return pending_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  struct Place {
    WorkerId worker;
    std::uint32_t slot = 0;
  };
  /// Whose socket it has; nothing: parked.
  [[nodiscard]] const std::optional<Place>& place() const { return place_; }

  // The ring loop's own.
  SteadyTime parked_until{};
  std::uint64_t handed = 0;          ///< the last that went to the edge
  std::uint64_t inherited_from = 0;  ///< answers above this were announced to the edge when the session was taken up
  std::uint32_t token = 0;           ///< the count of the token given last
  std::uint32_t proven = 0;          ///< of the last one that the consumer is known to have
  std::uint64_t resumed_from = 0;    ///< what it had seen when it used that
  std::set<std::string, std::less<>> topics{};  ///< those that events come for, in Mailboxes' index

 private:
  friend Mailboxes;
  Mailboxes& all_;
  Session& owner_;
  std::uint32_t id_;
  std::uint64_t last_, gone_;
  std::optional<Place> place_;
  std::uint64_t turn_ = 0;  // among those that wait for room; 0: it does not
  std::deque<Message> log_;
  std::size_t bytes_ = 0;
  const std::string* user_ = nullptr;  // in Mailboxes; while there are bytes
  std::map<std::uint64_t, Pending> pending_;
  std::size_t pending_text_ = 0;
};

class Mailboxes {
 public:
  /// What a message costs beside its text, and a request.
  static constexpr std::size_t overhead = 256, pending_overhead = 400;
  struct Bounds {
    std::size_t each = 0, total = 0;
    std::size_t pending_text = records::max_pending_text;
    std::size_t pending_of_worker = 32U << 20;  ///< what the requests of one worker may cost that are not answered yet
  };
  explicit Mailboxes(Bounds bounds) : bounds_(bounds) {}

  [[nodiscard]] Mailbox* find(std::uint32_t id) const;
  [[nodiscard]] std::size_t count() const { return boxes_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t let_go() const { return let_go_; }
  void each(const std::function<void(Mailbox&)>& work) const;

  /// Numbers a message. trim() has to follow, once it was handed to the edge if it can be.
  void add(Mailbox& box, std::shared_ptr<const std::string> text);
  /// The same of an answer. False if its sender no longer waits for it.
  bool answer(Mailbox& box, std::uint64_t pending, std::shared_ptr<const std::string> text, RequestOutcome outcome,
              const records::Stages& stages = {});
  /// Lets go of the oldest messages: of this one while it is over its bound, of whoever has most while all are over theirs.
  void trim(Mailbox& box);
  /// Those of which something went that their edges had not got: they can't go on.
  [[nodiscard]] std::vector<std::uint32_t> take_overrun() { return std::exchange(overrun_, {}); }
  [[nodiscard]] bool any_overrun() const { return !overrun_.empty(); }
  /// The consumer has seen all up to `number`.
  void seen(Mailbox& box, std::uint64_t number);

  /// To another socket, or to none.
  void move(Mailbox& box, std::optional<Mailbox::Place> place);
  /// Its edge has no room. Who waits longest comes first, or one that always has something new would hold up the others.
  void wait_for_room(Mailbox& box);
  /// The first of them, which waits no more; nullptr if none does.
  Mailbox* next_for_room(WorkerId worker);

  /// A request that has to be answered; its number. Nothing: too many are outstanding, or its address has one already.
  std::optional<std::uint64_t> wait(Mailbox& box, Mailbox::Pending pending);
  /// Ends it without a message.
  std::optional<Mailbox::Pending> take(Mailbox& box, std::uint64_t pending);
  struct Found {
    Mailbox* box = nullptr;
    std::uint64_t pending = 0;
  };
  [[nodiscard]] Found find(const ReturnAddress& from) const;
  /// The next whose time is up; nothing if none is by `now`.
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
  /// What the mailboxes of one user have.
  struct Share {
    std::size_t bytes = 0;
    std::set<std::pair<std::size_t, std::uint32_t>> boxes;  // bytes and id of those with a log
  };
  void put(Mailbox& box, Mailbox::Message message);
  void pop(Mailbox& box);
  void resize(Mailbox& box, std::size_t bytes);
  [[nodiscard]] Mailbox& largest() const;

  Bounds bounds_;
  std::map<WorkerId, std::size_t> pending_cost_;  // by worker: one that was taken over can't use up what others need
  std::size_t bytes_ = 0;
  std::uint64_t let_go_ = 0;
  std::uint32_t next_id_ = 0;
  std::uint64_t next_pending_ = 1;
  std::map<std::uint32_t, Mailbox*> boxes_;
  std::map<std::string, Share, std::less<>> shares_;                         // by user, of those with bytes
  std::set<std::pair<std::size_t, const std::string*>> by_share_;            // the same users by their bytes
  std::map<WorkerId, std::map<std::uint64_t, std::uint32_t>> without_room_;  // ids by their turn
  std::uint64_t last_turn_ = 0;
  std::vector<std::uint32_t> overrun_;
  std::unordered_map<ReturnAddress, Found, ReturnAddressHash> addresses_;
  std::set<std::pair<SteadyTime, std::pair<std::uint32_t, std::uint64_t>>> deadlines_;
  TopicIndex topics_;  // of ids
  mutable std::vector<TopicIndex::Id> found_;
};

}  // namespace nuropb::meshd
