#include "meshd/ctl/top.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <optional>

#include "meshd/ctl/figures.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::ctl {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

/// The terminal while `top` uses it: alternate screen, no cursor, unbuffered keys. The destructor restores it.
class Terminal {
 public:
  Terminal() : out_(::isatty(STDOUT_FILENO) == 1) {
    if (!out_) return;
    if (::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
      in_ = true;
      termios raw = before_;
      raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    std::cout << "\x1b[?1049h\x1b[?25l" << std::flush;
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    if (out_) std::cout << "\x1b[?25h\x1b[?1049l" << std::flush;
    if (in_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }

  [[nodiscard]] bool has_keys() const { return in_; }
  void draw(const std::vector<std::string>& lines) const {
    if (!out_) {
      for (const std::string& line : lines) std::cout << line << '\n';
      std::cout << '\n' << std::flush;
      return;
    }
    const winsize size = this->size();
    std::cout << "\x1b[H";
    for (std::size_t i = 0; i < lines.size() && (size.ws_row == 0 || i + 1 < size.ws_row); ++i)
      std::cout << lines[i] << "\x1b[K\n";
    std::cout << "\x1b[J" << std::flush;
  }
  [[nodiscard]] std::size_t width() const {
    const winsize size = this->size();
    return !out_ || size.ws_col == 0 ? 200 : size.ws_col;
  }

 private:
  [[nodiscard]] static winsize size() {
    winsize out{};
    ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &out);
    return out;
  }
  bool out_, in_ = false;
  termios before_{};
};

/// Stop signals arrive on a descriptor, so that the terminal is restored before the program ends.
class Stop {
 public:
  Stop() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, number);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    fd_ = shm::UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC));
  }
  /// Waits until `until`. Returns true if the program should stop: a signal, q, or the output was closed.
  bool wait(Clock::time_point until, bool keys) const {
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
      pollfd fds[3] = {{fd_.get(), POLLIN, 0}, {STDOUT_FILENO, 0, 0}, {STDIN_FILENO, POLLIN, 0}};
      if (::poll(fds, keys ? 3 : 2, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) <= 0) return false;
      if (fds[0].revents != 0 || (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) return true;
      char key = 0;
      if (fds[2].revents != 0 && (::read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == 4))
        return true;
    }
  }

 private:
  shm::UniqueFd fd_;
};

}  // namespace

int top(const Invocation& invocation, const Top& options) {
  const auto interval = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.interval_s));
  json before;
  auto asked = Clock::now();
  auto first = ask(invocation.config, "status", json::object());
  if (!first) return fail(not_done, first.error());
  before = std::move(*first);
  const Stop stop;
  std::optional<Terminal> terminal;
  if (!invocation.json) terminal.emplace();
  const std::uint64_t most = options.once ? 1 : options.count;
  if (terminal && most == 0) terminal->draw(screen(before, {}, {}, terminal->width()));
  for (std::uint64_t drawn = 0; most == 0 || drawn < most; ++drawn) {
    if (stop.wait(asked + interval, terminal && terminal->has_keys())) break;
    const double seconds = std::chrono::duration<double>(Clock::now() - asked).count();
    asked = Clock::now();
    auto now = ask(invocation.config, "status", json::object());
    if (!now) {
      // meshd may be restarting, which the user wants to observe.
      if (most != 0) {
        terminal.reset();
        return fail(not_done, now.error());
      }
      if (terminal) terminal->draw({"no answer, looking again: " + now.error().text()});
      else std::cout << written({{"error", now.error().text()}}) << std::endl;
      before = nullptr;
      continue;
    }
    const json rated = rates(before, *now, seconds), measured = latencies(before, *now);
    if (terminal) {
      terminal->draw(screen(*now, rated, measured, terminal->width()));
    } else {
      json line = *now;
      line["rates"] = rated;
      line["latencies"] = measured;
      std::cout << written(line) << std::endl;
    }
    if (!std::cout) return done;  // the output was closed
    before = std::move(*now);
  }
  return done;
}

}  // namespace nuropb::ctl
