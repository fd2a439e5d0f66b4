#pragma once
// The helper process of meshd and of each edge that writes their log lines. A write can block for any time: a pipe that
// nothing reads, a stopped terminal, a hung disk. The main process hands each line over by a send that never blocks,
// and counts the lines that find no room.
//
// It is a process and not a thread because an edge has only one thread, because lines that were handed over are still
// written after the main process has been killed, and because an edge may not open files, while the log file must be
// reopened after a rotation (log::reopen()).
//
// No helper is started if the log is a socket (Output::is_socket()): a send to it never blocks.
//
// Each message on the SOCK_SEQPACKET pair is a line with its newline, or "R" (reopen the file). The helper replies with
// running totals of lines that could not be written, as std::uint64_t.

#include <memory>
#include <string>
#include <utility>

#include "common/log.hpp"
#include "common/log_output.hpp"
#include "common/result.hpp"

namespace nuropb::log {

class Writer final : public Sink {
 public:
  /// Forks. Call it while the process has one thread and has opened nothing that the helper must not inherit.
  static Result<std::unique_ptr<Writer>> start(const Settings& settings, Output output, bool seccomp);
  /// Waits a short time until all lines are written, so that the last line is in the log before this process ends.
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
  // The helper process was killed.
  bool gone_ = false;
  // Standard error, for lines after that.
  Output fallback_;
  std::uint64_t lost_ = 0;
};

}  // namespace nuropb::log
