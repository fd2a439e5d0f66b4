#pragma once
// Writes log lines to standard error or to the file that log.file names, of whatever type (regular file, device, FIFO,
// terminal). Used by programs without a LogWriter, and by the LogWriter itself.
//
// A line that cannot be written is dropped, and the caller learns why. The only system calls are open, write, send and
// poll, which the sandbox permits for each type of file.
//
// Not thread-safe.

#include <string>
#include <string_view>

#include "common/result.hpp"

namespace nuropb::log {

class Output {
 public:
  /// The empty name, /dev/stderr and /dev/stdout mean descriptors that the process already has.
  static Result<Output> open(const std::string& file);
  Output(Output&& other) noexcept;
  Output& operator=(Output&& other) noexcept;
  ~Output();

  /// Whether put() may wait for room. Without waiting, a line for a pipe or terminal that is shared with other
  /// processes is cut to PIPE_BUF bytes, because a longer write could block.
  enum class Wait { no, yes };
  /// `line` ends with a newline. Returns 0, or the errno for which the line is not, or only partly, in the log.
  int put(std::string_view line, Wait wait);

  /// Opens the file of this name again, after a rotation. On failure the previous file stays in use.
  Result<void> reopen();

  [[nodiscard]] int fd() const { return fd_; }
  /// A send to a socket can be non-blocking per call. journald gives services a socket and identifies the writing
  /// process by it.
  [[nodiscard]] bool is_socket() const { return is_socket_; }

 private:
  Output(std::string file, int fd);
  int write_some(std::string_view bytes, Wait wait, std::size_t& written);

  // Empty if the descriptor is not ours to close.
  std::string file_;
  int fd_ = -1;
  bool is_socket_ = false;
  // The pipe may be blocking and must not be made non-blocking, because other processes share it.
  bool shared_pipe_ = false;
  // The last line is incomplete, so the next one begins with a newline.
  bool cut_ = false;
};

}  // namespace nuropb::log
