#pragma once
// The process beside meshd, and beside each edge, that writes their lines where the log is. A write can take as long as it
// likes there: a pipe that nothing reads, a terminal that was stopped, a disk that hangs. The process whose lines they are
// hands each one over by a send that never waits, and counts what finds no room.
//
// A process and not a thread, because an edge has none but its own; because lines that were handed over are still written
// when the process that wrote them is killed; and because an edge may open no file, while after a rotation the log file has
// to be opened again (log::reopen()).
//
// There is none where the log is a socket (Output::is_socket()): a send to that never waits.
//
// The messages, one for each send on a SOCK_SEQPACKET pair: a line with its newline; "R" (open the file again). Back come
// totals of lines that could not be written, as std::uint64_t.

#include <memory>
#include <string>
#include <utility>

#include "common/log.hpp"
#include "common/log_output.hpp"
#include "common/result.hpp"

namespace nuropb::log {

class Writer final : public Sink {
 public:
  /// Forks: call it while the process has one thread and has opened nothing that the writer should not have.
  static Result<std::unique_ptr<Writer>> start(const Settings& settings, Output output, bool seccomp);
  /// Waits a moment until all lines are written, so that a process which sees this one end has seen its last line.
  ~Writer() override;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  int put(const std::string& line) override;
  void reopen() override;
  std::uint64_t lost() override;

 private:
  Writer(int socket, Output fallback) : socket_(socket), fallback_(std::move(fallback)) {}

  void say_reopen();

  int socket_;
  bool reopen_due_ = false;
  bool gone_ = false;  // the writer's process was killed
  Output fallback_;    // standard error, for what comes after that
  std::uint64_t lost_ = 0;
};

}  // namespace nuropb::log
