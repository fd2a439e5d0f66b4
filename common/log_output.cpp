#include "common/log_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace nuropb::log {
namespace {

constexpr mode_t permissions = 0666;  // reduced by the umask

/// The matching descriptor if the process already has it, or -1 if the name must be opened. A socket, as journald gives
/// it to a service, cannot be opened by the names below /dev.
int inherited(const std::string& file) {
  if (file.empty() || file == "/dev/stderr" || file == "/dev/fd/2" || file == "/proc/self/fd/2") return STDERR_FILENO;
  if (file == "/dev/stdout" || file == "/dev/fd/1" || file == "/proc/self/fd/1") return STDOUT_FILENO;
  return -1;
}

int open_file(const std::string& file) {
  // The open file description is ours alone, so it may be non-blocking. Otherwise opening a FIFO without a reader
  // blocks.
  constexpr int flags = O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | flags, permissions);
  if (fd >= 0 || errno != ENXIO) return fd;
  return ::open(file.c_str(), O_RDWR | flags);  // a FIFO without a reader: we open both ends, and read nothing
}

}  // namespace

Output::Output(std::string file, int fd) : file_(std::move(file)), fd_(fd) {
  struct stat is{};
  if (::fstat(fd_, &is) != 0) return;
  is_socket_ = S_ISSOCK(is.st_mode);
  shared_pipe_ = file_.empty() && (S_ISFIFO(is.st_mode) || S_ISCHR(is.st_mode));
}

Output::Output(Output&& other) noexcept
    : file_(std::move(other.file_)),
      fd_(std::exchange(other.fd_, -1)),
      is_socket_(other.is_socket_),
      shared_pipe_(other.shared_pipe_),
      cut_(other.cut_) {}

Output& Output::operator=(Output&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(fd_, other.fd_);
  std::swap(is_socket_, other.is_socket_);
  std::swap(shared_pipe_, other.shared_pipe_);
  std::swap(cut_, other.cut_);
  return *this;
}

Output::~Output() {
  if (!file_.empty() && fd_ >= 0) ::close(fd_);
}

Result<Output> Output::open(const std::string& file) {
  if (const int fd = inherited(file); fd >= 0) return Output("", fd);
  const int fd = open_file(file);
  if (fd < 0) return failure(std::string("can't be opened: ") + std::strerror(errno), file, "log.file names it");
  return Output(file, fd);
}

Result<void> Output::reopen() {
  if (file_.empty()) return {};
  auto next = open(file_);
  if (!next) return tl::unexpected(next.error());
  *this = std::move(*next);
  return {};
}

int Output::write_some(std::string_view bytes, Wait wait, std::size_t& written) {
  while (written < bytes.size()) {
    if (shared_pipe_ && wait == Wait::no) {
      pollfd room{fd_, POLLOUT, 0};
      const int ready = ::poll(&room, 1, 0);
      if (ready == 0 || (ready > 0 && (room.revents & (POLLOUT | POLLERR | POLLHUP | POLLNVAL)) == 0)) return EAGAIN;
    }
    const char* const at = bytes.data() + written;
    const std::size_t left = bytes.size() - written;
    const ssize_t n = is_socket_ ? ::send(fd_, at, left, MSG_NOSIGNAL | (wait == Wait::no ? MSG_DONTWAIT : 0))
                                 : ::write(fd_, at, left);
    if (n > 0) {
      written += static_cast<std::size_t>(n);
    } else if (n == 0) {
      return EIO;
    } else if (errno == EAGAIN) {
      if (wait == Wait::no) return EAGAIN;
      pollfd room{fd_, POLLOUT, 0};
      (void)::poll(&room, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

int Output::put(std::string_view line, Wait wait) {
  std::string changed;
  if (wait == Wait::no && shared_pipe_ && line.size() + (cut_ ? 1 : 0) > PIPE_BUF) {
    changed = std::string(line.substr(0, PIPE_BUF - 2)) + '\n';
    line = changed;
  }
  if (cut_) {
    changed = '\n' + std::string(line);
    line = changed;
  }
  std::size_t written = 0;
  const int error = write_some(line, wait, written);
  if (written > 0) cut_ = written < line.size();
  return error;
}

}  // namespace nuropb::log
