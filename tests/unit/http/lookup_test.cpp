// Name resolution: names with several addresses, and slow look-ups.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include <future>

#include "common/dial.hpp"
#include "meshd/http/client.hpp"
#include "tests/unit/http/environment.hpp"
#include "tests/unit/http/keeping_server.hpp"
#include "tests/unit/http/resolver.hpp"

namespace nuropb::http {
namespace {

using namespace std::chrono_literals;

/// An address of this host with a port whose queue is full: the kernel drops new connections.
class Silence {
 public:
  Silence(const char* host, std::uint16_t port) {
    std::string why;
    DialAddress at = look_up(host, port, why).at(0);
    fd_ = ::socket(at.address.ss_family, SOCK_STREAM, 0);
    there_ = ::bind(fd_, reinterpret_cast<sockaddr*>(&at.address), at.size) == 0 && ::listen(fd_, 0) == 0;
    for (int i = 0; i < 4; ++i) {
      fillers_.push_back(::socket(at.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0));
      (void)!::connect(fillers_.back(), reinterpret_cast<sockaddr*>(&at.address), at.size);
    }
  }
  ~Silence() {
    ::close(fd_);
    for (const int one : fillers_) ::close(one);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  [[nodiscard]] bool there() const { return there_; }

 private:
  int fd_ = -1;
  bool there_ = false;
  std::vector<int> fillers_;
};

struct HttpLookup : testing::Test {
  [[nodiscard]] Client client(const std::string& name) const { return Client({server.url(name), {}}); }
  Environment environment{};
  Resolver resolver;
  KeepingServer server{[](const KeepingServer::Heard&) { return KeepingServer::answer("hello"); }};
};

TEST_F(HttpLookup, ANameLeadsThere) {
  resolver.leads_to("issuer.invalid", {"127.0.0.1"});
  EXPECT_EQ(client("issuer.invalid").send({"GET", "/", "", {}}, 30s)->body, "hello");
}

TEST_F(HttpLookup, TheOtherFamilyOfAddressesIsTriedBesideASilentOne) {
  const Silence silent("::1", server.port());
  if (!silent.there()) GTEST_SKIP() << "this machine has no IPv6";
  resolver.leads_to("issuer.invalid", {"::1", "127.0.0.1"});
  const auto began = std::chrono::steady_clock::now();
  const auto answer = client("issuer.invalid").send({"GET", "/", "", {}}, 60s);
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
}

TEST_F(HttpLookup, ASilentAddressLeavesTimeForTheNextOfItsFamily) {
  const Silence silent("127.0.0.2", server.port());
  resolver.leads_to("issuer.invalid", {"127.0.0.2", "127.0.0.1"});
  const auto answer = client("issuer.invalid").send({"GET", "/", "", {}}, 4s);
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(answer->body, "hello");
}

TEST_F(HttpLookup, AnAddressThatRefusesIsPassedOver) {
  resolver.leads_to("issuer.invalid", {"127.0.0.3", "127.0.0.1"});  // the port is open on the other address only
  EXPECT_TRUE(client("issuer.invalid").send({"GET", "/", "", {}}, 30s));
  resolver.leads_to("gone.invalid", {"127.0.0.3", "127.0.0.4"});
  EXPECT_EQ(client("gone.invalid").send({"GET", "/", "", {}}, 30s).error().what, "connection refused");
}

TEST_F(HttpLookup, OneThatHangsEndsByTheTimeout) {
  resolver.hangs("slow.invalid");
  const auto began = std::chrono::steady_clock::now();
  Client asking({server.url("slow.invalid"), {}});
  const auto answer = asking.send({"GET", "/", "", {}}, 100ms);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().what, "host name 'slow.invalid' can't be resolved in time");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 30s) << "it is left behind, and not waited for";
}

TEST_F(HttpLookup, OneThatHangsEndsByCancel) {
  resolver.hangs("slow.invalid");
  {
    Client asking({server.url("slow.invalid"), {}});
    auto answer = std::async(std::launch::async, [&] { return asking.send({"GET", "/", "", {}}, 600s); });
    resolver.wait_for_hanging(1);
    asking.cancel();
    EXPECT_EQ(answer.get().error().what, "cancelled");
  }
  Client watching({server.url("slow.invalid"), {}});
  auto stream = std::async(std::launch::async, [&] { return watching.stream({"POST", "/", "", {}}, 600s); });
  resolver.wait_for_hanging(2);
  watching.cancel();
  EXPECT_EQ(stream.get().error().what, "cancelled");
}

TEST_F(HttpLookup, ConnectingEndsByTheTimeoutAndByCancel) {
  const Silence silent("127.0.0.2", server.port());
  Client late({server.url("127.0.0.2"), {}});
  EXPECT_EQ(late.send({"GET", "/", "", {}}, 100ms).error().what, "no answer in time while connecting");
  Client asking({server.url("127.0.0.2"), {}});
  auto answer = std::async(std::launch::async, [&] { return asking.send({"GET", "/", "", {}}, 600s); });
  EXPECT_EQ(answer.wait_for(50ms), std::future_status::timeout) << "it connects";
  asking.cancel();
  EXPECT_EQ(answer.get().error().what, "cancelled");
}

}  // namespace
}  // namespace nuropb::http
