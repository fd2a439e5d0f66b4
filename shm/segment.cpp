#include "shm/segment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "common/errno_text.hpp"

namespace nuropb::shm {
namespace {

namespace bip = boost::interprocess;

#ifndef F_SEAL_FUTURE_WRITE
constexpr int F_SEAL_FUTURE_WRITE = 0x0010;
#endif
#ifndef F_SEAL_EXEC
constexpr int F_SEAL_EXEC = 0x0020;
#endif
#ifndef MFD_NOEXEC_SEAL
constexpr unsigned MFD_NOEXEC_SEAL = 0x0008U;
#endif
constexpr int seals_m = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
constexpr int seals_e = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

/// Adapter for boost::interprocess::mapped_region, which needs an object with a descriptor.
struct Mappable {
  int fd;
  [[nodiscard]] bip::mapping_handle_t get_mapping_handle() const { return {fd, false}; }
};

Result<UniqueFd> sealed_file(const char* name, std::size_t size) {
  // Not executable. Kernels before 6.3 do not know that flag, and hardened later ones require it.
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL));
  if (!fd && errno == EINVAL) fd.reset(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return failure("memfd_create: " + errno_text(), name);
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return failure("ftruncate: " + errno_text(), name);
  // Allocates all pages now, so that missing memory is an error here and not a SIGBUS during a request.
  if (const int error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(size)); error != 0) {
    return failure("no memory for " + std::to_string(size) + " bytes: " + std::strerror(error), name,
                   "rings.* set the size");
  }
  return fd;
}

Result<bip::mapped_region> map(int fd, bip::mode_t mode, const char* name) {
  try {
    return bip::mapped_region(Mappable{fd}, mode);
  } catch (const bip::interprocess_exception& e) { return failure(std::string("can't be mapped: ") + e.what(), name); }
}

bool good_capacity(std::uint64_t capacity) {
  return capacity >= min_capacity && capacity <= max_capacity && (capacity & (capacity - 1)) == 0;
}

Result<std::uint64_t> checked_size(int fd, int expected_seals, const char* name) {
  int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0) return failure("has no seals: " + errno_text(), name);
  seals &= ~F_SEAL_EXEC;  // set by newer kernels, and irrelevant here
  if (seals != expected_seals)
    return failure("has seals " + std::to_string(seals) + " instead of " + std::to_string(expected_seals), name);
  struct stat st{};
  if (::fstat(fd, &st) != 0) return failure("fstat: " + errno_text(), name);
  if (st.st_size < static_cast<off_t>(data_offset)) return failure("is too small", name);
  return static_cast<std::uint64_t>(st.st_size);
}

template <class T>
T* at(const bip::mapped_region& region) {
  return static_cast<T*>(region.get_address());
}
/// For a word that only we write: no locked instruction is needed.
void add(Word& word, std::uint64_t by) {
  word.store(word.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}
/// A word that an edge writes, bounded so that sums of such values cannot overflow.
std::uint64_t bounded(const Word& word) {
  constexpr std::uint64_t most = std::uint64_t{1} << 50;
  return std::min(word.load(std::memory_order_relaxed), most);
}
template <class T>
auto* bytes_at(const bip::mapped_region& region, std::size_t offset) {
  return static_cast<T*>(region.get_address()) + offset;
}

}  // namespace

