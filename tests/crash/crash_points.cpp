#include "common/crash_points.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace nuropb::crash {
namespace {

constexpr unsigned none = static_cast<unsigned>(Point::count_);
std::atomic<unsigned> armed{none};
std::atomic<unsigned> left{0};

/// Set from the environment before main().
const bool from_environment = [] {
  const char* const text = std::getenv("NUROPB_CRASH_AT");
  if (!text) return false;
  const std::string word(text);
  const auto colon = word.find(':');
  for (unsigned point = 0; point < none; ++point) {
    if (name_of(static_cast<Point>(point)) != word.substr(0, colon)) continue;
    arm(static_cast<Point>(point),
        colon == std::string::npos ? 1U : static_cast<unsigned>(std::strtoul(word.c_str() + colon + 1, nullptr, 10)));
    return true;
  }
  std::fprintf(stderr, "NUROPB_CRASH_AT: there is no point '%s'\n", text);
  std::abort();
}();

}  // namespace

// clang-format off
std::string_view name_of(Point point) {
  switch (point) {
#define NUROPB_POINT_CASE(name) \
  case Point::name: return #name;
    NUROPB_RING_POINTS(NUROPB_POINT_CASE) NUROPB_MESHD_POINTS(NUROPB_POINT_CASE) NUROPB_EDGE_POINTS(NUROPB_POINT_CASE)
#undef NUROPB_POINT_CASE
    case Point::count_: break;
  }
  return "none";
}
// clang-format on

void arm(Point point, unsigned times) {
  left = times;
  armed = static_cast<unsigned>(point);
}

void reached(Point point) {
  if (armed.load(std::memory_order_relaxed) != static_cast<unsigned>(point) ||
      left.fetch_sub(1, std::memory_order_relaxed) != 1)
    return;
  // Sent to its own thread, which the sandbox allows; the whole process ends without executing another instruction of
  // ours.
  for (;;) ::syscall(SYS_tgkill, ::getpid(), static_cast<pid_t>(::syscall(SYS_gettid)), SIGKILL);
}

}  // namespace nuropb::crash
