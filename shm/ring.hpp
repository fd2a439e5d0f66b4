#pragma once
// A single-producer, single-consumer byte ring of variable-length records in shared memory, between processes that do
// not trust each other and may be killed between any two instructions.
//
//   record:  | length u32 | type u16 | flags u16 | sequence u64 |  payload (length bytes)  | padding to 16 |
//
// Records are 16-byte aligned, so a header never straddles the end; a payload may, and is copied in two parts.
// The producer's tail is the only commit point: it is stored after the bytes of one or many records, so a producer
// killed anywhere leaves whole records only.
//
// Sleep and wake (tests/model/ring.pml is the checked model): the consumer raises `waiting`, re-checks the tail, then
// sleeps; the producer stores the tail, then reads `waiting`. The mirror image holds for `want_space` and the head.
// All four operations are sequentially consistent: with acquire and release alone a wake-up can be lost.
// Both words are counters, odd while their owner sleeps or is about to, so that each sleep gets one wake-up and not one
// per commit until the sleeper runs again. Therefore a woken process must check both rings before it sleeps again, and
// a `true` from commit() or release() must be followed by ringing the doorbell.
//
// Each side keeps its own position in private memory and reads the other side's word once per check, validating it
// before use: aligned, never moving backwards, never more than a capacity apart. An invalid word *poisons* the ring;
// from then on the object reports poisoned() and does not touch the memory again. The caller decides what to do about
// it (kill the peer).
//
// Not thread-safe: one writer object in one thread of one process, one reader object likewise.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "shm/layout.hpp"

namespace nuropb::shm {

struct RecordHeader {
  std::uint32_t length = 0;  ///< of the payload, in bytes
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint64_t sequence = 0;
};
static_assert(sizeof(RecordHeader) == 16);

/// Bytes that a record with this payload occupies in a ring.
constexpr std::uint64_t record_size(std::uint64_t payload) {
  return (sizeof(RecordHeader) + payload + 15) & ~std::uint64_t{15};
}

/// The words of one ring, wherever they are mapped. `own` words are written by this side, the others by the peer.
struct WriterView {
  std::byte* data = nullptr;      ///< own
  std::uint64_t capacity = 0;     ///< power of two
  Word* tail = nullptr;           ///< own
  Word* want_space = nullptr;     ///< own
  const Word* head = nullptr;     ///< the reader's
  const Word* waiting = nullptr;  ///< the reader's
};
struct ReaderView {
  const std::byte* data = nullptr;  ///< the writer's
  std::uint64_t capacity = 0;
  const Word* tail = nullptr;        ///< the writer's
  const Word* want_space = nullptr;  ///< the writer's
  Word* head = nullptr;              ///< own
  Word* waiting = nullptr;           ///< own
};

class RingWriter {
 public:
  RingWriter() = default;
  explicit RingWriter(WriterView view);

  /// Maximum payload for a ring of this capacity: half of it, so that a full ring can still be drained in steps.
  [[nodiscard]] std::uint64_t max_payload() const { return view_.capacity / 2 - sizeof(RecordHeader); }

  /// Stages a record whose payload is the concatenation of the parts. Returns false, and stages nothing, if it does not
  /// fit now or the ring is poisoned. The reader sees nothing before commit().
  bool write(std::uint16_t type, std::uint16_t flags, std::uint64_t sequence,
             std::initializer_list<std::string_view> parts);

  /// Publishes the staged records. Returns true if the reader sleeps and must be rung; only once per sleep.
  [[nodiscard]] bool commit();

  /// After a write() that did not fit and a commit() of what is staged (without it the reader may have nothing to
  /// release): asks the reader to ring when it has made room. Returns false if `payload` bytes fit after all (retry at
  /// once), true if the caller may sleep; check poisoned() then. `payload` is at most max_payload().
  [[nodiscard]] bool await_space(std::uint64_t payload);

  [[nodiscard]] bool poisoned() const { return poisoned_; }
  /// Position up to which records are published.
  [[nodiscard]] std::uint64_t tail() const { return tail_; }
  [[nodiscard]] std::uint64_t staged() const { return staged_; }
  /// Published bytes that the reader has not released yet. Refreshes the cached head.
  [[nodiscard]] std::uint64_t depth();

  struct Written {
    RecordHeader header;
    std::string payload;
    std::uint64_t end = 0;  ///< the position after it, as staged() returned after its write()
  };
  /// The records written from position `from` on, staged or published: those that a dead reader left unread. Empty if
  /// `from` cannot have been a position of the reader.
  [[nodiscard]] std::vector<Written> written_since(std::uint64_t from) const;

 private:
  bool refresh_head();
  bool judge_head(std::uint64_t head);
  void stop_wanting();
  WriterView view_{};
  std::uint64_t staged_ = 0;  ///< end of the staged records
  std::uint64_t tail_ = 0;    ///< published
  std::uint64_t head_ = 0;    ///< the reader's position as last validated
  std::uint64_t wants_ = 0;   ///< our `want_space`; odd: the next write() that fits resets it
  std::uint64_t rung_ = 0;    ///< the reader's `waiting` value of the last wake-up
  bool poisoned_ = false;
};

class RingReader {
 public:
  enum class Next { empty, record, poisoned };

  RingReader() = default;
  explicit RingReader(ReaderView view);

  /// Copies the next header into `header` without consuming it. Its length is already validated against the published
  /// bytes; the caller checks whether type and length match (common/records.hpp).
  Next peek(RecordHeader& header);
  /// Copies the payload of the record that peek() returned into `payload`, replacing it, and consumes the record. The
  /// producer sees the room only after release().
  void take(const RecordHeader& header, std::string& payload);

  /// Publishes the position up to which records were consumed. Returns true if the writer waits for room and must be
  /// rung; only once per wait.
  [[nodiscard]] bool release();

  /// Announces sleep. Returns true if the ring is still empty, so that the caller may sleep until rung; false: call
  /// peek() again.
  [[nodiscard]] bool prepare_sleep();
  /// To be called after waking, before reading.
  void cancel_sleep();

  /// The caller found an invalid record (unknown type, wrong size or state): nothing more is read from this ring.
  void poison() { poisoned_ = true; }
  [[nodiscard]] bool poisoned() const { return poisoned_; }
  [[nodiscard]] std::uint64_t head() const { return head_; }
  /// Published bytes that are not consumed yet. Refreshes the cached tail.
  [[nodiscard]] std::uint64_t depth();

 private:
  bool refresh_tail();
  bool judge_tail(std::uint64_t tail);
  ReaderView view_{};
  std::uint64_t head_ = 0;      ///< consumed up to here
  std::uint64_t released_ = 0;  ///< the position that was published to the producer
  std::uint64_t tail_ = 0;      ///< the writer's position as last validated
  std::uint64_t sleeps_ = 0;    ///< our `waiting`; odd between prepare_sleep() and cancel_sleep()
  std::uint64_t rung_ = 0;      ///< the writer's `want_space` value of the last wake-up
  bool poisoned_ = false;
};

}  // namespace nuropb::shm
