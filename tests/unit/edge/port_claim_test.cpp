#include "edge/net/port_claim.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>

#include "common/ids.hpp"

namespace nuropb::edge {
namespace {

struct PortClaimTest : testing::Test {
  void SetUp() override {
    for (const std::string& folder : {first, second}) std::filesystem::create_directory(folder);
  }
  void TearDown() override {
    for (const std::string& folder : {first, second}) std::filesystem::remove_all(folder);
  }
  const std::string own = random_hex32();
  const std::string first = testing::TempDir() + "claim-a-" + own, second = testing::TempDir() + "claim-b-" + own;
  // Nothing listens on the port here: any number works that no other test claims.
  const std::uint16_t port = static_cast<std::uint16_t>(20'000 + ::getpid() % 40'000);
};

TEST_F(PortClaimTest, ASecondGatewayIsRefusedAndTheFirstNamed) {
  auto held = PortClaim::take("127.0.0.1", port, first);
  ASSERT_TRUE(held) << held.error().text();
  const auto other = PortClaim::take("127.0.0.1", port, second);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().text(), "another gateway listens on it: process " + std::to_string(::getpid()));
  held->release();
  EXPECT_TRUE(PortClaim::take("127.0.0.1", port, second)) << "it does not listen any more";
}

TEST_F(PortClaimTest, EdgesOfOneGatewayShareThePort) {
  const auto held = PortClaim::take("127.0.0.1", port, first);
  ASSERT_TRUE(held);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(PortClaim::take("127.0.0.1", port, first) ? 0 : 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(PortClaimTest, AFolderThatWasMadeAnewIsTheSameGateways) {
  const auto held = PortClaim::take("127.0.0.1", port, first);
  ASSERT_TRUE(held);
  std::filesystem::rename(first, first + ".old");
  std::filesystem::create_directory(first);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(PortClaim::take("127.0.0.1", port, first) ? 0 : 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  std::filesystem::remove_all(first + ".old");
}

TEST_F(PortClaimTest, OnlyAddressesThatOverlapClash) {
  const std::tuple<const char*, const char*, bool> rows[] = {
      {"127.0.0.1", "127.0.0.2", true},
      {"127.0.0.1", "0.0.0.0", false},
      {"0.0.0.0", "127.0.0.1", false},
      {"::", "127.0.0.1", false},
      {"127.0.0.1", "::", false},
      {"::1", "127.0.0.1", true},
      {"::1", "0.0.0.0", true},
      {"::1", "::", false},
      {"::1", "::1", false},
  };
  for (const auto& [held, wanted, free] : rows) {
    const auto claim = PortClaim::take(held, port, first);
    ASSERT_TRUE(claim) << held;
    EXPECT_EQ(PortClaim::take(wanted, port, second).has_value(), free) << held << " and " << wanted;
    EXPECT_TRUE(PortClaim::take(wanted, static_cast<std::uint16_t>(port + 1), second)) << "another port";
  }
}

TEST_F(PortClaimTest, NothingIsClaimedWithoutAFolderOrAPort) {
  const auto held = PortClaim::take("127.0.0.1", port, first);
  EXPECT_TRUE(PortClaim::take("127.0.0.1", port, ""));
  EXPECT_TRUE(PortClaim::take("127.0.0.1", 0, second));
  EXPECT_TRUE(PortClaim::take("127.0.0.1", port, second + "/missing"));
}

TEST_F(PortClaimTest, AProcessThatDiedHoldsNothing) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = PortClaim::take("127.0.0.1", port, first);
    (void)!::write(ready[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char one = 0;
  ASSERT_EQ(::read(ready[0], &one, 1), 1);
  EXPECT_FALSE(PortClaim::take("127.0.0.1", port, second));
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(PortClaim::take("127.0.0.1", port, second));
  for (const int end : ready) ::close(end);
}

}  // namespace
}  // namespace nuropb::edge
