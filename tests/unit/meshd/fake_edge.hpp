#pragma once
// An edge in a test's hands, on the real control socket and on real rings in shared memory: the mirror of
// tests/unit/edge/ring_side.hpp. The test writes each record that the edge sends and reads each that it is sent.
//
// meshd identifies an edge by the process that sends the hello, has one edge for each process, and kills one that violates
// the protocol. So each fake edge has a process of its own, which connects, says hello, hands the connection over to the test,
// and sleeps until a signal ends it.

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "common/records.hpp"
#include "shm/control.hpp"
#include "shm/segment.hpp"

namespace nuropb::meshd {

/// A process that connects to a Unix socket and does nothing else.
class EdgeProcess {
 public:
  /// `hello`: what the process sends; nothing: it only connects.
  explicit EdgeProcess(const std::string& path, const std::optional<shm::Hello>& hello = {});
  ~EdgeProcess();
  EdgeProcess(const EdgeProcess&) = delete;
  EdgeProcess& operator=(const EdgeProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// The connection. The process itself has closed its copy.
  shm::UniqueFd take_connection() { return std::move(connection_); }
  /// Makes the process connect many more times, soon after the call.
  void connect_again() const;
  /// Ends the process, unless another signal has done so before. Returns the signal that ended it: SIGTERM unless there
  /// was another.
  int end();

 private:
  pid_t pid_ = -1;
  int ended_by_ = 0;
  shm::UniqueFd connection_;
};

/// A record that meshd sent, with the payload that its views point into.
template <class Record>
struct Got {
  shm::RecordHeader header;
  std::unique_ptr<const std::string> payload;
  Record record;
  const Record* operator->() const { return &record; }
};

class FakeEdge {
 public:
  /// Connects and says hello. `run` runs meshd's loop until it is idle.
  FakeEdge(std::function<void()> run, const std::string& path, const std::string& ticket = {},
           std::uint32_t abi = shm::abi);

  /// Nothing if the edge was refused.
  std::optional<shm::Welcome> welcome;
  std::string refusal;

  /// Writes a record, which meshd reads in its next run.
  template <class Record>
  void write(records::Type type, const Record& record, std::uint64_t sequence = 0) {
    std::string payload;
    records::encode(record, payload);
    write_raw(static_cast<std::uint16_t>(type), payload, sequence);
  }
  void write_raw(std::uint16_t type, std::string_view payload, std::uint64_t sequence = 0);

  /// Runs meshd and returns the next record that it has sent, which must be of this type.
  template <class Record>
  Got<Record> next(records::Type type) {
    auto [header, payload] = next_raw(static_cast<std::uint16_t>(type));
    auto kept = std::make_unique<const std::string>(std::move(payload));
    const auto record = records::decode<Record>(*kept);
    if (!record) throw std::runtime_error("a record of type " + std::to_string(header.type) + " can't be decoded");
    return {header, std::move(kept), *record};
  }
  /// Runs meshd. Returns true if there is no unread record.
  bool quiet();
  /// The unread records, without running meshd.
  std::uint64_t unread() { return answers_.depth(); }

  [[nodiscard]] shm::BrokerState broker() const { return segments_->broker(); }
  /// Positions in the request ring: how far meshd has read records, how far it has settled them, and the end of the
  /// written data.
  [[nodiscard]] std::uint64_t taken() const { return segments_->taken(); }
  [[nodiscard]] std::uint64_t settled() const { return segments_->settled(); }
  [[nodiscard]] std::uint64_t written() const { return requests_.tail(); }
  shm::EdgeSegments& segments() { return *segments_; }

  void beat() {
    if (segments_ && beats) segments_->beat();
  }
  bool beats = true;
  void ring() { bell_.ring(); }
  shm::ControlChannel& channel() { return channel_; }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  EdgeProcess& process() { return process_; }

  /// Runs meshd. Returns true if it has closed the connection.
  bool detached();
  /// Like detached(), and meshd has killed the process.
  bool killed();
  /// The signal that ended the process; ends it with SIGTERM if there was none.
  int ended_by() { return process_.end(); }
  /// The process ends and its descriptors are closed, as if another process had killed it.
  void die();

 private:
  std::pair<shm::RecordHeader, std::string> next_raw(std::uint16_t type);

  std::function<void()> run_;
  EdgeProcess process_;
  shm::ControlChannel channel_;
  bool closed_ = false;
  std::optional<shm::EdgeSegments> segments_;
  shm::Doorbell bell_;
  shm::RingWriter requests_;
  shm::RingReader answers_;
};

}  // namespace nuropb::meshd
