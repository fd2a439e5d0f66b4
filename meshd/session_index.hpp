#pragma once
// The open sessions of all workers, found by session id and by user. Two pointers in each Session chain those of one
// user; the two hash sets hold pointers only, so a session costs about a hundred bytes here.
//
// Session ids come from edges, which a successor of ours must not trust: they are hashed with a random key, and where
// two workers claim one id, the first keeps it and the other's session is found by its user only. Anonymous sessions are
// nobody's: found by their id only.
//
// Owner thread: the ring loop. A Session stays where it is from add() to remove().

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_set>

#include "common/ids.hpp"
#include "meshd/sealed_tickets.hpp"
#include "meshd/session_table.hpp"

namespace nuropb::meshd {

class SessionIndex {
 public:
  SessionIndex();

  /// An open session, whose place is this; once.
  void add(WorkerId worker, std::uint32_t slot, Session& session);
  /// Before it is closed, or its identity is another's. One that was not added is no mistake.
  void remove(Session& session);

  [[nodiscard]] Session* find(const SessionId& id) const;
  /// A user's sessions; `work` must not change the index.
  template <class Work>
  void each_of(std::string_view user_id, Work&& work) const {
    const auto first = users_.find(user_id);
    if (first == users_.end()) return;
    for (Session* session = *first; session; session = session->indexed.next) work(*session);
  }
  [[nodiscard]] std::size_t sessions() const { return count_; }
  [[nodiscard]] std::size_t users() const { return users_.size(); }

 private:
  struct IdHash {
    using is_transparent = void;
    std::uint64_t a, b;
    std::size_t operator()(const SessionId& id) const;
    std::size_t operator()(const Session* session) const { return (*this)(session->id); }
  };
  struct IdEqual {
    using is_transparent = void;
    static const SessionId& id(const SessionId& id) { return id; }
    static const SessionId& id(const Session* session) { return session->id; }
    bool operator()(const auto& x, const auto& y) const { return id(x) == id(y); }
  };
  struct UserHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view user) const { return std::hash<std::string_view>()(user); }
    std::size_t operator()(const Session* session) const { return (*this)(session->identity.user_id); }
  };
  struct UserEqual {
    using is_transparent = void;
    static std::string_view user(std::string_view user) { return user; }
    static std::string_view user(const Session* session) { return session->identity.user_id; }
    bool operator()(const auto& x, const auto& y) const { return user(x) == user(y); }
  };
  std::unordered_set<Session*, IdHash, IdEqual> ids_;
  std::unordered_set<Session*, UserHash, UserEqual> users_;  // the first of each user's chain
  std::size_t count_ = 0;
};

}  // namespace nuropb::meshd
