#pragma once
// Tickets that meshd gives to edges, so that a restarted meshd can trust them (design.md, rule 2).
//
// A worker ticket means "this worker has slot S, generation G"; a session ticket means "on that worker, session X
// belongs to user U". Both are sealed with AES-256-GCM under a secret that only meshd can read and that survives it
// (runtime_dir/secret), so an edge can neither forge nor modify a ticket, nor read the token in it; a session ticket is
// bound to its worker and session, so another edge cannot use it. Pure except for randomness; never throws.

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
  /// Empty unless this session on this worker was given the ticket under this secret.
  [[nodiscard]] std::optional<Identity> open_session(WorkerId worker, const SessionId& session,
                                                     std::string_view ticket) const;

  /// The token with which a client resumes a session; `count` numbers the tokens of a session. Text for JSON.
  struct ResumeToken {
    SessionId session;
    std::uint32_t count = 0;
  };
  [[nodiscard]] std::string seal_resume(const ResumeToken& token) const;
  [[nodiscard]] std::optional<ResumeToken> open_resume(std::string_view token) const;

  /// A 16-byte key for another purpose: different for each purpose, the same for every restart of meshd.
  [[nodiscard]] std::array<std::uint8_t, 16> key_for(std::string_view purpose) const;

 private:
  [[nodiscard]] std::string seal(std::string_view bound_to, std::string_view plain) const;
  [[nodiscard]] std::optional<std::string> open(std::string_view bound_to, std::string_view ticket) const;
  Secret secret_;
};

}  // namespace nuropb::meshd
