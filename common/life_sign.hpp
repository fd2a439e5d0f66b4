#pragma once
// A sign of life for what started us: WATCHDOG=1 for systemd (service_notice.hpp); for the launcher one byte now and then into
// a pipe whose descriptor is named by the environment.
// The launcher kills and replaces a process whose signs stop (gateway.hung_after_s). Between meshd and its edges the beat
// words of shared memory say the same, but a meshd that was itself replaced has never seen an edge that hung meanwhile.
//
// Sent from a process's event loop, so that it says "the loop turns", not only "the process exists". Never blocks: a pipe
// that is full or whose reader is gone is nobody's concern. SIGPIPE has to be ignored.

namespace nuropb {

class LifeSign {
 public:
  static constexpr const char* variable = "NUROPB_LIFE_SIGN_FD";
  /// The descriptor that the environment names, if it is the writing end of a pipe; -1 otherwise.
  static int inherited();
  /// Takes the descriptor from the environment, if it names an open pipe, and keeps it from children.
  LifeSign();
  ~LifeSign();
  LifeSign(const LifeSign&) = delete;
  LifeSign& operator=(const LifeSign&) = delete;

  void give();

 private:
  int fd_ = -1;
};

}  // namespace nuropb
