#pragma once
// The watchdog signal to whatever started this process: WATCHDOG=1 for systemd (service_notice.hpp); for the launcher a
// byte from time to time into a pipe whose descriptor is named by an environment variable. The launcher kills and
// replaces a process whose signals stop (gateway.hung_after_s). meshd and its edges also watch each other through the
// heartbeat words in shared memory, but a restarted meshd has no heartbeat of an edge that hung in the meantime.
//
// Sent from the process's event loop, so that it proves progress of the loop and not only existence of the process.
// Never blocks; a full pipe or a missing reader is ignored. SIGPIPE must be ignored by the process.

namespace nuropb {

class LifeSign {
 public:
  static constexpr const char* variable = "NUROPB_LIFE_SIGN_FD";
  /// The descriptor named by the environment, if it is the writing end of a pipe; otherwise -1.
  static int inherited();
  /// Takes the descriptor named by the environment, if it is an open pipe, and marks it close-on-exec.
  LifeSign();
  ~LifeSign();
  LifeSign(const LifeSign&) = delete;
  LifeSign& operator=(const LifeSign&) = delete;

  void give();

 private:
  int fd_ = -1;
};

}  // namespace nuropb
