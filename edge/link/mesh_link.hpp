#pragma once
// The edge's side of the shared memory: attaching to meshd, records out, records in, and meshd's death.
//
//        attach()             welcome                     HUP, rubbish
//   detached ──► greeting ─────────────► attached ──────────────────────► detached, again after a pause
//       ▲            │ refused, HUP
//       └────────────┘
//
// Records that are written in one turn of the event loop become visible at its end (flush()), many of them in parts, so
// that meshd works while we do; a doorbell is rung only if it sleeps. Each attachment has fresh segments; the worker
// ticket of the last one asks a new meshd for the same slot and generation, so that answers on their way still find us.
//
// One thread: the edge's io_context.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/life_sign.hpp"
#include "common/records.hpp"
#include "common/scheduling_by_load.hpp"
#include "shm/control.hpp"
#include "shm/segment.hpp"

namespace nuropb::edge {

class MeshLink {
 public:
  /// How far meshd was with the request ring when it was lost: positions as written() gave them.
  struct Lost {
    std::uint64_t taken = 0;    ///< what ends behind this was never looked at
    std::uint64_t settled = 0;  ///< what ends at or before this has been published, or answered
    std::vector<shm::RingWriter::Written> untaken;
  };
  struct Callbacks {
    /// `same_address`: this meshd has given us the slot and generation of the last, so answers on their way find us.
    std::function<void(bool same_address)> on_attached;
    std::function<void(const Lost&)> on_lost;
    /// A record of meshd's; `payload` is ours until it returns.
    std::function<void(const shm::RecordHeader&, const std::string& payload)> on_record;
    std::function<void()> on_batch_end;
    /// Room in the request ring after a write() that failed, or a new word on the broker.
    std::function<void()> on_change;
    /// Once a second while attached: time to publish the gauges that meshd reads.
    std::function<void()> on_beat;
    /// meshd's segments could not be mapped several times in a row: this process has no use for them.
    std::function<void()> on_unusable{};
  };

  /// How it gets a connection to meshd (control_dialer.hpp). Does not wait for meshd.
  using Connect = std::function<Result<shm::ControlChannel>()>;

  MeshLink(boost::asio::io_context& io, Connect connect, std::uint32_t max_message, Callbacks callbacks);
  ~MeshLink();

  /// Starts to attach, and to attach again after every loss.
  void start();
  void stop();

  [[nodiscard]] bool attached() const { return segments_.has_value(); }
  [[nodiscard]] shm::BrokerState broker() const { return broker_; }
  /// True while a record was refused for want of room; on_change follows.
  [[nodiscard]] bool full() const { return full_; }

  /// False, and nothing written, if there is no room or no meshd.
  bool write(records::Type type, std::uint64_t sequence, std::string_view payload);
  /// The position behind the last record that was written.
  [[nodiscard]] std::uint64_t written() const { return requests_.staged(); }
  void count(shm::EdgeCounter which, std::uint64_t by = 1);
  void set(shm::EdgeCounter which, std::uint64_t value);
  void count_close(std::uint16_t code) {
    if (segments_) segments_->count_close(code);
  }
  void count_outcome(RequestOutcome which) {
    if (segments_) segments_->count_outcome(which);
  }
  void count_message(records::Type type) {
    if (segments_) segments_->count_message(static_cast<std::size_t>(type));
  }
  void measure(latency::EdgeStage which, std::uint64_t us) {
    if (segments_) segments_->measure(which, us);
  }
  /// When the records that on_record is being told of were taken out of the return ring.
  [[nodiscard]] SteadyTime taken_at() const { return taken_at_; }

 private:
  void attach();
  static constexpr std::chrono::milliseconds retry_pause{50};
  void attach_later(std::chrono::milliseconds pause);
  void wait_for_control();
  void on_control();
  void wait_for_doorbell();
  void drop_descriptors();
  void on_welcome(shm::ControlChannel::Received&& received);
  /// `ended`: meshd has closed the socket itself, which it does only when it ends, so it touches our rings no more.
  void lose(const std::string& reason, bool ended = false, std::chrono::milliseconds pause = retry_pause);
  void look();  // at the return ring, the broker's word, the room
  bool read_records();
  void schedule_flush();
  void show();
  void flush();
  void beat();

  boost::asio::io_context& io_;
  Connect connect_;
  std::uint32_t max_message_;
  Callbacks callbacks_;
  shm::ControlChannel channel_;
  shm::Doorbell bell_;
  std::optional<boost::asio::posix::stream_descriptor> wait_, bell_wait_;  // for what channel_ and bell_ own
  std::array<char, shm::Doorbell::at_once> bells_;                         // what is heard of them
  boost::asio::steady_timer retry_, beat_;
  LifeSign life_sign_;
  std::uint64_t shown_dropped_ = 0;  // lines of the log
  SystemClock clock_;
  SchedulingByLoad scheduling_{clock_};
  std::optional<shm::EdgeSegments> segments_;
  shm::RingWriter requests_;
  shm::RingReader responses_;
  shm::BrokerState broker_ = shm::BrokerState::away;
  std::string ticket_;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> address_;  // slot and generation of the last attachment
  std::string payload_;
  std::string last_failure_;
  int unusable_ = 0;  // welcomes in a row whose segments could not be mapped
  std::size_t wanted_room_ = 0;
  SteadyTime taken_at_{};
  std::uint64_t attachment_ = 0;  // tells handlers of an earlier attachment that they are stale
  bool full_ = false;
  int unshown_ = 0;  // records since the last show()
  bool flush_scheduled_ = false;
  bool look_scheduled_ = false;
  bool stopped_ = false;
};

}  // namespace nuropb::edge
