#include "common/listening_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/dial.hpp"

namespace nuropb {
namespace {

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(fd, level, name, &value, &size), 0);
  return value;
}
std::uint16_t port_of(int fd) {
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size), 0);
  return ntohs(at.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&at)->sin6_port
                                        : reinterpret_cast<sockaddr_in*>(&at)->sin_port);
}
bool reached(const char* host, std::uint16_t port) {
  std::string why;
  const Dialled got = dial(look_up(host, port, why), std::chrono::steady_clock::now() + std::chrono::seconds(20));
  if (got.fd >= 0) ::close(got.fd);
  return got.fd >= 0;
}

/// Independent of net.ipv6.bindv6only: the option is set on each socket.
TEST(ListeningSocket, EveryAddressMeansBothFamilies) {
  const auto fd = listening_socket({"::", 0, 8, false});
  ASSERT_TRUE(fd) << fd.error().text();
  EXPECT_EQ(option(*fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
  EXPECT_TRUE(reached("127.0.0.1", port_of(*fd)));
  EXPECT_TRUE(reached("::1", port_of(*fd)));
  ::close(*fd);
}

TEST(ListeningSocket, OnePortIsSharedOrIsNot) {
  const auto first = listening_socket({"127.0.0.1", 0, 8, true});
  ASSERT_TRUE(first);
  const std::uint16_t port = port_of(*first);
  const auto second = listening_socket({"127.0.0.1", port, 8, true});
  ASSERT_TRUE(second) << second.error().text();
  const auto alone = listening_socket({"127.0.0.1", port, 8, false});
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().text(), "Address already in use");
  for (const int fd : {*first, *second}) ::close(fd);
}

TEST(ListeningSocket, AddressesAreNoNames) {
  for (const char* wrong : {"", "localhost", "127.0.0.1:80", "[::1]", "256.0.0.1"})
    EXPECT_FALSE(listening_socket({wrong, 0, 8, false})) << wrong;
  const auto fd = listening_socket({"::1", 0, 8, false});
  ASSERT_TRUE(fd);
  EXPECT_NE(::fcntl(*fd, F_GETFD) & FD_CLOEXEC, 0);
  ::close(*fd);
}

}  // namespace
}  // namespace nuropb
