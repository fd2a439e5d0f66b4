#pragma once
// What a service tells the manager that started it, by systemd's protocol (sd_notify(3)): a datagram of lines to the socket
// that NOTIFY_SOCKET names. With it systemd knows when the service is ready, and finds one that hangs (WatchdogSec=).
//
// Nothing is sent where no such socket is named: the launcher gives its children none. No call waits; a notice that finds no
// room is lost, and the next sign of life tells the same. After the sandbox has closed only sends happen.

#include <string_view>

namespace nuropb {

class ServiceNotice {
 public:
  /// What has to stay in the environment of a process that runs itself again.
  static constexpr std::string_view variables[] = {"NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID="};

  /// The one of this process. The first call opens the socket that the environment names.
  static ServiceNotice& ours();

  ServiceNotice();
  ~ServiceNotice();
  ServiceNotice(const ServiceNotice&) = delete;
  ServiceNotice& operator=(const ServiceNotice&) = delete;

  void ready() const { send("READY=1"); }
  void stopping() const { send("STOPPING=1"); }
  /// Settings are read again; ready() follows.
  void reloading() const;
  /// From the event loop, far more often than the manager asks for. Nothing where it does not ask.
  void alive() const {
    if (watched_) send("WATCHDOG=1");
  }

 private:
  void send(std::string_view text) const;

  int fd_ = -1;
  bool watched_ = false;
};

}  // namespace nuropb
