#include "shm/doorbell.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/crash_points.hpp"

namespace nuropb::shm {
namespace {

/// Size of a pipe: room for thousands of wake-ups, and a bound for what the other side can make the kernel copy while
/// it holds the pipe's lock.
constexpr int one_page = 4096;

bool make_pipe(std::array<int, 2>& ends) {
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return false;
  if (::fcntl(ends[1], F_SETPIPE_SZ, one_page) > 0) return true;
  for (const int end : ends) ::close(end);
  return false;
}

}  // namespace

Result<std::pair<Doorbell, Doorbell>> Doorbell::pair() {
  std::array<int, 2> there{}, back{};  // each: the reading end, the writing end
  const auto no_pipe = [] { return failure(std::string("no pipe: ") + std::strerror(errno), "doorbell"); };
  if (!make_pipe(there)) return no_pipe();
  UniqueFd there_heard(there[0]), there_rung(there[1]);
  if (!make_pipe(back)) return no_pipe();
  return std::pair{Doorbell(UniqueFd(back[0]), std::move(there_rung)),
                   Doorbell(std::move(there_heard), UniqueFd(back[1]))};
}

void Doorbell::ring() {
  const char bell = 1;
  NUROPB_CRASH_POINT(bell_to_be_rung);
  (void)!::write(rung_.get(), &bell, 1);
  NUROPB_CRASH_POINT(bell_rung);
}

std::optional<int> Doorbell::hear() {
  std::array<char, at_once> bells;
  const ssize_t n = ::read(heard_.get(), bells.data(), bells.size());
  if (n > 0) return static_cast<int>(n);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  return {};
}

bool Doorbell::wait() {
  if (!waits_) {
    const int flags = ::fcntl(heard_.get(), F_GETFL);
    if (flags < 0 || ::fcntl(heard_.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) return false;
    waits_ = true;
  }
  return hear().has_value();
}

}  // namespace nuropb::shm
