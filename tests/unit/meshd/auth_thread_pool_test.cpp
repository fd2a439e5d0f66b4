#include "meshd/auth/auth_thread_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace nuropb::meshd {
namespace {

TEST(AuthThreadPool, HasABoundAndDropsTheRestAtTheEnd) {
  std::promise<void> begun, go_on;
  std::atomic<int> ran{0};
  AuthThreadPool threads(1, 2);
  threads.start();
  ASSERT_TRUE(threads.add([&](std::size_t) {
    begun.set_value();
    go_on.get_future().wait();
    ++ran;
  }));
  begun.get_future().wait();
  EXPECT_TRUE(threads.add([&](std::size_t) { ++ran; }));
  EXPECT_TRUE(threads.add([&](std::size_t) { ++ran; }));
  EXPECT_FALSE(threads.add([&](std::size_t) { ++ran; }));
  go_on.set_value();
  threads.stop();
  EXPECT_GE(ran, 1);
  EXPECT_FALSE(threads.add([](std::size_t) {}));
}

TEST(AuthThreadPool, EachHasItsNumber) {
  std::promise<std::size_t> first, second;
  std::promise<void> both;
  auto both_began = both.get_future().share();
  AuthThreadPool threads(2, 10);  // ends before what its work uses
  threads.start();
  threads.add([&](std::size_t thread) {
    first.set_value(thread);
    both_began.wait();
  });
  threads.add([&](std::size_t thread) {
    second.set_value(thread);
    both_began.wait();
  });
  EXPECT_EQ(first.get_future().get() + second.get_future().get(), 1u);
  both.set_value();
}

}  // namespace
}  // namespace nuropb::meshd
