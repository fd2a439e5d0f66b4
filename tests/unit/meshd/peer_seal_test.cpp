#include "meshd/peer_seal.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

constexpr std::int64_t noon = 1'764'590'400;

struct PeerSealTest : testing::Test {
  static std::shared_ptr<const PeerKeys> keys(const std::string& text) {
    return std::make_shared<PeerKeys>(PeerKeys::parse(text, "keys").value());
  }
  PeerSeal gateway(const std::string& text = std::string(32, 'k')) {
    return {keys(text), clock, [this] { return wall; }};
  }
  std::string refused(PeerSeal& by, const PeerSeal::Said& what, const PeerProof& proof) {
    const auto opened = by.open(what, proof);
    return opened ? "" : opened.error().what;
  }
  ManualClock clock;
  std::int64_t wall = noon;
  PeerSeal::Said said{"nuropb-gateway.g", "a", "", "word", "{\"x\":1}"};
};

TEST_F(PeerSealTest, WhatWasSealedIsBelievedOnce) {
  PeerSeal a = gateway(), b = gateway();
  const PeerProof proof = a.seal(said);
  EXPECT_EQ(proof.mac.size(), 64u);
  EXPECT_TRUE(b.open(said, proof));
  EXPECT_NE(refused(b, said, proof), "");
  EXPECT_TRUE(b.open(said, a.seal(said)));
}

TEST_F(PeerSealTest, EveryPartIsSealed) {
  PeerSeal a = gateway(), b = gateway();
  const PeerProof good = a.seal(said);
  for (int part = 0; part < 5; ++part) {
    PeerSeal::Said other = said;
    (part == 0   ? other.topic
     : part == 1 ? other.from
     : part == 2 ? other.to
     : part == 3 ? other.kind
                 : other.json) = "b";
    EXPECT_NE(refused(b, other, good), "") << part;
  }
  for (const PeerProof& proof : {PeerProof{good.run, "", good.number, good.time},
                                 PeerProof{std::string(32, '0'), good.mac, good.number, good.time},
                                 PeerProof{good.run, good.mac, good.number + 1, good.time},
                                 PeerProof{good.run, good.mac, good.number, good.time + 1},
                                 PeerProof{good.run, std::string(64, '0'), good.number, good.time}})
    EXPECT_NE(refused(b, said, proof), "");
  EXPECT_TRUE(b.open(said, good)) << "what was refused has spoilt nothing";
}

TEST_F(PeerSealTest, TwoMessagesNeverHaveOneText) {
  PeerSeal a = gateway(), b = gateway();
  EXPECT_NE(refused(b, {"t", "a", "", "words", "1"}, a.seal({"t", "a", "", "word", "s1"})), "");
  EXPECT_NE(refused(b, {"t", "ab", "", "word", "1"}, a.seal({"t", "a", "b", "word", "1"})), "");
}

TEST_F(PeerSealTest, AnotherKeyIsNotOurs) {
  PeerSeal a = gateway(std::string(32, 'x')), b = gateway();
  EXPECT_NE(refused(b, said, a.seal(said)).find("none of our keys"), std::string::npos);
  PeerSeal both = gateway(std::string(32, 'k') + "\n" + std::string(32, 'x'));
  EXPECT_TRUE(both.open(said, a.seal(said)));
}

TEST_F(PeerSealTest, ALittleDisorderIsNoReplay) {
  PeerSeal a = gateway(), b = gateway();
  std::vector<PeerProof> proofs;
  for (int i = 0; i < 100; ++i) proofs.push_back(a.seal(said));
  EXPECT_TRUE(b.open(said, proofs[90]));
  EXPECT_TRUE(b.open(said, proofs[40]));
  EXPECT_NE(refused(b, said, proofs[40]), "");
  EXPECT_NE(refused(b, said, proofs[90]), "");
  EXPECT_NE(refused(b, said, proofs[20]), "") << "70 places late";
  EXPECT_TRUE(b.open(said, proofs[99]));
  EXPECT_NE(refused(b, said, proofs[99]), "");
  EXPECT_NE(refused(b, said, proofs[40]), "") << "still known";
}

TEST_F(PeerSealTest, WhatAnEarlierRunSaidIsNotBelieved) {
  PeerSeal b = gateway(), late = gateway();
  PeerSeal before = gateway();
  const PeerProof old = before.seal(said), unheard = before.seal(said);
  EXPECT_TRUE(b.open(said, old));
  PeerSeal after = gateway();
  EXPECT_TRUE(b.open(said, after.seal(said)));
  EXPECT_NE(refused(b, said, unheard).find("from an earlier run"), std::string::npos);
  EXPECT_TRUE(b.open(said, after.seal(said))) << "the run that is at hand goes on";
  wall += PeerSeal::tolerance_s + 1;
  EXPECT_NE(refused(late, said, old).find("61 s"), std::string::npos) << "one that has just come is played nothing old";
}

TEST_F(PeerSealTest, AStepOfAClockDisturbsNoRunThatIsKnown) {
  PeerSeal a = gateway(), b = gateway();
  EXPECT_TRUE(b.open(said, a.seal(said)));
  wall += 3600;
  const PeerProof later = a.seal(said);
  wall -= 7200;
  EXPECT_TRUE(b.open(said, later));
}

TEST_F(PeerSealTest, SendersAreBoundedAndForgottenOnceTheyAreSilent) {
  PeerSeal a = gateway(), b = gateway();
  for (std::size_t i = 0; i < PeerSeal::most_senders; ++i) {
    const std::string name = "n" + std::to_string(i);
    const PeerSeal::Said one{said.topic, name, "", "word", "1"};
    EXPECT_TRUE(b.open(one, a.seal(one)));
  }
  const PeerSeal::Said further{said.topic, "further", "", "word", "1"};
  EXPECT_NE(refused(b, further, a.seal(further)).find("more than 1024"), std::string::npos);
  clock.advance(PeerSeal::forgotten_after + std::chrono::seconds(1));
  b.tick();
  EXPECT_TRUE(b.open(further, a.seal(further)));
}

}  // namespace
}  // namespace nuropb::meshd
