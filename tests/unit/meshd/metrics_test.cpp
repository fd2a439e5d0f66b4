#include "meshd/metrics.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <sstream>

namespace nuropb::meshd {
namespace {

TEST(Metrics, WhateverAnEdgeWritesThePageCanBeRead) {
  auto segments = shm::MeshdSegments::create(0, 1, {4096, 4096});
  ASSERT_TRUE(segments);
  void* const e = ::mmap(nullptr, shm::data_offset, PROT_READ | PROT_WRITE, MAP_SHARED, segments->fd_e(), 0);
  ASSERT_NE(e, MAP_FAILED);
  constexpr std::size_t counters = offsetof(shm::SegmentE, counters);
  std::memset(static_cast<char*>(e) + counters, 0xff, shm::data_offset - counters);
  Counted counted;
  SlotCounts slot;
  slot.present = true;
  slot.attached = 1;
  for (int life = 0; life < 100; ++life) slot.edge.add(*segments);
  counted.edges.add(slot.edge);
  counted.slots.push_back(slot);
  std::istringstream page(metrics_page(counted));
  std::uint64_t last = 0, lines = 0;
  for (std::string line; std::getline(page, line); ++lines) {
    if (line.find("request_seconds_bucket") == std::string::npos || line.starts_with("#")) continue;
    const std::uint64_t now = std::stoull(line.substr(line.rfind(' ') + 1));
    EXPECT_GE(now, last) << line;
    last = now;
  }
  EXPECT_GT(last, 0u);
  EXPECT_GT(lines, 300u);
  ::munmap(e, shm::data_offset);
}

TEST(Metrics, ReadyIsAnEdgeThatDoesNotDrain) {
  Readiness now;
  EXPECT_FALSE(now.ready());
  now.edges = 2;
  EXPECT_TRUE(now.ready());
  now.draining = 1;
  EXPECT_TRUE(now.ready());
  now.draining = 2;
  EXPECT_FALSE(now.ready());
  EXPECT_NE(now.json().find("\"draining\",\"ready\":false"), std::string::npos) << now.json();
  now.draining = 0;
  now.needs_broker = true;
  EXPECT_FALSE(now.ready());
  now.broker = mesh::State::blocked;
  EXPECT_TRUE(now.ready());
}

}  // namespace
}  // namespace nuropb::meshd
