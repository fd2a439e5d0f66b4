#include "common/dial.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace nuropb {
namespace {

using std::chrono::steady_clock;

/// A listening socket on an address of this host. If it is `silent`, its queue is full and the kernel drops new
/// connections.
class Peer {
 public:
  explicit Peer(const char* host, std::uint16_t port = 0, bool silent = false) {
    std::string why;
    address_ = look_up(host, port, why).at(0);
    fd_ = ::socket(address_.address.ss_family, SOCK_STREAM, 0);
    const int on = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address_.address), address_.size), 0) << std::strerror(errno);
    EXPECT_EQ(::listen(fd_, silent ? 0 : 8), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address_.address), &address_.size), 0);
    for (int i = 0; silent && i < 4; ++i) {
      fillers_.push_back(::socket(address_.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0));
      (void)!::connect(fillers_.back(), reinterpret_cast<sockaddr*>(&address_.address), address_.size);
    }
  }
  ~Peer() {
    ::close(fd_);
    for (const int one : fillers_) ::close(one);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  [[nodiscard]] const DialAddress& address() const { return address_; }
  [[nodiscard]] std::uint16_t port() const {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address_.address)->sin_port);
  }

 private:
  DialAddress address_;
  int fd_ = -1;
  std::vector<int> fillers_;
};

DialAddress refusing() {
  Peer gone("127.0.0.1");  // its port is free again after this
  return gone.address();
}

struct DialTest : testing::Test {
  ~DialTest() override {
    if (got.fd >= 0) ::close(got.fd);
  }
  void go(const std::vector<DialAddress>& addresses, milliseconds limit = milliseconds(20'000)) {
    began = steady_clock::now();
    got = dial(addresses, began + limit);
  }
  [[nodiscard]] milliseconds took() const {
    return std::chrono::duration_cast<milliseconds>(steady_clock::now() - began);
  }
  SteadyTime began{};
  Dialled got;
};

TEST_F(DialTest, TheFirstThatAnswersIsTaken) {
  const Peer one("127.0.0.1"), other("127.0.0.1");
  go({one.address(), other.address()});
  ASSERT_GE(got.fd, 0);
  EXPECT_EQ(got.to.text(), one.address().text());
  EXPECT_EQ(got.passed_over, std::vector<std::string>());
}

TEST_F(DialTest, ASilentAddressCostsAQuarterOfASecond) {
  const Peer silent("127.0.0.2", 0, true), living("127.0.0.1");
  go({silent.address(), living.address()});
  ASSERT_GE(got.fd, 0);
  EXPECT_EQ(got.to.text(), living.address().text());
  EXPECT_EQ(got.passed_over, (std::vector<std::string>{silent.address().text()}));
  EXPECT_GE(took(), dial_delay) << "the first has its time";
}

TEST_F(DialTest, TwoSilentOnesCostTwice) {
  const Peer first("127.0.0.2", 0, true), second("127.0.0.3", 0, true), living("127.0.0.1");
  go({first.address(), second.address(), living.address()});
  ASSERT_GE(got.fd, 0);
  EXPECT_EQ(got.passed_over, (std::vector<std::string>{first.address().text(), second.address().text()}));
  EXPECT_GE(took(), 2 * dial_delay);
}

TEST_F(DialTest, OneThatRefusesIsNotWaitedFor) {
  const Peer living("127.0.0.1");
  const DialAddress dead = refusing();
  go({dead, dead, dead, dead, dead, dead, dead, dead, living.address()});
  ASSERT_GE(got.fd, 0);
  EXPECT_EQ(got.passed_over.size(), 8u);
}

TEST_F(DialTest, WhyNone) {
  go({refusing()});
  EXPECT_EQ(got.fd, -1);
  EXPECT_EQ(got.error, ECONNREFUSED);
  const Peer silent("127.0.0.2", 0, true);
  go({silent.address(), refusing()}, milliseconds(400));
  EXPECT_EQ(got.error, ETIMEDOUT) << "the silent one might still have answered";
  go({});
  EXPECT_EQ(got.error, EHOSTUNREACH);
}

TEST(Dial, FamiliesTakeTurns) {
  std::string why;
  const auto at = [&](const char* host) { return look_up(host, 1, why).at(0); };
  std::vector<std::string> order;
  for (const DialAddress& one : in_turn({at("::1"), at("::2"), at("::3"), at("127.0.0.1"), at("127.0.0.2")}))
    order.push_back(one.text());
  EXPECT_EQ(order, (std::vector<std::string>{"[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1", "[::3]:1"}));
}

TEST(Dial, NamesThatLeadNowhere) {
  std::string why;
  EXPECT_TRUE(look_up("no-such-host.invalid", 1, why).empty());
  EXPECT_FALSE(why.empty());
}

}  // namespace
}  // namespace nuropb
