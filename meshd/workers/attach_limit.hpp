#pragma once
// Rate limits of the control socket. Attaching a worker costs some milliseconds, because its memory is allocated and
// zeroed, and each connection has a small cost: without limits, a compromised edge could keep meshd busy (design.md,
// rule 2).
//
// Connections are limited per process: an edge cannot start others, so an attacker is a single process and takes
// nothing from others. Attachments are limited in total, for attackers that can start processes. Workers that return
// with their slot from an earlier meshd have a separate limit, so that new ones cannot keep them out.
//
// Pure; owner thread: the ring loop.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "common/rate_limit.hpp"

namespace nuropb::meshd {

class AttachLimit {
 public:
  /// Allows `max_workers` attachments at once.
  explicit AttachLimit(std::uint32_t max_workers);

  /// Returns false if that process has connected too often recently; the connection is then closed without any further
  /// work.
  bool may_connect(pid_t process, SteadyTime now);
  /// Returns false if too many workers have attached recently; the worker has to try again later. `returning`: the
  /// worker gets its slot from an earlier meshd back.
  bool may_attach(bool returning, SteadyTime now);

  static constexpr std::uint32_t connections_burst = 20, connections_per_s = 4;  ///< per process
  static constexpr std::uint32_t least_burst = 32, attachments_per_s = 10;       ///< in total
  [[nodiscard]] std::size_t remembered() const { return processes_.size(); }

 private:
  Rates attachments_;
  RateLimit new_, returning_;
  std::unordered_map<pid_t, RateLimit> processes_;  // processes that connected within the last seconds
};

}  // namespace nuropb::meshd
