#pragma once
// Verdicts of an authorizer that asks others, remembered for a while: good ones at most until the token expires, by either
// clock; bad ones shortly; `unavailable` never. A step of the wall clock prolongs none: the sessions of a remembered verdict
// end when the time is over that the token had left when it was asked about. Who shows a token that is being asked about waits for the same answer.
//
// Few questions are asked at a time, and which is the next one is decided when there is room: edges, and the addresses of each,
// take turns, so that made-up tokens of one address delay nobody else (fair_queue.hpp). What nobody waits for any more is not
// asked.
//
// Keyed by SHA-256, so that no token stays in memory for it; bounded, the oldest go first, good and bad each by
// themselves, so that a flood of made-up tokens does not push out those of users. The ring loop's thread only.

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
    std::size_t entries = 10'000;  ///< of good verdicts, and of bad ones
    std::size_t asked = 1000;      ///< tokens that may wait for answers, and who may wait with the same one
    std::size_t at_a_time = 8;     ///< questions that the inner one is asked at a time
    WallClock clock = unix_now;
    std::function<SteadyTime()> steady_clock = [] { return std::chrono::steady_clock::now(); };
  };
  CachedAuthorizer(std::unique_ptr<Authorizer> inner, Settings settings)
      : inner_(std::move(inner)), settings_(std::move(settings)) {}

  [[nodiscard]] std::string_view name() const override { return inner_->name(); }
  void start(const Post& post) override { inner_->start(post); }
  void stop() override { inner_->stop(); }
  void judge(const Credential& credential, Answer answer) override;
  /// Forgets all, too.
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
    /// The verdict, if it still holds; one that does not any more goes.
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
  FairQueue<Digest> queue_;    // those of asked_ that the inner one was not asked about
  std::size_t under_way_ = 0;  // questions
  bool asking_ = false;
  std::uint64_t epoch_ = 0;  // of reloads: what was asked before one is not remembered
};

}  // namespace nuropb::meshd
