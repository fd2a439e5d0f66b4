#include "meshd/snorky/channels.hpp"

#include "tests/unit/meshd/snorky/recorder.hpp"

namespace nuropb::meshd::snorky {
namespace {

using ::testing::UnorderedElementsAre;

TEST(SnorkyChannels, OnceInAndOnceOut) {
  Channels channels;
  EXPECT_TRUE(channels.add("a", socket(1)));
  EXPECT_FALSE(channels.add("a", socket(1)));
  EXPECT_TRUE(channels.add("a", socket(2)));
  EXPECT_TRUE(channels.add("b", socket(1)));
  EXPECT_EQ(channels.count(socket(1)), 2u);
  EXPECT_THAT(*channels.members("a"), UnorderedElementsAre(socket(1), socket(2)));
  EXPECT_TRUE(channels.remove("a", socket(1)));
  EXPECT_FALSE(channels.remove("a", socket(1)));
  EXPECT_FALSE(channels.remove("never", socket(1)));
  EXPECT_FALSE(channels.contains("a", socket(1)));
  EXPECT_TRUE(channels.contains("a", socket(2)));
}

TEST(SnorkyChannels, NothingStaysOfASocketThatIsGone) {
  Channels channels;
  for (int i = 0; i < 1000; ++i) {
    channels.add(std::to_string(i), socket(1));
    if (i % 2 == 0) channels.add(std::to_string(i), socket(2));
  }
  EXPECT_EQ(channels.remove_all(socket(1)).size(), 1000u);
  EXPECT_EQ(channels.size(), 500u);
  EXPECT_EQ(channels.count(socket(1)), 0u);
  EXPECT_TRUE(channels.remove_all(socket(1)).empty());
  EXPECT_EQ(channels.members("1"), nullptr);
  EXPECT_EQ(channels.remove_all(socket(2)).size(), 500u);
  EXPECT_EQ(channels.size(), 0u);
}

TEST(SnorkyChannels, ASuccessorInTheSlotIsAnother) {
  Channels channels;
  SessionRef next = socket(1);
  ++next.serial;
  channels.add("a", socket(1));
  EXPECT_FALSE(channels.contains("a", next));
  EXPECT_TRUE(channels.add("a", next));
}

}  // namespace
}  // namespace nuropb::meshd::snorky
