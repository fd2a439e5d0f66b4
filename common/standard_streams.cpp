#include "common/standard_streams.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "common/log_output.hpp"

namespace nuropb {

namespace {
constexpr int longest_wait_ms = 1000;
}

void keep_standard_descriptors() {
  for (;;) {
    const int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    if (fd > STDERR_FILENO) {
      ::close(fd);
      return;
    }
    (void)::fcntl(fd, F_SETFD, 0);  // inherited by programs that this one starts
  }
}

void complain(std::string_view text) {
  auto output = log::Output::open("");
  if (!output) return;
  int wait_ms = longest_wait_ms;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    pollfd room{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&room, 1, wait_ms) == 0) wait_ms = 0;
    (void)output->put(std::string(text.substr(0, end)) + '\n', log::Output::Wait::no);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace nuropb
