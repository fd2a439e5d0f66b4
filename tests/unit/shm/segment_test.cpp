#include "shm/segment.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <filesystem>

namespace nuropb::shm {
namespace {

constexpr Geometry small{4096, 8192};

UniqueFd copy(int fd) { return UniqueFd(::dup(fd)); }

std::size_t open_fds() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

TEST(Segment, BothSidesTalkThroughBothRings) {
  auto meshd = MeshdSegments::create(3, 77, small);
  ASSERT_TRUE(meshd) << meshd.error().text();
  auto edge = EdgeSegments::open(copy(meshd->fd_m()), copy(meshd->fd_e()));
  ASSERT_TRUE(edge) << edge.error().text();
  EXPECT_EQ(edge->slot(), 3u);
  EXPECT_EQ(edge->generation(), 77u);

  auto out = edge->requests();
  auto in = meshd->requests();
  ASSERT_TRUE(out.write(5, 0, 1, {"to meshd"}));
  (void)out.commit();
  RecordHeader header;
  std::string payload;
  ASSERT_EQ(in.peek(header), RingReader::Next::record);
  in.take(header, payload);
  EXPECT_EQ(payload, "to meshd");
  (void)in.release();
  EXPECT_EQ(edge->taken(), record_size(8));

  auto answers = meshd->responses();
  auto got = edge->responses();
  ASSERT_TRUE(answers.write(6, 0, 1, {"to edge"}));
  (void)answers.commit();
  ASSERT_EQ(got.peek(header), RingReader::Next::record);
  got.take(header, payload);
  EXPECT_EQ(payload, "to edge");
}

TEST(Segment, WordsOfEachSideReachTheOther) {
  auto meshd = MeshdSegments::create(0, 1, small);
  ASSERT_TRUE(meshd);
  auto edge = EdgeSegments::open(copy(meshd->fd_m()), copy(meshd->fd_e()));
  ASSERT_TRUE(edge);
  EXPECT_EQ(edge->broker(), BrokerState::away);
  meshd->set_broker(BrokerState::ready);
  EXPECT_EQ(edge->broker(), BrokerState::ready);
  meshd->set_settled(4711);
  EXPECT_EQ(edge->settled(), 4711u);
  const auto beat = edge->meshd_beat();
  meshd->beat();
  EXPECT_NE(edge->meshd_beat(), beat);
  edge->count(EdgeCounter::timeouts, 3);
  EXPECT_EQ(meshd->counter(EdgeCounter::timeouts), 3u);
  const auto edge_beat = meshd->edge_beat();
  edge->beat();
  EXPECT_NE(meshd->edge_beat(), edge_beat);
}

TEST(Segment, TheKernelKeepsTheEdgeFromWritingM) {
  auto meshd = MeshdSegments::create(0, 1, small);
  ASSERT_TRUE(meshd);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, meshd->fd_m(), 0), MAP_FAILED);
  char byte = 0;
  EXPECT_EQ(::pwrite(meshd->fd_m(), &byte, 1, 0), -1);
  EXPECT_NE(::fallocate(meshd->fd_m(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
}

TEST(Segment, NobodyCanResizeEither) {
  auto meshd = MeshdSegments::create(0, 1, small);
  ASSERT_TRUE(meshd);
  for (const int fd : {meshd->fd_m(), meshd->fd_e()}) {
    EXPECT_NE(::ftruncate(fd, 0), 0);
    EXPECT_NE(::ftruncate(fd, 1 << 20), 0);
    EXPECT_NE(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0) << "nor add a seal that would lock the edge out";
  }
}

TEST(Segment, MeshdOutlivesAnEdgeThatPunchesHolesIntoItsOwn) {
  auto meshd = MeshdSegments::create(0, 1, small);
  ASSERT_TRUE(meshd);
  auto reader = meshd->requests();
  (void)::fallocate(meshd->fd_e(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8192);
  RecordHeader header;
  EXPECT_EQ(reader.peek(header), RingReader::Next::empty);
}

TEST(Segment, TheEdgeRefusesWhatIsNotSealedAsItShouldBe) {
  auto meshd = MeshdSegments::create(0, 1, small);
  ASSERT_TRUE(meshd);
  // E's seals are not M's.
  EXPECT_FALSE(EdgeSegments::open(copy(meshd->fd_e()), copy(meshd->fd_e())));
  EXPECT_FALSE(EdgeSegments::open(copy(meshd->fd_m()), copy(meshd->fd_m())));
  UniqueFd unsealed(::memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(unsealed.get(), 0x3000), 0);
  const auto refused = EdgeSegments::open(copy(meshd->fd_m()), std::move(unsealed));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("seals"), std::string::npos) << refused.error().text();
  EXPECT_FALSE(EdgeSegments::open(UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)), copy(meshd->fd_e())));
}

/// M as created by another version, with another size, or by another program.
UniqueFd forged_m(std::size_t size, const SegmentMHead& head) {
  UniqueFd fd(::memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  (void)!::ftruncate(fd.get(), static_cast<off_t>(size));
  void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  std::memcpy(at, &head, sizeof head);
  ::munmap(at, size);
  ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | 0x10 | F_SEAL_SEAL);
  return fd;
}

TEST(Segment, TheEdgeRefusesAnotherVersionAndSizesThatDoNotFit) {
  auto meshd = MeshdSegments::create(0, 1, small);
  ASSERT_TRUE(meshd);
  const auto try_head = [&](auto&& change, std::size_t size = data_offset + 8192) {
    SegmentMHead head{};
    head.magic = magic_m;
    head.abi = abi;
    head.in_capacity = 4096;
    head.out_capacity = 8192;
    head.ready.store(1);
    change(head);
    return EdgeSegments::open(forged_m(size, head), copy(meshd->fd_e()));
  };
  EXPECT_TRUE(try_head([](SegmentMHead&) {}));
  EXPECT_FALSE(try_head([](SegmentMHead& h) { h.magic ^= 1; }));
  EXPECT_FALSE(try_head([](SegmentMHead& h) { h.ready.store(0); }));
  EXPECT_FALSE(try_head([](SegmentMHead& h) { h.in_capacity = 8192; }));
  EXPECT_FALSE(try_head([](SegmentMHead& h) { h.out_capacity = 4097; }));
  EXPECT_FALSE(try_head([](SegmentMHead& h) { h.out_capacity = 0; }));
  EXPECT_FALSE(try_head([](SegmentMHead&) {}, data_offset + 4096));
  EXPECT_FALSE(try_head([](SegmentMHead&) {}, 64));
  const auto other = try_head([](SegmentMHead& h) { h.abi = abi + 1; });
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().text().find("ABI " + std::to_string(abi + 1)), std::string::npos) << other.error().text();
}

TEST(Segment, BadGeometryIsRefused) {
  for (const Geometry g : {Geometry{0, 4096}, Geometry{4096, 4097}, Geometry{2048, 4096}, Geometry{4096, 3u << 20}}) {
    EXPECT_FALSE(MeshdSegments::create(0, 1, g));
  }
}

TEST(Segment, NoDescriptorIsLeftOpen) {
  const std::size_t before = open_fds();
  for (int i = 0; i < 20; ++i) {
    auto meshd = MeshdSegments::create(0, 1, small);
    ASSERT_TRUE(meshd);
    auto edge = EdgeSegments::open(copy(meshd->fd_m()), copy(meshd->fd_e()));
    ASSERT_TRUE(edge);
    (void)EdgeSegments::open(copy(meshd->fd_e()), copy(meshd->fd_m()));
  }
  EXPECT_EQ(open_fds(), before);
}

}  // namespace
}  // namespace nuropb::shm
