#pragma once
// Index of the open sessions of all workers, by session id and by user. The memory per session is its hooks in the two
// hash sets, a bucket in each, and two pointers that chain it to other sessions of its user.
//
// Session ids come from edges, which meshd must not trust: they are hashed with a random key, and if two workers claim
// one id, the first keeps it and the other's session is found by its user only. Anonymous sessions have no user and are
// found by id only.
//
// Owner thread: the ring loop. A Session must not move in memory between add() and remove().

#include <boost/intrusive/unordered_set.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "common/ids.hpp"
#include "common/sip_hash.hpp"
#include "meshd/sealed_tickets.hpp"
#include "meshd/session_table.hpp"

namespace nuropb::meshd {

class SessionIndex {
 public:
  SessionIndex();

  /// Adds an open session with its worker and slot. To be called once.
  void add(WorkerId worker, std::uint32_t slot, Session& session);
  /// To be called before the session is closed or its identity changes. A session that was not added is ignored.
  void remove(Session& session);

  [[nodiscard]] Session* find(const SessionId& id) const;
  /// Calls `work` with each of a user's sessions; `work` must not change the index.
  template <class Work>
  void each_of(std::string_view user_id, Work&& work) const {
    for (Session* session = first_of(user_id); session; session = session->indexed.next) work(*session);
  }
  [[nodiscard]] std::size_t sessions() const { return count_; }
  [[nodiscard]] std::size_t users() const { return users_.size(); }

 private:
  struct IdOf {
    using type = SessionId;
    const SessionId& operator()(const Session& session) const { return session.id; }
  };
  struct UserOf {
    using type = std::string_view;
    std::string_view operator()(const Session& session) const { return session.identity.user_id(); }
  };
  struct IdHash {
    std::uint64_t a, b;
    std::size_t operator()(const SessionId& id) const;
  };
  /// A hash set of sessions with intrusive links, whose bucket array grows with it.
  template <class Key, class Hash, Session::Hook Session::* Member>
  class Linked {
    using Set = boost::intrusive::unordered_set<Session, boost::intrusive::member_hook<Session, Session::Hook, Member>,
                                                boost::intrusive::key_of_value<Key>, boost::intrusive::hash<Hash>,
                                                boost::intrusive::power_2_buckets<true>>;
    using Buckets = std::vector<typename Set::bucket_type>;

   public:
    explicit Linked(Hash hash) : buckets_(16), set_({buckets_.data(), buckets_.size()}, hash) {}
    ~Linked() { set_.clear(); }
    Linked(const Linked&) = delete;
    Linked& operator=(const Linked&) = delete;
    /// Returns the session that has the key: an earlier one, or this one if the key was free.
    Session& insert(Session& session) {
      if (set_.size() == buckets_.size()) {
        Buckets more(buckets_.size() * 2);
        set_.rehash({more.data(), more.size()});
        buckets_.swap(more);
      }
      return *set_.insert(session).first;
    }
    /// Removes the session only if it is the one with its key.
    bool erase(Session& session) {
      if (find(Key()(session)) != &session) return false;
      set_.erase(set_.iterator_to(session));
      return true;
    }
    [[nodiscard]] Session* find(const typename Key::type& key) const {
      const auto found = set_.find(key);
      return found == set_.end() ? nullptr : const_cast<Session*>(&*found);
    }
    [[nodiscard]] std::size_t size() const { return set_.size(); }

   private:
    Buckets buckets_;
    Set set_;
  };
  [[nodiscard]] Session* first_of(std::string_view user_id) const { return users_.find(user_id); }

  Linked<IdOf, IdHash, &Session::by_id> ids_;
  Linked<UserOf, SipHash, &Session::by_user> users_;  // the first session of each user's chain
  std::size_t count_ = 0;
};

}  // namespace nuropb::meshd
