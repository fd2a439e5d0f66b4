#pragma once
// A key set that its issuer publishes at an address, and changes now and then.
//
// refresh() blocks: it belongs to a thread of its own. It asks at most every `retry`, twice as seldom with every failure
// (up to five minutes), and a failure leaves the last good set in force.

#include <cstdint>
#include <memory>
#include <mutex>

#include "common/clock.hpp"
#include "meshd/auth/jwt_keys.hpp"
#include "meshd/http/client.hpp"

namespace nuropb::meshd {

/// Says in the log which keys of a set are left out, and why; nothing where it is as it was.
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

  /// Fetches, unless the set is younger than `older_than` already or it is too soon. True if the set is younger now.
  bool refresh(SteadyTime older_than, SteadyTime now);
  /// Ends a fetch under way, and all later ones. Any thread.
  void cancel() { client_.cancel(); }

  /// Any thread.
  [[nodiscard]] std::shared_ptr<const JwtKeys> keys() const;
  [[nodiscard]] bool stale(SteadyTime now) const;

 private:
  Result<JwtKeys> fetch();
  Settings settings_;
  http::Client client_;
  mutable std::mutex mutex_;
  std::shared_ptr<const JwtKeys> keys_ = std::make_shared<JwtKeys>();  // under mutex_, like all below
  std::optional<SteadyTime> fetched_;                                  ///< when the fetch of keys_ began
  SteadyTime next_{};
  unsigned failures_ = 0;
};

}  // namespace nuropb::meshd
