#pragma once
// For tests of authorizers: one that says what it is told to, and a ring loop in a test's hands.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "meshd/auth/authorizer.hpp"

namespace nuropb::meshd {

inline Credential bearer(std::string token) { return {records::CredentialKind::header, std::move(token)}; }

/// Keeps the requests for authentication; the test answers them.
class FakeAuthorizer final : public Authorizer {
 public:
  explicit FakeAuthorizer(std::string name) : name_(std::move(name)) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  void judge(const Credential& credential, Answer answer) override {
    asked.push_back(credential.token);
    if (at_once) return answer(*at_once);
    waiting.push_back(std::move(answer));
  }
  [[nodiscard]] bool still_good(const Identity& identity) const override { return identity.token != revoked_token; }

  std::vector<std::string> asked;
  std::optional<Verdict> at_once;
  std::deque<Answer> waiting;
  std::string revoked_token = "-";

 private:
  std::string name_;
};

inline Verdict user(std::string id, std::int64_t expires = 0) {
  Identity identity;
  identity.user_id = std::move(id);
  identity.expires = expires;
  return Verdict::accept(std::move(identity));
}

/// Runs in the test's thread what other threads post.
class TestLoop {
 public:
  Authorizer::Post post() {
    return [this](std::function<void()> work) {
      const std::lock_guard lock(mutex_);
      work_.push_back(std::move(work));
      wake_.notify_one();
    };
  }
  /// Runs posted work until the answer is there; waits at most half a minute.
  Verdict judge(Authorizer& authorizer, const Credential& credential) {
    std::optional<Verdict> verdict;
    authorizer.judge(credential, [&](Verdict v) { verdict = std::move(v); });
    while (!verdict) {
      if (!run_one()) return Verdict::later("the test gave up");
    }
    return *verdict;
  }
  bool run_one() {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      if (!wake_.wait_for(lock, std::chrono::seconds(30), [&] { return !work_.empty(); })) return false;
      work = std::move(work_.front());
      work_.pop_front();
    }
    work();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> work_;
};

}  // namespace nuropb::meshd
