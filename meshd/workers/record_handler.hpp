#pragma once
// What is done with the records that edges write into their request rings. The turns read the rings (turn_scheduler.hpp) and know
// nothing of records; the implementation is routing/record_dispatcher.hpp.

#include <string>
#include <utility>

#include "meshd/workers/worker.hpp"
#include "shm/ring.hpp"

namespace nuropb::meshd {

/// What came of one record.
class [[nodiscard]] RecordResult {
 public:
  /// It is settled: should meshd die now, the edge need not send it again.
  static RecordResult handled() { return RecordResult(State::handled); }
  /// It is on its way to the broker, and is settled once the broker has said what became of it (Worker::begin_work).
  static RecordResult in_flight() { return RecordResult(State::in_flight); }
  /// No honest edge writes that: its worker is ended.
  static RecordResult violation(std::string why) { return {State::violation, std::move(why)}; }

  [[nodiscard]] bool is_handled() const { return state_ == State::handled; }
  [[nodiscard]] bool is_violation() const { return state_ == State::violation; }
  /// Of a violation.
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  enum class State : std::uint8_t { handled, in_flight, violation };
  explicit RecordResult(State state) : state_(state) {}
  RecordResult(State state, std::string why) : state_(state), why_(std::move(why)) {}
  State state_;
  std::string why_;
};

class RecordHandler {
 public:
  virtual ~RecordHandler() = default;
  /// One record, of a type and length that an edge may write. The caller settles it, or ends the worker.
  virtual RecordResult handle(Worker& worker, const shm::RecordHeader& header, const std::string& payload) = 0;
  /// Hands what was read until now to the mesh, as far as that has room.
  virtual void publish_read() = 0;
  /// Tries again with what the mesh had no room for.
  virtual void publish_waiting() = 0;
  /// Whether something still waits for room there. Nothing is read from the rings until it has gone.
  [[nodiscard]] virtual bool congested() const = 0;
};

}  // namespace nuropb::meshd