Result<MeshdSegments> MeshdSegments::create(std::uint32_t slot, std::uint32_t generation, Geometry geometry) {
  if (!good_capacity(geometry.in_capacity) || !good_capacity(geometry.out_capacity)) {
    return failure("a ring's capacity is not a power of two from 4096 to 2^30", "segment geometry");
  }
  auto fd_m = sealed_file("nuropb-m", data_offset + geometry.out_capacity);
  if (!fd_m) return tl::unexpected(fd_m.error());
  auto fd_e = sealed_file("nuropb-e", data_offset + geometry.in_capacity);
  if (!fd_e) return tl::unexpected(fd_e.error());
  auto m = map(fd_m->get(), bip::read_write, "segment M");
  if (!m) return tl::unexpected(m.error());

  {
    // E's head is written through a temporary mapping: from then on only the edge writes E.
    auto e = map(fd_e->get(), bip::read_write, "segment E");
    if (!e) return tl::unexpected(e.error());
    auto* head = new (e->get_address()) SegmentE{};
    head->head.magic = magic_e;
    head->head.abi = abi;
  }
  auto* head = new (m->get_address()) SegmentM{};
  head->head.magic = magic_m;
  head->head.abi = abi;
  head->head.slot = slot;
  head->head.generation = generation;
  head->head.in_capacity = geometry.in_capacity;
  head->head.out_capacity = geometry.out_capacity;
  head->head.ready.store(1, std::memory_order_release);

  if (::fcntl(fd_m->get(), F_ADD_SEALS, seals_m) != 0) return failure("can't be sealed: " + errno_text(), "segment M");
  if (::fcntl(fd_e->get(), F_ADD_SEALS, seals_e) != 0) return failure("can't be sealed: " + errno_text(), "segment E");
  auto e = map(fd_e->get(), bip::read_only, "segment E");
  if (!e) return tl::unexpected(e.error());

  MeshdSegments out;
  out.fd_m_ = std::move(*fd_m);
  out.fd_e_ = std::move(*fd_e);
  out.m_ = std::move(*m);
  out.e_ = std::move(*e);
  out.geometry_ = geometry;
  return out;
}

void MeshdSegments::close_fds() {
  fd_m_.reset();
  fd_e_.reset();
}

SegmentM* MeshdSegments::m() const { return at<SegmentM>(m_); }
const SegmentE* MeshdSegments::e() const { return at<const SegmentE>(e_); }

RingReader MeshdSegments::requests() {
  return RingReader({bytes_at<const std::byte>(e_, data_offset), geometry_.in_capacity, &e()->in_tail.value,
                     &e()->in_want_space.value, &m()->taken.value, &m()->in_waiting.value});
}

RingWriter MeshdSegments::responses() {
  return RingWriter({bytes_at<std::byte>(m_, data_offset), geometry_.out_capacity, &m()->out_tail.value,
                     &m()->out_want_space.value, &e()->out_head.value, &e()->out_waiting.value});
}

void MeshdSegments::set_broker(BrokerState state) {
  m()->head.broker.store(static_cast<std::uint32_t>(state), std::memory_order_release);
}
void MeshdSegments::set_settled(std::uint64_t position) {
  m()->settled.value.store(position, std::memory_order_release);
}
void MeshdSegments::beat() { m()->beat.value.fetch_add(1, std::memory_order_relaxed); }
std::uint64_t MeshdSegments::edge_beat() const { return e()->beat.value.load(std::memory_order_relaxed); }
std::uint64_t MeshdSegments::closes(std::size_t place) const { return bounded(e()->closes[place]); }
std::uint64_t MeshdSegments::outcomes(RequestOutcome which) const {
  return bounded(e()->outcomes[static_cast<std::size_t>(which)]);
}
std::uint64_t MeshdSegments::messages(std::size_t type) const { return bounded(e()->messages[type]); }
latency::Histogram MeshdSegments::stage(latency::EdgeStage which) const {
  const auto& from = e()->stages[static_cast<std::size_t>(which)];
  latency::Histogram out;
  for (std::size_t i = 0; i < out.counts.size(); ++i) out.counts[i] = bounded(from.counts[i]);
  out.sum_us = bounded(from.sum_us);
  return out;
}

std::uint64_t MeshdSegments::counter(EdgeCounter which) const {
  return bounded(e()->counters[static_cast<std::size_t>(which)]);
}

