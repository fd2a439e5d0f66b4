#pragma once
// A key set that its issuer publishes at a URL and changes from time to time.
//
// refresh() blocks, so it needs a thread of its own. It fetches at most once per `retry`; the pause doubles with each
// failure (up to five minutes), and the last good set stays in force.

#include <cstdint>
#include <memory>
#include <mutex>

#include "common/clock.hpp"
#include "meshd/auth/jwt_keys.hpp"
#include "meshd/http/client.hpp"

namespace nuropb::meshd {

/// Logs which keys of a set are skipped, and why. Logs nothing if that has not changed.
void say_skipped(const SkippedKeys& now, const SkippedKeys& before, const std::string& where);

class RemoteKeys {
 public:
  struct Settings {
    http::Client::Settings client;
    milliseconds timeout{5000};
    milliseconds retry{10'000};
    milliseconds refresh{3'600'000};
  };
  explicit RemoteKeys(Settings settings) : settings_(std::move(settings)), client_(settings_.client) {}

  /// Fetches, unless the set is already younger than `older_than` or the pause is not over. Returns true if the set is
  /// younger now.
  bool refresh(SteadyTime older_than, SteadyTime now);
  /// Cancels a fetch in progress, and all later ones. Any thread.
  void cancel() { client_.cancel(); }

  /// Any thread.
  [[nodiscard]] std::shared_ptr<const JwtKeys> keys() const;
  [[nodiscard]] bool stale(SteadyTime now) const;

 private:
  Result<JwtKeys> fetch();
  Settings settings_;
  http::Client client_;
  mutable std::mutex mutex_;
  std::shared_ptr<const JwtKeys> keys_ = std::make_shared<JwtKeys>();  // guarded by mutex_, like all members below
  std::optional<SteadyTime> fetched_;                                  ///< when the fetch of keys_ began
  SteadyTime next_{};
  unsigned failures_ = 0;
};

}  // namespace nuropb::meshd
