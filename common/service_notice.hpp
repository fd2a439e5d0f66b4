#pragma once
// Notifies the service manager by systemd's protocol (sd_notify(3)): a datagram of lines to the socket named by
// NOTIFY_SOCKET. So systemd knows when the service is ready, and detects a hung one (WatchdogSec=).
//
// Nothing is sent if NOTIFY_SOCKET is not set, as for children of the launcher. No call blocks; a notice that finds no
// room is dropped, and the next watchdog signal replaces it. Under the sandbox only sends happen.

#include <string_view>

namespace nuropb {

class ServiceNotice {
 public:
  /// Environment variables that must survive a re-exec of the process.
  static constexpr std::string_view variables[] = {"NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID="};

  /// This process's instance. The first call opens the socket named by the environment.
  static ServiceNotice& ours();

  ServiceNotice();
  ~ServiceNotice();
  ServiceNotice(const ServiceNotice&) = delete;
  ServiceNotice& operator=(const ServiceNotice&) = delete;

  void ready() const { send("READY=1"); }
  void stopping() const { send("STOPPING=1"); }
  /// The settings are being reloaded; ready() follows.
  void reloading() const;
  /// To be called from the event loop, far more often than the watchdog interval. Does nothing if no watchdog is
  /// configured.
  void alive() const {
    if (watched_) send("WATCHDOG=1");
  }

 private:
  void send(std::string_view text) const;

  int fd_ = -1;
  bool watched_ = false;
};

}  // namespace nuropb
