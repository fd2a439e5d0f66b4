#include "edge/sessions/handler_manager.hpp"

#include <gtest/gtest.h>

#include <list>
#include <random>

#include "edge/protocol/shared_message.hpp"

namespace nuropb::edge {
namespace {

/// Another kind of listener than the WebSocket one: the design supports several.
class RecordingHandler final : public Handler {
 public:
  explicit RecordingHandler(std::string user) : user_(std::move(user)) {}
  const SessionId& session_id() const override { return id_; }
  const std::string& user_id() const override { return user_; }
  void write_message(std::string_view text) override { messages.emplace_back(text); }
  bool write_shared(SharedMessage& message) override {
    if (slow) close(4001, "slow");
    else messages.emplace_back(message.text());
    return !slow;
  }
  void close(std::uint16_t code, std::string_view reason) override {
    closed = std::to_string(code) + " " + std::string(reason);
    if (manager) manager->unregister_handler(*this);
  }
  void take(const RecordingHandler& other) { id_ = other.id_; }
  HandlerManager* manager = nullptr;  ///< unregisters when it closes, as handlers do
  bool slow = false;
  std::vector<std::string> messages;
  std::string closed;

 private:
  SessionId id_ = SessionId::random();
  std::string user_;
};

class HandlerManagerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (auto* handler : {&ann1_, &ann2_, &bob_}) manager_.register_handler(*handler);
  }
  HandlerManager manager_;
  RecordingHandler ann1_{"ann"}, ann2_{"ann"}, bob_{"bob"};
};

TEST_F(HandlerManagerTest, KnowsSessionsAndUsers) {
  EXPECT_EQ(manager_.sessions(), 3u);
  EXPECT_EQ(manager_.users(), 2u);
  EXPECT_EQ(manager_.get_handler(bob_.session_id()), &bob_);
  EXPECT_EQ(manager_.get_handler(SessionId::random()), nullptr);
}

TEST_F(HandlerManagerTest, AUserEndsWithTheLastConnection) {
  manager_.unregister_handler(ann1_);
  EXPECT_EQ(manager_.users(), 2u);
  manager_.unregister_handler(ann2_);
  EXPECT_EQ(manager_.users(), 1u);
  manager_.unregister_handler(ann2_);  // idempotent
  EXPECT_EQ(manager_.sessions(), 1u);
}

TEST_F(HandlerManagerTest, NothingIsLeftOfOneWhoseSessionAnotherHasNow) {
  RecordingHandler successor("ann");
  successor.take(ann1_);
  manager_.register_handler(successor);
  manager_.unregister_handler(ann1_);
  manager_.send_message_to_user_ids({"ann"}, "x");
  EXPECT_TRUE(ann1_.messages.empty()) << "it may be no more";
  EXPECT_EQ(manager_.get_handler(successor.session_id()), &successor);
  manager_.unregister_handler(successor);
}

TEST_F(HandlerManagerTest, OneSession) {
  EXPECT_EQ(manager_.send_message(ann2_.session_id(), "m"), 1u);
  EXPECT_EQ(ann2_.messages, std::vector<std::string>{"m"});
  EXPECT_TRUE(ann1_.messages.empty());
  EXPECT_EQ(manager_.send_message(SessionId::random(), "m"), 0u);
  EXPECT_EQ(manager_.close(bob_.session_id(), 4000, "bye"), 1u);
  EXPECT_EQ(bob_.closed, "4000 bye");
}

TEST_F(HandlerManagerTest, EveryConnectionOfAUserOnceHoweverOftenHeIsNamed) {
  EXPECT_EQ(manager_.send_message_to_user_ids({"ann", "ann", "nobody"}, "m"), 2u);
  EXPECT_EQ(ann1_.messages.size(), 1u);
  EXPECT_EQ(ann2_.messages.size(), 1u);
  EXPECT_TRUE(bob_.messages.empty());
  EXPECT_EQ(manager_.close_user_ids({"bob", "ann"}, 4001, "x"), 3u);
}

TEST_F(HandlerManagerTest, All) {
  EXPECT_EQ(manager_.send_message_to_all("m"), 3u);
  EXPECT_EQ(bob_.messages.size(), 1u);
  EXPECT_EQ(manager_.close_all(1001, "x"), 3u);
  EXPECT_EQ(ann1_.closed, "1001 x");
}

TEST_F(HandlerManagerTest, WhoeverComesAndGoesAllAreReachedOnce) {
  std::list<RecordingHandler> here;
  std::minstd_rand random(7);
  for (int round = 0; round < 300; ++round) {
    if (here.size() < 40 && (here.empty() || random() % 5 < 3)) {
      manager_.register_handler(here.emplace_back("user" + std::to_string(random() % 7)));
    } else {
      const auto one = std::next(here.begin(), static_cast<std::ptrdiff_t>(random() % here.size()));
      manager_.unregister_handler(*one);
      here.erase(one);
    }
    for (RecordingHandler& handler : here) handler.messages.clear();
    ASSERT_EQ(manager_.send_message_to_all("m"), here.size() + 3) << "and ann, twice, and bob";
    for (RecordingHandler& handler : here) {
      ASSERT_EQ(handler.messages.size(), 1u);
      ASSERT_EQ(manager_.get_handler(handler.session_id()), &handler);
    }
  }
  for (RecordingHandler& handler : here) manager_.unregister_handler(handler);
}

TEST_F(HandlerManagerTest, HandlersThatCloseWhileTheyAreWrittenToOrClosed) {
  for (auto* handler : {&ann1_, &ann2_, &bob_}) handler->manager = &manager_;
  ann1_.slow = true;
  EXPECT_EQ(manager_.send_message_to_all("m"), 2u) << "who closed over it did not take it";
  EXPECT_EQ(manager_.sessions(), 2u);
  EXPECT_EQ(manager_.close_user_ids({"ann"}, 4000, "x"), 1u);
  EXPECT_EQ(manager_.close_all(1001, "x"), 1u);
  EXPECT_EQ(manager_.sessions(), 0u);
}

TEST(SharedMessage, HasTheShapeOfItsSocket) {
  SharedMessage message("[1]", false);
  EXPECT_EQ(message.plain().size(), 3u);
  EXPECT_EQ(message.enveloped().size(), SharedMessage::envelope("[1]").size());
  EXPECT_EQ(SharedMessage::envelope("[1]"), R"({"service":"gateway","message":[1]})");
  SharedMessage whole("[1]", true);
  EXPECT_EQ(whole.enveloped().size(), 3u) << "it has its envelope already";
}

}  // namespace
}  // namespace nuropb::edge
