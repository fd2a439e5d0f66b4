#pragma once
// meshd's record of the sessions of one worker: each client's identity. Which records its edge may send in which state is in
// routing/record_dispatcher.cpp.
//
//              open_session              accepted
//     closed ───────────────► judging ─────────────► open
//       ▲ ▲                      │ refused             │ ended by us
//       │ │ close_session        ▼                     ▼
//       │ └───────────────────  ended  ◄───────────────┘
//       └── close_session, from any state

#include <atomic>
#include <boost/intrusive/unordered_set_hook.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/ids.hpp"
#include "common/records.hpp"
#include "meshd/mailbox.hpp"
#include "meshd/policy.hpp"
#include "meshd/user_limits.hpp"
#include "meshd/sealed_tickets.hpp"
#include "meshd/stored_identity.hpp"
#include "meshd/topics.hpp"

namespace nuropb::meshd {

class SessionIndex;

enum class SessionState : std::uint8_t { closed, judging, open, ended };

/// One per socket, so every byte counts (bench/memory).
struct Session {
  SessionId id;
  std::uint32_t serial = 0;
  std::uint32_t restored = 0;  ///< subscriptions that its edge may still restore without counting for a rate limit
  SessionState state = SessionState::closed;
  HandlerKind handler = HandlerKind::web_socket;
  bool authorizing = false;  ///< a new token is being authenticated
  StoredIdentity identity;
  Policy::Session policy;
  Topics topics{};                     ///< current subscriptions
  UserLimits::Place place{};           ///< counts as a connection of its user
  std::unique_ptr<Mailbox> mailbox{};  ///< null: the session is not resumable
  /// True once the session is closed: requests that were not published by then are not sent. Read by the transport's
  /// thread. Allocated with the first request, because most sessions are idle.
  [[nodiscard]] const std::shared_ptr<std::atomic<bool>>& gone() const {
    if (!gone_) gone_ = std::make_shared<std::atomic<bool>>(false);
    return gone_;
  }
  void go() {
    if (gone_) gone_->store(true, std::memory_order_relaxed);
  }
  mutable std::shared_ptr<std::atomic<bool>> gone_{};
  /// Private to SessionIndex: its links in the index, its worker and slot, and its neighbours in the chain of its
  /// user's sessions.
  using Hook = boost::intrusive::unordered_set_member_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>>;
  Hook by_id{}, by_user{};
  struct Indexed {
    SessionIndex* in = nullptr;  ///< close() removes it from this index
    Session* previous = nullptr;
    Session* next = nullptr;
    WorkerId worker{};
    std::uint32_t slot = 0;
  } indexed{};
};

class SessionTable {
 public:
  explicit SessionTable(std::uint32_t max_sessions) : max_sessions_(max_sessions) {}

  /// The session in a slot; nullptr if the slot is above the edge's limit.
  Session* find(std::uint32_t slot);
  /// The same, but only if the serial matches, so that a predecessor or successor in the slot is never returned.
  Session* find(std::uint32_t slot, std::uint32_t serial);
  void close(Session& session);
  /// Moves a session out of the table, or into a slot, replacing what was there. Its address in memory does not change.
  std::unique_ptr<Session> release(std::uint32_t slot);
  Session& adopt(std::uint32_t slot, std::unique_ptr<Session> session);
  void opened() { ++open_; }
  [[nodiscard]] std::size_t open() const { return open_; }
  /// Calls `work` with each session that is not closed.
  template <class Work>
  void each(Work&& work) {
    for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
      if (slots_[slot] && slots_[slot]->state != SessionState::closed) work(slot, *slots_[slot]);
    }
  }

 private:
  std::uint32_t max_sessions_;
  std::size_t open_ = 0;
  std::vector<std::unique_ptr<Session>> slots_;
};

}  // namespace nuropb::meshd
