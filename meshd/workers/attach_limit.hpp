#pragma once
// How often processes may come to the control socket. An attachment costs some milliseconds, for the memory that is made
// and zeroed for it, and each connection costs a little: without a limit, an edge that was taken over could have meshd do
// nothing else (design.md, rule 2).
//
// Connections are counted by process: an edge can't start others, so one that is an attacker comes from one process, and
// takes nobody else's turn. Attachments are counted in all, for who can start processes after all. Workers that bring the
// place that they had under an earlier meshd are counted apart, so that newcomers can't keep them from coming back.
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
  /// All workers that there may be can always come at once.
  explicit AttachLimit(std::uint32_t max_workers);

  /// False if that process has connected too often lately: nothing is to be done for it.
  bool may_connect(pid_t process, SteadyTime now);
  /// False if too many workers have been given memory lately: it has to come again in a moment.
  /// `returning`: it gets the place back that an earlier meshd gave it.
  bool may_attach(bool returning, SteadyTime now);

  static constexpr std::uint32_t connections_burst = 20, connections_per_s = 4;  ///< of one process
  static constexpr std::uint32_t least_burst = 32, attachments_per_s = 10;       ///< of all
  [[nodiscard]] std::size_t remembered() const { return processes_.size(); }

 private:
  Rates attachments_;
  RateLimit new_, returning_;
  std::unordered_map<pid_t, RateLimit> processes_;  // those that came within the last seconds
};

}  // namespace nuropb::meshd