Result<EdgeSegments> EdgeSegments::open(UniqueFd fd_m, UniqueFd fd_e) {
  const auto size_m = checked_size(fd_m.get(), seals_m, "segment M");
  if (!size_m) return tl::unexpected(size_m.error());
  const auto size_e = checked_size(fd_e.get(), seals_e, "segment E");
  if (!size_e) return tl::unexpected(size_e.error());
  auto m = map(fd_m.get(), bip::read_only, "segment M");
  if (!m) return tl::unexpected(m.error());
  auto e = map(fd_e.get(), bip::read_write, "segment E");
  if (!e) return tl::unexpected(e.error());

  const auto& head = at<const SegmentM>(*m)->head;
  if (head.ready.load(std::memory_order_acquire) != 1) return failure("is not ready", "segment M");
  if (head.magic != magic_m) return failure("has a wrong magic number", "segment M");
  if (at<const SegmentE>(*e)->head.magic != magic_e) return failure("has a wrong magic number", "segment E");
  if (head.abi != abi || at<const SegmentE>(*e)->head.abi != abi) {
    return failure("has ABI " + std::to_string(head.abi) + " instead of " + std::to_string(abi), "segment M",
                   "edge and meshd are of different versions");
  }
  if (!good_capacity(head.in_capacity) || !good_capacity(head.out_capacity) ||
      *size_m != data_offset + head.out_capacity || *size_e != data_offset + head.in_capacity) {
    return failure("sizes do not fit the rings", "segment M");
  }
  EdgeSegments out;
  out.slot_ = head.slot;
  out.generation_ = head.generation;
  out.geometry_ = {head.in_capacity, head.out_capacity};
  out.m_ = std::move(*m);
  out.e_ = std::move(*e);
  return out;
}

const SegmentM* EdgeSegments::m() const { return at<const SegmentM>(m_); }
SegmentE* EdgeSegments::e() const { return at<SegmentE>(e_); }

RingWriter EdgeSegments::requests() {
  return RingWriter({bytes_at<std::byte>(e_, data_offset), geometry_.in_capacity, &e()->in_tail.value,
                     &e()->in_want_space.value, &m()->taken.value, &m()->in_waiting.value});
}

RingReader EdgeSegments::responses() {
  return RingReader({bytes_at<const std::byte>(m_, data_offset), geometry_.out_capacity, &m()->out_tail.value,
                     &m()->out_want_space.value, &e()->out_head.value, &e()->out_waiting.value});
}

BrokerState EdgeSegments::broker() const {
  switch (m()->head.broker.load(std::memory_order_acquire)) {
    case 1: return BrokerState::ready;
    case 2: return BrokerState::blocked;
    default: return BrokerState::away;
  }
}
std::uint32_t EdgeSegments::slot() const { return slot_; }
std::uint32_t EdgeSegments::generation() const { return generation_; }
std::uint64_t EdgeSegments::taken() const { return m()->taken.value.load(std::memory_order_acquire); }
std::uint64_t EdgeSegments::settled() const { return m()->settled.value.load(std::memory_order_acquire); }
void EdgeSegments::beat() { e()->beat.value.fetch_add(1, std::memory_order_relaxed); }
std::uint64_t EdgeSegments::meshd_beat() const { return m()->beat.value.load(std::memory_order_relaxed); }
void EdgeSegments::count_close(std::uint16_t code) { add(e()->closes[close_code::place_of(code)], 1); }
void EdgeSegments::count_outcome(RequestOutcome which) { add(e()->outcomes[static_cast<std::size_t>(which)], 1); }
void EdgeSegments::count_message(std::size_t type) {
  if (type < message_kinds) add(e()->messages[type], 1);
}
void EdgeSegments::measure(latency::EdgeStage which, std::uint64_t us) {
  auto& stage = e()->stages[static_cast<std::size_t>(which)];
  add(stage.counts[latency::bucket_of(us)], 1);
  add(stage.sum_us, us);
}
void EdgeSegments::count(EdgeCounter which, std::uint64_t by) {
  add(e()->counters[static_cast<std::size_t>(which)], by);
}
void EdgeSegments::set(EdgeCounter which, std::uint64_t value) {
  e()->counters[static_cast<std::size_t>(which)].store(value, std::memory_order_relaxed);
}

}  // namespace nuropb::shm
