#include "common/service_notice.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>

namespace nuropb {
namespace {

/// systemd's side: a socket with a path, or with an abstract name.
class Manager {
 public:
  explicit Manager(const std::string& name) : name_(name), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    else std::remove(name.c_str());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address),
                     static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
              0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Manager() {
    ::close(fd_);
    std::remove(name_.c_str());
    for (const char* const variable : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(variable);
  }
  std::string heard() {
    char text[256];
    const ssize_t n = ::recv(fd_, text, sizeof text, 0);
    return n < 0 ? "" : std::string(text, static_cast<std::size_t>(n));
  }

 private:
  std::string name_;
  int fd_;
};

std::string by_path() { return ::testing::TempDir() + "nuropb-notify-" + std::to_string(::getpid()); }

TEST(ServiceNotice, TellsWhatHappens) {
  for (const std::string& name : {by_path(), "@nuropb-notify-" + std::to_string(::getpid())}) {
    Manager manager(name);
    const ServiceNotice notice;
    notice.ready();
    EXPECT_EQ(manager.heard(), "READY=1");
    notice.reloading();
    EXPECT_EQ(manager.heard().find("RELOADING=1\nMONOTONIC_USEC="), 0u);
    notice.stopping();
    EXPECT_EQ(manager.heard(), "STOPPING=1");
    EXPECT_EQ(manager.heard(), "");
  }
}

TEST(ServiceNotice, SignsOfLifeGoToWhoAsksForThem) {
  const auto heard_with = [](const char* period, const std::string& pid) {
    Manager manager(by_path());
    if (period) ::setenv("WATCHDOG_USEC", period, 1);
    if (!pid.empty()) ::setenv("WATCHDOG_PID", pid.c_str(), 1);
    ServiceNotice().alive();
    return manager.heard();
  };
  const std::string ours = std::to_string(::getpid());
  EXPECT_EQ(heard_with("10000000", ours), "WATCHDOG=1");
  EXPECT_EQ(heard_with("10000000", ""), "WATCHDOG=1");
  EXPECT_EQ(heard_with("10000000", "1"), "") << "another process is watched";
  EXPECT_EQ(heard_with(nullptr, ours), "") << "none is";
  EXPECT_EQ(heard_with("0", ours), "");
  EXPECT_EQ(heard_with("soon", ours), "");
}

TEST(ServiceNotice, NothingIsAnErrorForIt) {
  for (const char* const name : {"", "/", "relative", "vsock:2:1234", "/no/such/socket", "@"}) {
    ::setenv("NOTIFY_SOCKET", name, 1);
    ServiceNotice().ready();
  }
  ::setenv("NOTIFY_SOCKET", std::string(200, '/').c_str(), 1);
  ServiceNotice().ready();
  Manager manager(by_path());
  const ServiceNotice notice;
  for (int n = 0; n < 10'000; ++n) notice.ready();  // its queue is full long before
  EXPECT_EQ(manager.heard(), "READY=1");
}

}  // namespace
}  // namespace nuropb
