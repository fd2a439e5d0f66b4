#pragma once
// meshd's record of the sessions of one worker: who each consumer is. Which records its edge may send in which state is in
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

/// There are as many of these as there are sockets: every byte counts (bench/memory).
struct Session {
  SessionId id;
  std::uint32_t serial = 0;
  std::uint32_t restored = 0;  ///< subscriptions that its edge may still bring back and that count for no rate
  SessionState state = SessionState::closed;
  HandlerKind handler = HandlerKind::web_socket;
  bool authorizing = false;  ///< a fresh token is being judged
  StoredIdentity identity;
  Policy::Session policy;
  Topics topics{};                     ///< subscribed to
  UserLimits::Place place{};           ///< among its user's connections
  std::unique_ptr<Mailbox> mailbox{};  ///< nothing: it has not asked for its messages to be kept
  /// True once it is closed: requests that were not published by then are not sent. Read by the transport's thread. There
  /// is none before the first request: most sessions are idle.
  [[nodiscard]] const std::shared_ptr<std::atomic<bool>>& gone() const {
    if (!gone_) gone_ = std::make_shared<std::atomic<bool>>(false);
    return gone_;
  }
  void go() {
    if (gone_) gone_->store(true, std::memory_order_relaxed);
  }
  mutable std::shared_ptr<std::atomic<bool>> gone_{};
  /// SessionIndex's own: its links in the index, its place, and its neighbours in the chain of its user's sessions.
  using Hook = boost::intrusive::unordered_set_member_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>>;
  Hook by_id{}, by_user{};
  struct Indexed {
    SessionIndex* in = nullptr;  ///< close() takes it out
    Session* previous = nullptr;
    Session* next = nullptr;
    WorkerId worker{};
    std::uint32_t slot = 0;
  } indexed{};
};

class SessionTable {
 public:
  explicit SessionTable(std::uint32_t max_sessions) : max_sessions_(max_sessions) {}

  /// The session in a slot; nullptr if an edge may not have so many.
  Session* find(std::uint32_t slot);
  /// The same only if it is this very session, not a predecessor or successor in the slot.
  Session* find(std::uint32_t slot, std::uint32_t serial);
  void close(Session& session);
  /// Out of here, as it is; and into a slot here, whatever was in it. It stays where it is in memory.
  std::unique_ptr<Session> release(std::uint32_t slot);
  Session& adopt(std::uint32_t slot, std::unique_ptr<Session> session);
  void opened() { ++open_; }
  [[nodiscard]] std::size_t open() const { return open_; }
  /// Those that are not closed.
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
