#include "shm/descriptor_packet.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace nuropb::shm {
namespace {

class DescriptorPacketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ours_.reset(ends[0]);
    theirs_.reset(ends[1]);
  }
  UniqueFd ours_, theirs_;
};

TEST_F(DescriptorPacketTest, ADescriptorComesBesideTheBytes) {
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  const UniqueFd reader(pipe[0]), writer(pipe[1]);
  std::string text = "abc";
  EXPECT_EQ(DescriptorPacket(text.data(), text.size()).send(ours_.get(), writer.get()), 3);
  std::string room(10, '-');
  DescriptorPacket packet(room.data(), room.size());
  ASSERT_EQ(packet.receive(theirs_.get()), 3);
  EXPECT_EQ(room.substr(0, 3), "abc");
  const UniqueFd received = packet.take();
  ASSERT_TRUE(received);
  EXPECT_NE(::fcntl(received.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_FALSE(packet.take()) << "it has one owner";
  ASSERT_EQ(::write(received.get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 1);
}

TEST_F(DescriptorPacketTest, OfAPacketWithoutOneNothingIsTaken) {
  int number = 13;
  EXPECT_EQ(DescriptorPacket(&number, sizeof number).send(ours_.get()), static_cast<ssize_t>(sizeof number));
  int received = 0;
  DescriptorPacket packet(&received, sizeof received);
  ASSERT_EQ(packet.receive(theirs_.get()), static_cast<ssize_t>(sizeof received));
  EXPECT_EQ(received, 13);
  EXPECT_FALSE(packet.take());
  EXPECT_LT(packet.receive(theirs_.get(), MSG_DONTWAIT), 0) << "and nothing more is there";
}

}  // namespace
}  // namespace nuropb::shm
