#pragma once
// Tickets: what meshd hands to edges so that a successor of it can believe them (design.md, rule 2).
//
// A worker ticket says "you are slot S, generation G"; a session ticket says "on that worker, session X is user U".
// Both are sealed with AES-256-GCM under a secret that only meshd can read and that outlives it (runtime_dir/secret),
// so an edge can neither make one, nor alter it, nor read the token that lies in it; a session ticket is bound to its
// worker and session, so another edge can't use it. Pure but for randomness; never throws.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/ids.hpp"
#include "meshd/auth/authorizer.hpp"

namespace nuropb::meshd {

struct WorkerId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  auto operator<=>(const WorkerId&) const = default;
};

class SealedTickets {
 public:
  using Secret = std::array<std::uint8_t, 32>;
  explicit SealedTickets(const Secret& secret) : secret_(secret) {}

  [[nodiscard]] std::string seal_worker(WorkerId worker) const;
  [[nodiscard]] std::optional<WorkerId> open_worker(std::string_view ticket) const;

  [[nodiscard]] std::string seal_session(WorkerId worker, const SessionId& session, const Identity& identity) const;
  /// Nothing, unless this very session on this very worker was given the ticket under this secret.
  [[nodiscard]] std::optional<Identity> open_session(WorkerId worker, const SessionId& session,
                                                     std::string_view ticket) const;

  /// What a consumer takes up its session with: of this session, the `count`-th. Text, for JSON.
  struct ResumeToken {
    SessionId session;
    std::uint32_t count = 0;
  };
  [[nodiscard]] std::string seal_resume(const ResumeToken& token) const;
  [[nodiscard]] std::optional<ResumeToken> open_resume(std::string_view token) const;

  /// A key of 16 bytes for something else than tickets: another for each purpose, the same for every successor of meshd.
  [[nodiscard]] std::array<std::uint8_t, 16> key_for(std::string_view purpose) const;

 private:
  [[nodiscard]] std::string seal(std::string_view bound_to, std::string_view plain) const;
  [[nodiscard]] std::optional<std::string> open(std::string_view bound_to, std::string_view ticket) const;
  Secret secret_;
};

}  // namespace nuropb::meshd
