#pragma once
// Verdicts of an authorizer that asks others, remembered for a while: good ones at most until the token expires, bad ones
// shortly, `unavailable` never. Who shows a token that is being asked about waits for the same answer.
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

namespace nuropb::meshd {

class CachedAuthorizer final : public Authorizer {
 public:
  struct Settings {
    std::int64_t good_s = 60;
    std::int64_t bad_s = 5;
    std::size_t entries = 10'000;  ///< of good verdicts, and of bad ones
    std::size_t asked = 1000;      ///< who may wait for answers
    WallClock clock = unix_now;
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
    std::int64_t until = 0;
    std::list<Digest>::iterator age;
  };
  struct Shelf {
    std::map<Digest, Entry> entries;
    std::list<Digest> ages;  // oldest first
    /// The verdict, if it still holds; one that does not any more goes.
    const Verdict* find(const Digest& digest, std::int64_t now);
    void put(const Digest& digest, Verdict verdict, std::int64_t until, std::size_t bound);
  };
  void remember(const Digest& digest, Verdict verdict);
  void answered(const Digest& digest, const Verdict& verdict, std::uint64_t epoch);

  std::unique_ptr<Authorizer> inner_;
  Settings settings_;
  Shelf good_, bad_;
  struct Waiting {
    std::uint64_t epoch = 0;
    std::vector<Answer> answers;
  };
  std::map<Digest, Waiting> asked_;
  std::size_t waiting_ = 0;
  std::uint64_t epoch_ = 0;  // of reloads: what was asked before one is not remembered
};

}  // namespace nuropb::meshd
