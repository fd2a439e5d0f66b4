#pragma once
// Where lines of the log end: standard error, or the file that log.file names, of whatever kind it is (a regular file, a
// device, a FIFO, a terminal). Used by programs without a LogWriter, and by the LogWriter.
//
// A line that can't be written is given up, and the caller learns why. Nothing here asks the kernel for more than open,
// write, send and poll: those calls are in the sandbox's tables for each kind of file.
//
// Not for several threads at once.

#include <string>
#include <string_view>

#include "common/result.hpp"

namespace nuropb::log {

class Output {
 public:
  /// The empty name, /dev/stderr and /dev/stdout are the descriptors that the process has already.
  static Result<Output> open(const std::string& file);
  Output(Output&& other) noexcept;
  Output& operator=(Output&& other) noexcept;
  ~Output();

  /// Whether put() may wait until there is room again. Without waiting, a line for a pipe or terminal that we share
  /// with other processes is cut to PIPE_BUF bytes, because a longer one could not be written without waiting.
  enum class Wait { no, yes };
  /// `line` ends with a newline. 0, or the error number for which it is not in the log, or not as a whole.
  int put(std::string_view line, Wait wait);

  /// Opens the file of this name again: after a rotation it is another one. On failure the former one stays in use.
  Result<void> reopen();

  [[nodiscard]] int fd() const { return fd_; }
  /// A send to a socket can be told not to wait. journald, which gives services one, knows by it which process wrote a line.
  [[nodiscard]] bool is_socket() const { return is_socket_; }

 private:
  Output(std::string file, int fd);
  int write_some(std::string_view bytes, Wait wait, std::size_t& written);

  std::string file_;  // empty where the descriptor is not ours to close
  int fd_ = -1;
  bool is_socket_ = false;
  bool shared_pipe_ = false;  // it may be blocking, and must not be made non-blocking for those who share it
  bool cut_ = false;          // the last line is not complete, so the next one begins with a newline
};

}  // namespace nuropb::log
