#pragma once
// Caches the results of an authorizer that queries another server: acceptances at most until the token expires, by
// either clock; refusals for a short time; `unavailable` never. A step of the wall clock extends none of them: a
// session from a cached result ends when the remaining time that the token had at the query is over. Requests for a
// token that is already being queried wait for the same answer.
//
// The number of concurrent queries is limited. The next one is chosen when a query ends: edges take turns, and so do
// the addresses of each edge, so that invalid tokens from one address delay no other client (fair_queue.hpp). Queries
// whose result is no longer needed are dropped.
//
// Keyed by SHA-256, so that the cache keeps no token in memory. Bounded, with separate limits for acceptances and
// refusals, so that a flood of invalid tokens does not evict those of users; the oldest entries are evicted first. The
// ring loop's thread only.

#include <array>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "common/clock.hpp"
#include "meshd/auth/authorizer.hpp"
#include "meshd/auth/fair_queue.hpp"

namespace nuropb::meshd {

class CachedAuthorizer final : public Authorizer {
 public:
  struct Settings {
    std::int64_t good_s = 60;
    std::int64_t bad_s = 5;
    std::size_t entries = 10'000;  ///< limit of cached acceptances, and of cached refusals
    std::size_t asked = 1000;      ///< limit of tokens that wait for answers, and of requests that wait with one token
    std::size_t at_a_time = 8;     ///< concurrent queries
    WallClock clock = unix_now;
    std::function<SteadyTime()> steady_clock = [] { return std::chrono::steady_clock::now(); };
  };
  CachedAuthorizer(std::unique_ptr<Authorizer> inner, Settings settings)
      : inner_(std::move(inner)), settings_(std::move(settings)) {}

  [[nodiscard]] std::string_view name() const override { return inner_->name(); }
  void start(const Post& post) override { inner_->start(post); }
  void stop() override { inner_->stop(); }
  void judge(const Credential& credential, Answer answer) override;
  /// Also clears the cache.
  Result<void> reload() override;
  [[nodiscard]] bool still_good(const Identity& identity) const override { return inner_->still_good(identity); }
  [[nodiscard]] std::size_t size() const { return good_.entries.size() + bad_.entries.size(); }

 private:
  using Digest = std::array<std::uint8_t, 32>;
  struct Entry {
    Verdict verdict;  // without its token
    SteadyTime until{};
    std::list<Digest>::iterator age;
  };
  struct Shelf {
    std::map<Digest, Entry> entries;
    std::list<Digest> ages;  // oldest first
    /// The cached result if it is still valid; an expired entry is removed.
    const Verdict* find(const Digest& digest, std::int64_t wall, SteadyTime now);
    void put(const Digest& digest, Verdict verdict, SteadyTime until, std::size_t bound);
  };
  void remember(const Digest& digest, Verdict verdict);
  void answered(const Digest& digest, const Verdict& verdict, std::uint64_t epoch);

  std::unique_ptr<Authorizer> inner_;
  Settings settings_;
  Shelf good_, bad_;
  struct Asker {
    Answer answer;
    std::function<bool()> wanted;
  };
  struct Waiting {
    Credential credential;
    std::vector<Asker> askers;
  };
  void ask_next();
  void give_up(const Digest& digest, const std::string& why);

  std::map<Digest, Waiting> asked_;
  FairQueue<Digest> queue_;    // the tokens in asked_ that are not being queried yet
  std::size_t under_way_ = 0;  // concurrent queries now
  bool asking_ = false;
  std::uint64_t epoch_ = 0;  // counts reloads: results of queries from before a reload are not cached
};

}  // namespace nuropb::meshd
