#include "shm/ring.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "common/crash_points.hpp"

namespace nuropb::shm {
namespace {

constexpr std::uint64_t alignment = sizeof(RecordHeader);

constexpr bool odd(std::uint64_t n) { return (n & 1) != 0; }

/// Whether a peer with this word must be rung. True once per sleep, because the doorbell stays readable until the peer
/// wakes. A forged word of a hostile peer costs one wake-up at most.
bool rings_for(std::uint64_t word, std::uint64_t& rung) {
  if (!odd(word) || word == rung) return false;
  rung = word;
  return true;
}

/// Copies into the ring at a position, in two parts if the record wraps.
void copy_in(std::byte* data, std::uint64_t capacity, std::uint64_t position, const void* from, std::size_t size) {
  const std::uint64_t index = position & (capacity - 1);
  const std::size_t first = static_cast<std::size_t>(std::min<std::uint64_t>(size, capacity - index));
  std::memcpy(data + index, from, first);
  if (first == size) return;
  NUROPB_CRASH_POINT(first_part_written);
  std::memcpy(data, static_cast<const char*>(from) + first, size - first);
}

/// The reverse of copy_in(), for payloads.
void copy_out(std::string& to, const std::byte* data, std::uint64_t capacity, std::uint64_t position,
              std::size_t size) {
  const std::uint64_t index = position & (capacity - 1);
  const auto first = static_cast<std::size_t>(std::min<std::uint64_t>(size, capacity - index));
  const auto* const bytes = reinterpret_cast<const char*>(data);
  to.assign(bytes + index, first);
  to.append(bytes, size - first);  // the part beyond the end, if it wraps
}

/// Two loads of eight bytes, each performed exactly once. The writer may change the header at any time, and the
/// compiler could read a plain copy again after its validation.
RecordHeader read_header(const std::byte* at) {
  const auto* const words = reinterpret_cast<const Word*>(at);
  return std::bit_cast<RecordHeader>(
      std::array{words[0].load(std::memory_order_relaxed), words[1].load(std::memory_order_relaxed)});
}

}  // namespace

RingWriter::RingWriter(WriterView view) : view_(view) {
  staged_ = tail_ = view_.tail->load(std::memory_order_relaxed);
  head_ = tail_;
  wants_ = view_.want_space->load(std::memory_order_relaxed);
  if (odd(wants_)) stop_wanting();  // an earlier writer may have been waiting
}

bool RingWriter::judge_head(std::uint64_t head) {
  if (head < head_ || head > tail_ || head % alignment != 0) {
    poisoned_ = true;
    return false;
  }
  head_ = head;
  return true;
}

bool RingWriter::refresh_head() {
  // Acquire: the reader's copies out of the ring happened before it released the room we are about to overwrite.
  return judge_head(view_.head->load(std::memory_order_acquire));
}

void RingWriter::stop_wanting() {
  // Relaxed: a reader that still sees the odd number rings once too often, which is harmless.
  view_.want_space->store(++wants_, std::memory_order_relaxed);
}

bool RingWriter::write(std::uint16_t type, std::uint16_t flags, std::uint64_t sequence,
                       std::initializer_list<std::string_view> parts) {
  if (poisoned_) return false;
  std::uint64_t payload = 0;
  for (const auto part : parts) payload += part.size();
  if (payload > max_payload()) return false;
  const std::uint64_t size = record_size(payload);
  if (staged_ + size - head_ > view_.capacity && (!refresh_head() || staged_ + size - head_ > view_.capacity))
    return false;
  if (odd(wants_)) {
    stop_wanting();
    NUROPB_CRASH_POINT(room_wait_ended);
  }

  const RecordHeader header{static_cast<std::uint32_t>(payload), type, flags, sequence};
  std::memcpy(view_.data + (staged_ & (view_.capacity - 1)), &header,
              sizeof header);  // aligned, so it never wraps
  NUROPB_CRASH_POINT(header_written);
  std::uint64_t at = staged_ + sizeof header;
  for (const auto part : parts) {
    if (part.empty()) continue;
    copy_in(view_.data, view_.capacity, at, part.data(), part.size());
    NUROPB_CRASH_POINT(payload_written);
    at += part.size();
  }
  staged_ += size;
  NUROPB_CRASH_POINT(record_staged);
  return true;
}

bool RingWriter::commit() {
  if (staged_ == tail_ || poisoned_) return false;
  tail_ = staged_;
  NUROPB_CRASH_POINT(tail_to_be_stored);
  // The commit point. Sequentially consistent with the load of `waiting` below and with the reader's store of `waiting`
  // and re-check of the tail: one of the two sides sees the other (Dekker). Release alone could reorder the two.
  view_.tail->store(tail_, std::memory_order_seq_cst);
  NUROPB_CRASH_POINT(tail_stored);
  return rings_for(view_.waiting->load(std::memory_order_seq_cst), rung_);
}

bool RingWriter::await_space(std::uint64_t payload) {
  if (poisoned_) return true;
  wants_ += odd(wants_) ? 2 : 1;  // asked before, was rung, and there is still too little room: ask again
  view_.want_space->store(wants_, std::memory_order_seq_cst);
  NUROPB_CRASH_POINT(room_asked_for);
  // Re-check before sleeping.
  if (!judge_head(view_.head->load(std::memory_order_seq_cst))) return true;
  NUROPB_CRASH_POINT(room_looked_for_again);
  if (staged_ + record_size(payload) - head_ > view_.capacity) return true;
  stop_wanting();
  return false;
}

std::uint64_t RingWriter::depth() {
  if (!poisoned_) refresh_head();
  return tail_ - head_;
}

std::vector<RingWriter::Written> RingWriter::written_since(std::uint64_t from) const {
  std::vector<Written> out;
  if (from % alignment != 0 || from > staged_ || staged_ - from > view_.capacity) return out;
  for (std::uint64_t at = from; at < staged_;) {
    Written record;
    std::memcpy(&record.header, view_.data + (at & (view_.capacity - 1)), sizeof record.header);
    if (record_size(record.header.length) > staged_ - at) return {};  // `from` was not at the start of a record
    copy_out(record.payload, view_.data, view_.capacity, at + sizeof record.header, record.header.length);
    at += record_size(record.header.length);
    record.end = at;
    out.push_back(std::move(record));
  }
  return out;
}

RingReader::RingReader(ReaderView view) : view_(view) {
  head_ = released_ = tail_ = view_.head->load(std::memory_order_relaxed);
  sleeps_ = view_.waiting->load(std::memory_order_relaxed);
  cancel_sleep();  // an earlier reader may have been asleep
}

bool RingReader::judge_tail(std::uint64_t tail) {
  if (tail < tail_ || tail - released_ > view_.capacity || tail % alignment != 0) {
    poisoned_ = true;
    return false;
  }
  tail_ = tail;
  return true;
}

bool RingReader::refresh_tail() {
  // Acquire: the record's bytes were written before the tail that shows them.
  return judge_tail(view_.tail->load(std::memory_order_acquire));
}

RingReader::Next RingReader::peek(RecordHeader& header) {
  if (poisoned_) return Next::poisoned;
  if (head_ == tail_) {
    if (!refresh_tail()) return Next::poisoned;
    if (head_ == tail_) return Next::empty;
    NUROPB_CRASH_POINT(tail_seen);
  }
  // Aligned, so it never wraps. From here on only this copy is validated and used, never the ring's own bytes.
  header = read_header(view_.data + (head_ & (view_.capacity - 1)));
  if (record_size(header.length) > tail_ - head_) {
    poisoned_ = true;
    return Next::poisoned;
  }
  NUROPB_CRASH_POINT(header_read);
  return Next::record;
}

void RingReader::take(const RecordHeader& header, std::string& payload) {
  copy_out(payload, view_.data, view_.capacity, head_ + sizeof header, header.length);
  NUROPB_CRASH_POINT(payload_read);
  head_ += record_size(header.length);
  NUROPB_CRASH_POINT(record_taken);
}

bool RingReader::release() {
  if (head_ == released_) return false;
  released_ = head_;
  NUROPB_CRASH_POINT(head_to_be_stored);
  view_.head->store(released_, std::memory_order_seq_cst);
  NUROPB_CRASH_POINT(head_stored);
  return rings_for(view_.want_space->load(std::memory_order_seq_cst), rung_);
}

bool RingReader::prepare_sleep() {
  if (poisoned_) return true;
  sleeps_ += odd(sleeps_) ? 2 : 1;
  view_.waiting->store(sleeps_, std::memory_order_seq_cst);
  NUROPB_CRASH_POINT(sleep_announced);
  // Re-check before sleeping. The value is validated and stored, so a tail that changes back and forth cannot keep us
  // awake.
  const bool empty = judge_tail(view_.tail->load(std::memory_order_seq_cst)) && tail_ == head_;
  NUROPB_CRASH_POINT(tail_looked_at_again);
  if (empty) return true;
  cancel_sleep();
  return false;  // peek() returns the record, or reports the poisoned ring
}

void RingReader::cancel_sleep() {
  if (!odd(sleeps_)) return;
  view_.waiting->store(++sleeps_, std::memory_order_relaxed);  // relaxed: as in stop_wanting()
  NUROPB_CRASH_POINT(sleep_ended);
}

std::uint64_t RingReader::depth() {
  if (!poisoned_) refresh_tail();
  return tail_ - head_;
}

}  // namespace nuropb::shm
