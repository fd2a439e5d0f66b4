#include "edge/sessions/socket_costs.hpp"

#include "tests/unit/edge/edge_fixture.hpp"

namespace nuropb::edge {
namespace {

class SocketCostsTest : public EdgeTest {
 protected:
  static std::string unfinished(std::size_t bytes) {
    std::string frame = Consumer::frame(std::string(bytes, ' '));
    frame.pop_back();
    return frame;
  }
};

TEST_F(SocketCostsTest, AMessageThatIsNotFinishedGivesWay) {  // provokes: 1009
  config_.limits.memory_bytes = 1 << 20;
  config_.limits.message_bytes = 2 << 20;
  start_attached();
  const auto small = connect(), large = connect();
  small->send_bytes(unfinished(100'000));
  large->send_bytes(unfinished(1'200'000));
  EXPECT_EQ(large->read_close().code, 1009);
  EXPECT_EQ(counter(shm::EdgeCounter::over_memory), 1u);
  small->send_bytes(" ");  // now it is complete, if an empty one
  EXPECT_THAT(small->read_text(), HasSubstr("JSONDecodeError"));
}

TEST_F(SocketCostsTest, FramesThatAreNoMessagesAreCounted) {  // provokes: 4005
  config_.limits.control_frames_per_s = 10;
  start_attached();
  const auto consumer = connect();
  std::string all;
  for (int i = 0; i < 300; ++i) all += Consumer::frame("", 9);
  try {
    for (int i = 0; i < 100; ++i) consumer->send_bytes(all);
  } catch (const std::runtime_error&) {
    // closed while it was still sending
  }
  EXPECT_EQ(consumer->read_close().code, 4005);
  EXPECT_EQ(counter(shm::EdgeCounter::over_control_frames), 1u);
}

TEST_F(SocketCostsTest, LargeMessagesMayHaveParts) {
  config_.limits.control_frames_per_s = 1;
  start_attached();
  const auto consumer = connect();
  for (int i = 0; i < 20; ++i) {
    consumer->send(call(std::to_string(i)) + std::string(15'000, ' '));
    EXPECT_EQ(meshd_->request().second.trace_id, "\"" + std::to_string(i) + "\"");
  }
  EXPECT_EQ(counter(shm::EdgeCounter::over_control_frames), 0u);
}

}  // namespace
}  // namespace nuropb::edge
