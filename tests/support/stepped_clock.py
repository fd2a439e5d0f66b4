"""A wall clock that a test can set, for one process alone: its clock_gettime() is ours (LD_PRELOAD), and adds to the wall clock
what stands in a file. The monotonic clock is the kernel's, as it is where an administrator sets the real one."""

import mmap
import struct
import subprocess

SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long long* step;  /* seconds */

/* Before the process gives up to open files. */
__attribute__((constructor)) static void begin(void) {
  const char* const file = getenv("NUROPB_TEST_CLOCK");
  const int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
  void* const mapped = fd >= 0 ? mmap(0, sizeof *step, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (mapped != MAP_FAILED) step = mapped;
  if (fd >= 0) close(fd);
}

int clock_gettime(clockid_t which, struct timespec* out) {
  const int done = (int)syscall(SYS_clock_gettime, which, out);
  if (done == 0 && step && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) out->tv_sec += *step;
  return done;
}

int gettimeofday(struct timeval* out, void* zone) {
  struct timespec now;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
"""


class SteppedClock:
    def __init__(self, folder):
        source, self.library, self.file = folder / "clock.c", folder / "clock.so", folder / "clock"
        source.write_text(SOURCE)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", self.library, source], check=True, capture_output=True)
        self.file.write_bytes(bytes(8))
        with open(self.file, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)

    def environment(self):
        return {"LD_PRELOAD": str(self.library), "NUROPB_TEST_CLOCK": str(self.file)}

    def set(self, seconds):
        """Sets the offset of the wall clock from now on."""
        self._memory[:] = struct.pack("=q", seconds)
