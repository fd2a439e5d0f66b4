#include "meshd/runtime_keeper.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/ids.hpp"
#include "meshd/socket_maker.hpp"
#include "shm/control.hpp"

namespace nuropb::meshd {
namespace {

struct RuntimeKeeperTest : testing::Test {
  void SetUp() override {
    auto opened = RuntimeDir::open(path);
    ASSERT_TRUE(opened) << opened.error().text();
    auto started =
        SocketMaker::start({{opened->control_socket(), SOCK_SEQPACKET}, {opened->admin_socket(), SOCK_STREAM}});
    ASSERT_TRUE(started) << started.error().text();
    maker.emplace(std::move(*started));
    secret = *opened->secret();
    instance = *opened->instance_id();
    keeper.emplace(RuntimeKeeper::Settings{*opened, {secret, instance, *opened->admin_key(), {}}});
    auto listening = shm::ControlListener::listen(opened->control_socket());
    ASSERT_TRUE(listening) << listening.error().text();
    listener.emplace(std::move(*listening));
    keeper->watch({"meshd.sock", [this] { return listener->there(); },
                   [this] { return listener->listen_again([this] { return maker->make(SocketMaker::control); }); }});
  }
  void TearDown() override { std::filesystem::remove_all(path); }
  [[nodiscard]] bool reached() const { return shm::ControlChannel::connect(path + "/meshd.sock").has_value(); }

  const std::string path = testing::TempDir() + "runtime-" + random_hex32().substr(0, 8);
  SealedTickets::Secret secret{};
  std::string instance;
  std::optional<SocketMaker> maker;
  std::optional<RuntimeKeeper> keeper;
  std::optional<shm::ControlListener> listener;
};

TEST_F(RuntimeKeeperTest, WhereNothingIsMissingNothingIsDone) {
  struct stat before{}, after{};
  ASSERT_EQ(::stat((path + "/meshd.sock").c_str(), &before), 0);
  keeper->look();
  ASSERT_EQ(::stat((path + "/meshd.sock").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(keeper->restored(), 0u);
}

TEST_F(RuntimeKeeperTest, TheSocketIsMadeAgain) {
  std::filesystem::remove(path + "/meshd.sock");
  ASSERT_FALSE(reached());
  keeper->look();
  EXPECT_TRUE(reached());
  EXPECT_TRUE(listener->accept());
  EXPECT_EQ(keeper->restored(), 1u);
}

TEST_F(RuntimeKeeperTest, FilesAreWrittenAgainAsTheyWere) {
  const std::string key = *RuntimeDir::open(path)->admin_key();
  for (const char* name : {"secret", "instance", "admin.key"}) std::filesystem::remove(path + "/" + name);
  keeper->look();
  EXPECT_EQ(keeper->restored(), 3u);
  const auto next = RuntimeDir::open(path);
  ASSERT_TRUE(next);
  EXPECT_EQ(*next->secret(), secret) << "or no ticket of an edge could be opened by the next meshd";
  EXPECT_EQ(*next->instance_id(), instance);
  EXPECT_EQ(*next->admin_key(), key);
}

TEST_F(RuntimeKeeperTest, AllOfTheFolderIsMadeAgain) {
  std::filesystem::remove_all(path);
  keeper->look();
  EXPECT_TRUE(reached());
  EXPECT_EQ(keeper->restored(), 5u);
  struct stat made{};
  ASSERT_EQ(::stat(path.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0700u);
  EXPECT_EQ(*RuntimeDir::open(path)->secret(), secret);
  EXPECT_FALSE(shm::ControlListener::listen(path + "/meshd.sock")) << "the lock is held again as well";
}

TEST_F(RuntimeKeeperTest, TheLockAloneIsNoSign) {
  std::filesystem::remove(path + "/meshd.sock.lock");
  keeper->look();
  EXPECT_EQ(keeper->restored(), 0u);
}

/// Without the lock file another meshd may have started in the folder, so nothing in it is removed.
TEST_F(RuntimeKeeperTest, WhatAnotherMeshdHasTakenIsItsOwn) {
  std::filesystem::remove(path + "/meshd.sock.lock");
  auto other = shm::ControlListener::listen(path + "/meshd.sock");
  ASSERT_TRUE(other) << other.error().text();
  keeper->look();
  EXPECT_TRUE(other->there());
  EXPECT_EQ(keeper->restored(), 0u);
  listener.reset();
  EXPECT_TRUE(other->there()) << "our end does not remove its socket";
  EXPECT_TRUE(reached());
}

TEST_F(RuntimeKeeperTest, SocketsAreMadeWithTheirModeAndTypeAndAnErrorSaysWhy) {
  std::filesystem::remove(path + "/meshd.sock");
  const auto control = maker->make(SocketMaker::control), admin = maker->make(SocketMaker::admin);
  ASSERT_TRUE(control && admin);
  int type = 0;
  socklen_t size = sizeof type;
  ASSERT_EQ(::getsockopt(control->get(), SOL_SOCKET, SO_TYPE, &type, &size), 0);
  EXPECT_EQ(type, SOCK_SEQPACKET);
  ASSERT_EQ(::getsockopt(admin->get(), SOL_SOCKET, SO_TYPE, &type, &size), 0);
  EXPECT_EQ(type, SOCK_STREAM);
  struct stat made{};
  ASSERT_EQ(::stat((path + "/admin.sock").c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0600u);
  std::filesystem::remove_all(path);
  const auto none = maker->make(SocketMaker::admin);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().text().find("No such file or directory"), std::string::npos) << none.error().text();
  EXPECT_FALSE(maker->make(7)) << "there is no such place, and the process ends";
  EXPECT_FALSE(maker->make(SocketMaker::control));
}

TEST_F(RuntimeKeeperTest, WhatCantBeMadeAgainIsTriedAgain) {
  std::filesystem::remove_all(path);
  std::ofstream(path) << "in the way";
  keeper->look();
  EXPECT_EQ(keeper->restored(), 0u);
  std::filesystem::remove(path);
  keeper->look();
  EXPECT_TRUE(reached());
}

}  // namespace
}  // namespace nuropb::meshd
