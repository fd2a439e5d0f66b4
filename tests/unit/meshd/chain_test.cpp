#include "meshd/auth/chain.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/meshd/temp_file.hpp"
#include "tests/unit/meshd/verdicts.hpp"

namespace nuropb::meshd {
namespace {

struct AuthorizerChainTest : testing::Test {
  AuthorizerChainTest() {
    std::vector<std::unique_ptr<Authorizer>> all;
    for (const char* name : {"first", "second"}) {
      all.push_back(std::make_unique<FakeAuthorizer>(name));
      fakes.push_back(static_cast<FakeAuthorizer*>(all.back().get()));
    }
    chain.emplace(std::move(all), [this] { return now; });
  }
  std::optional<Verdict> judge(const std::string& token = "t") {
    verdict.reset();
    chain->judge(bearer(token), [this](Verdict v) { verdict = std::move(v); });
    return verdict;
  }
  std::int64_t now = 1000;
  std::vector<FakeAuthorizer*> fakes;
  std::optional<AuthorizerChain> chain;
  std::optional<Verdict> verdict;
};

TEST_F(AuthorizerChainTest, AsksInOrderUntilOneKnowsTheToken) {
  fakes[0]->at_once = Verdict::pass();
  fakes[1]->at_once = user("ann");
  ASSERT_TRUE(judge());
  ASSERT_TRUE(verdict->accepted());
  EXPECT_EQ(verdict->identity.authorizer, "second");
  fakes[0]->at_once = user("bob");
  judge();
  EXPECT_EQ(verdict->identity.user_id, "bob");
  EXPECT_EQ(fakes[1]->asked.size(), 1u) << "the first had known it";
}

TEST_F(AuthorizerChainTest, BadAndCantTellEndTheChain) {
  fakes[1]->at_once = user("ann");
  fakes[0]->at_once = Verdict::refuse("signature");
  ASSERT_TRUE(judge());
  EXPECT_EQ(verdict->what, Verdict::What::refused);
  EXPECT_EQ(verdict->reason, "first: signature");
  fakes[0]->at_once = Verdict::later("away");
  ASSERT_TRUE(judge());
  EXPECT_EQ(verdict->what, Verdict::What::unavailable);
  EXPECT_TRUE(fakes[1]->asked.empty()) << "what the first would have refused must not get in by the second";
}

TEST_F(AuthorizerChainTest, NobodysTokenIsRefusedWithEveryonesReason) {
  fakes[0]->at_once = Verdict::pass("unknown");
  fakes[1]->at_once = Verdict::pass("not active");
  ASSERT_TRUE(judge());
  EXPECT_EQ(verdict->what, Verdict::What::refused);
  EXPECT_EQ(verdict->reason, "first: unknown; second: not active");
}

TEST_F(AuthorizerChainTest, LateAnswersGoOnWhereTheyStopped) {
  EXPECT_FALSE(judge());
  fakes[0]->waiting.front()(Verdict::pass());
  EXPECT_FALSE(verdict);
  fakes[1]->waiting.front()(user("ann"));
  ASSERT_TRUE(verdict);
  EXPECT_TRUE(verdict->accepted());
}

TEST_F(AuthorizerChainTest, AnIdentityThatHasExpiredIsNone) {
  fakes[0]->at_once = user("ann", 1001);
  EXPECT_TRUE(judge()->accepted());
  now = 1001;
  EXPECT_EQ(judge()->what, Verdict::What::refused);
}

TEST_F(AuthorizerChainTest, RevokedUsers) {
  const std::string file = temp_file("revoked.txt");
  std::ofstream(file) << "# left\nbob\n\nann@example.com\r\n";
  ASSERT_TRUE(chain->load_revoked(file));
  for (const char* name : {"bob", "ann@example.com"}) {
    fakes[0]->at_once = user(name);
    EXPECT_EQ(judge()->what, Verdict::What::refused) << name;
  }
  fakes[0]->at_once = user("# left");
  EXPECT_TRUE(judge()->accepted());
  std::ofstream(file) << "eve\n";
  ASSERT_TRUE(chain->reload());
  fakes[0]->at_once = user("bob");
  EXPECT_TRUE(judge()->accepted());
  const Identity bob = verdict->identity;
  EXPECT_TRUE(chain->still_good(bob));
  std::ofstream(file) << "bob\n";
  ASSERT_TRUE(chain->reload());
  EXPECT_FALSE(chain->still_good(bob));
  std::filesystem::remove(file);
  const auto missing = chain->reload();
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().text().find("revoked.txt"), std::string::npos);
  EXPECT_FALSE(chain->still_good(bob)) << "what was loaded before stays in force";
}

TEST_F(AuthorizerChainTest, AsksTheOneThatGaveAnIdentityWhetherItStillHolds) {
  fakes[1]->revoked_token = "old";
  Identity ann;
  ann.user_id = "ann";
  ann.token = "old";
  ann.authorizer = "first";
  EXPECT_TRUE(chain->still_good(ann));
  ann.authorizer = "second";
  EXPECT_FALSE(chain->still_good(ann));
  ann.authorizer = "of another config";
  EXPECT_FALSE(chain->still_good(ann));
  EXPECT_TRUE(chain->still_good(Identity{})) << "no authorizer is asked about an anonymous client";
}

}  // namespace
}  // namespace nuropb::meshd
