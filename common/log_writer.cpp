#include "common/log_writer.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "common/sandbox.hpp"

namespace nuropb::log {
namespace {

constexpr std::size_t longest_line = 1U << 16;
constexpr std::string_view open_again = "R";
constexpr int queued_bytes = 1 << 20;  // the kernel uses less if net.core.wmem_max is smaller
constexpr int retry_ms = 1000;
constexpr unsigned linger_s = 2;  // to write what was handed over before the main process ended
constexpr auto longest_goodbye = std::chrono::seconds(1);

void end_soon(int) { ::alarm(linger_s); }  // SIGALRM's default action ends a process that is blocked in a write

/// The main loop of the helper process.
class Serving {
 public:
  Serving(int socket, Settings settings, Output output)
      : socket_(socket), settings_(std::move(settings)), output_(std::move(output)) {}

  [[noreturn]] void run() {
    std::vector<char> buffer(longest_line + 1);
    for (;;) {
      pollfd wait{socket_, POLLIN, 0};
      if (::poll(&wait, 1, unsaid_ > 0 ? retry_ms : -1) == 0) {
        if (!say_what_was_lost()) report();
        continue;
      }
      const ssize_t n = ::recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n <= 0) break;
      const std::string_view message(buffer.data(), static_cast<std::size_t>(n));
      if (message == open_again) reopen();
      else write(message);
    }
    say_what_was_lost();
    ::_exit(0);
  }

 private:
  void reopen() {
    if (const auto done = output_.reopen(); !done)
      write(render_now(settings_, Level::error, "the log file could not be reopened; the previous one stays in use",
                       {{"reason", done.error().text()}}) +
            '\n');
  }

  void write(std::string_view line) {
    if (unsaid_ > 0 && !say_what_was_lost()) return lose(error_);
    if (const int error = output_.put(line, Output::Wait::yes); error != 0) lose(error);
  }

  void lose(int error) {
    error_ = error;
    ++unsaid_;
    ++lost_;
    report();
  }

  void report() { (void)!::send(socket_, &lost_, sizeof lost_, MSG_DONTWAIT | MSG_NOSIGNAL); }

  bool say_what_was_lost() {
    if (unsaid_ == 0) return true;
    const std::string line = render_dropped(settings_, unsaid_, std::strerror(error_));
    if (const int error = output_.put(line, Output::Wait::yes); error != 0) {
      error_ = error;
      return false;
    }
    unsaid_ = 0;
    report();
    return true;
  }

  int socket_;
  Settings settings_;
  Output output_;
  std::uint64_t unsaid_ = 0, lost_ = 0;
  int error_ = 0;
};

[[noreturn]] void serve(int socket, pid_t parent, const Settings& settings, Output output, bool seccomp) {
  // The helper must outlive the process whose lines it writes: a Ctrl-C reaches both, and systemd stops both.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR2}) ::signal(number, SIG_IGN);
  ::signal(SIGUSR1, end_soon);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0);
  if (::getppid() != parent) end_soon(SIGUSR1);  // the parent has already ended
  ::prctl(PR_SET_NAME, "nuropb-log", 0, 0, 0);
  // Closes every other descriptor: an inherited listening socket would keep its port in use.
  const std::pair<int, int> keep = std::minmax(socket, std::max(output.fd(), STDERR_FILENO));
  if (keep.first > STDERR_FILENO + 1) ::close_range(STDERR_FILENO + 1, static_cast<unsigned>(keep.first) - 1, 0);
  if (keep.second > keep.first + 1)
    ::close_range(static_cast<unsigned>(keep.first) + 1, static_cast<unsigned>(keep.second) - 1, 0);
  ::close_range(static_cast<unsigned>(std::max(keep.second, STDERR_FILENO)) + 1, ~0U, 0);
  // The C library reads the time zone on first use, before the sandbox forbids it.
  (void)render_dropped(settings, 1, std::strerror(ENOSPC));
  if (!sandbox::give_up(false, false)) ::_exit(1);
  if (seccomp && !sandbox::allow_only(sandbox::Role::log_writer)) ::_exit(1);
  Serving(socket, settings, std::move(output)).run();
}

}  // namespace

Result<std::unique_ptr<Writer>> Writer::start(const Settings& settings, Output output, bool seccomp) {
  auto fallback = Output::open("");
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return failure(std::string("cannot create sockets for the log writer: ") + std::strerror(errno));
  ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &queued_bytes, sizeof queued_bytes);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    serve(ends[1], parent, settings, std::move(output), seccomp);
  }
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    return failure(std::string("cannot fork the log writer: ") + std::strerror(errno));
  }
  return std::unique_ptr<Writer>(new Writer(ends[0], std::move(*fallback)));
}

Writer::~Writer() {
  ::shutdown(socket_, SHUT_WR);
  const auto until = std::chrono::steady_clock::now() + longest_goodbye;
  for (char ignored[64];;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    pollfd wait{socket_, POLLIN, 0};
    if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) == 0) break;
    const ssize_t n = ::recv(socket_, ignored, sizeof ignored, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) break;
  }
  ::close(socket_);
}

int Writer::put(const std::string& line) {
  if (gone_) return fallback_.put(line, Output::Wait::no);
  std::string shorter;
  if (line.size() > longest_line) shorter = line.substr(0, longest_line - 1) + '\n';
  const std::string& whole = shorter.empty() ? line : shorter;
  say_reopen();
  for (;;) {
    if (::send(socket_, whole.data(), whole.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return 0;
    if (errno == EINTR) continue;
    if (errno != EPIPE && errno != ECONNRESET) return errno;
    gone_ = true;
    return fallback_.put(line, Output::Wait::no);
  }
}

void Writer::reopen() {
  reopen_due_ = true;
  say_reopen();
}

/// If the send finds no room, the next call tries again: a rotation must not be lost.
void Writer::say_reopen() {
  if (reopen_due_ && ::send(socket_, open_again.data(), open_again.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
    reopen_due_ = false;
}

std::uint64_t Writer::lost() {
  say_reopen();
  std::uint64_t total = 0;
  while (!gone_ && ::recv(socket_, &total, sizeof total, MSG_DONTWAIT) == static_cast<ssize_t>(sizeof total))
    lost_ = total;
  return lost_;
}

}  // namespace nuropb::log
