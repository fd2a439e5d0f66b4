#include "meshd/mesh/declarations.hpp"

#include <gtest/gtest.h>

namespace nuropb::mesh {
namespace {

using amqp::Step;
constexpr std::uint16_t channel = 3;

/// A connection that stores what it is given, while it has room.
struct Fake {
  int room = 1000;
  bool broken = false;
  std::vector<std::pair<std::uint16_t, std::string>> sent;
  bool send_room(std::size_t) { return room > 0; }
  Result<void> send(std::uint16_t number, const Step& step) {
    if (broken) return failure("broken pipe", step.text());
    --room;
    sent.emplace_back(number, step.text());
    return {};
  }
};

class DeclarationsTest : public ::testing::Test {
 protected:
  [[nodiscard]] SteadyTime at(int seconds) const { return start_ + std::chrono::seconds(seconds); }
  bool write(int seconds = 0) {
    const auto all = declarations_.write(connection_, at(seconds));
    EXPECT_TRUE(all) << all.error().text();
    return all && *all;
  }
  SteadyTime start_{std::chrono::hours(1)};
  Fake connection_;
  Declarations declarations_;
};

TEST_F(DeclarationsTest, SentAheadAndAnsweredInOrder) {
  declarations_.add(channel, {Step::open(), Step::bind("q", "e", "1"), Step::bind("q", "e", "2")});
  EXPECT_FALSE(declarations_.settled(channel));
  EXPECT_TRUE(declarations_.settled(1)) << "another channel's affair";
  EXPECT_TRUE(declarations_.pending());
  EXPECT_TRUE(write());
  EXPECT_EQ(connection_.sent.size(), 3u);
  EXPECT_FALSE(declarations_.pending());
  EXPECT_FALSE(declarations_.answered(channel, AMQP_QUEUE_BIND_OK_METHOD, at(0)))
      << "the first answer is of the first step";
  EXPECT_TRUE(declarations_.answered(channel, AMQP_CHANNEL_OPEN_OK_METHOD, at(0)));
  EXPECT_EQ(declarations_.answered(channel, AMQP_QUEUE_BIND_OK_METHOD, at(0))->key, "1");
  EXPECT_EQ(declarations_.answered(channel, AMQP_QUEUE_BIND_OK_METHOD, at(0))->key, "2");
  EXPECT_TRUE(declarations_.settled(channel));
  EXPECT_FALSE(declarations_.answered(channel, AMQP_QUEUE_BIND_OK_METHOD, at(0))) << "more answers than questions";
  EXPECT_FALSE(declarations_.answered(0, AMQP_QUEUE_BIND_OK_METHOD, at(0)));
  EXPECT_FALSE(declarations_.answered(60'000, AMQP_QUEUE_BIND_OK_METHOD, at(0)));
}

TEST_F(DeclarationsTest, NothingGoesBehindConsumingBeforeItsAnswer) {
  declarations_.add(channel, {Step::consume("q", "t", false), Step::bind("q", "e", "1")});
  EXPECT_TRUE(write());
  EXPECT_EQ(connection_.sent.size(), 1u);
  EXPECT_FALSE(declarations_.pending());
  EXPECT_TRUE(declarations_.answered(channel, AMQP_BASIC_CONSUME_OK_METHOD, at(0)));
  EXPECT_TRUE(declarations_.pending());
  EXPECT_TRUE(write());
  EXPECT_EQ(connection_.sent.size(), 2u);
}

TEST_F(DeclarationsTest, NoMoreThanThereIsRoomForAndNoMoreThanSoManyAhead) {
  for (std::size_t i = 0; i < Declarations::ahead + 10; ++i)
    declarations_.add(channel, Step::bind("q", "e", std::to_string(i)));
  EXPECT_EQ(declarations_.room(channel), 0u);
  connection_.room = 5;
  EXPECT_FALSE(write()) << "no room";
  EXPECT_EQ(connection_.sent.size(), 5u);
  connection_.room = 100'000;
  EXPECT_TRUE(write());
  EXPECT_EQ(connection_.sent.size(), Declarations::ahead);
  EXPECT_TRUE(declarations_.answered(channel, AMQP_QUEUE_BIND_OK_METHOD, at(0)));
  EXPECT_TRUE(write());
  EXPECT_EQ(connection_.sent.size(), Declarations::ahead + 1);
}

TEST_F(DeclarationsTest, DroppedWithTheChannel) {
  declarations_.add(channel, {Step::bind("q", "e", "1"), Step::bind("q", "e", "2"), Step::consume("q", "t", true),
                              Step::bind("q", "e", "3")});
  declarations_.add(1, Step::confirms());
  write();
  EXPECT_TRUE(declarations_.answered(channel, AMQP_QUEUE_BIND_OK_METHOD, at(0)));
  const auto unanswered = declarations_.drop(channel);
  ASSERT_EQ(unanswered.size(), 2u) << "what was sent and not answered; the rest was never sent";
  EXPECT_EQ(unanswered[0].key, "2");
  EXPECT_TRUE(declarations_.settled(channel));
  EXPECT_FALSE(declarations_.settled(1));
}

TEST_F(DeclarationsTest, OverdueUnlessExcused) {
  const milliseconds limit(60'000);
  EXPECT_FALSE(declarations_.overdue(at(9999), limit));
  declarations_.add(channel, Step::bind("q", "e", "1"));
  declarations_.add(channel, Step::bind("q", "e", "2"));
  write(0);
  EXPECT_FALSE(declarations_.overdue(at(60), limit));
  EXPECT_NE(declarations_.overdue(at(61), limit).value_or("").find("'1'"), std::string::npos);
  EXPECT_TRUE(declarations_.answered(channel, AMQP_QUEUE_BIND_OK_METHOD, at(61)));
  EXPECT_FALSE(declarations_.overdue(at(100), limit)) << "the broker is slow, not silent";
  declarations_.excuse(at(120));
  EXPECT_FALSE(declarations_.overdue(at(180), limit));
  EXPECT_TRUE(declarations_.overdue(at(181), limit));
}

TEST_F(DeclarationsTest, AFailedWriteIsTold) {
  connection_.broken = true;
  declarations_.add(channel, Step::open());
  const auto done = declarations_.write(connection_, at(0));
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text().find("broken pipe"), std::string::npos);
}

}  // namespace
}  // namespace nuropb::mesh
