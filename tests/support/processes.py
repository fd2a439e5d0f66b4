"""Child processes that never outlive the tests, and whose output is printed when a test fails."""

import ctypes
import os
import re
import signal
import subprocess
from pathlib import Path

from .waiting import DEFAULT_TIMEOUT, wait_until

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One child; stdout and stderr go to one file. Start only from the main thread: the kernel ends the child when the
    thread that made it ends."""

    everything = []  # all that were started in this test run, newest last; conftest prints their logs on failure

    def __init__(self, name, command, folder, environment=None):
        self.name = name
        self.log_file = Path(folder) / f"{name}.log"
        self.killed = False  # by the test, so its exit code is not checked
        self.shown = False  # used by conftest: its end was reported with an earlier test
        self._log = open(self.log_file, "ab")
        self.log_start = self.log_file.stat().st_size  # a restarted process appends to its predecessor's file
        self.popen = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            preexec_fn=_die_with_parent,
        )
        Process.everything.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def stopped(self):
        """By SIGSTOP."""
        return Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "Tt"

    def descriptors(self):
        """{descriptor: target}, without those that are closed meanwhile."""
        found = {}
        for fd in Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                found[int(fd.name)] = os.readlink(fd)
            except FileNotFoundError:
                pass
        return found

    def log(self):
        """What this process has written so far."""
        try:
            with open(self.log_file, "rb") as file:
                file.seek(self.log_start)
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def wait_for_log(self, pattern, timeout=DEFAULT_TIMEOUT, may_end=False):
        """Waits for a line that matches and returns the match."""
        def found():
            match = re.search(pattern, self.log(), re.MULTILINE)
            if not match and not may_end and not self.running():
                raise AssertionError(f"{self.name} ended with {self.popen.returncode} before /{pattern}/:\n{self.tail()}")
            return match
        return wait_until(found, lambda: f"/{pattern}/ in the log of {self.name}:\n{self.tail()}", timeout)

    def tail(self, lines=80):
        return "\n".join(self.log().splitlines()[-lines:])

    def signal(self, number):
        if self.running():
            self.popen.send_signal(number)
            if number == signal.SIGSTOP:  # which takes its time on a busy machine
                wait_until(lambda: self.stopped() or not self.running(), lambda: f"{self.name} stands still")

    def kill(self):
        """Like a crash: no handler runs."""
        self.killed = True
        self.signal(signal.SIGKILL)
        self.popen.wait(30)

    def stop(self, timeout=40.0):
        """Like systemd: SIGTERM, then SIGKILL if the process does not end. Returns the exit code."""
        if self.running():
            self.signal(signal.SIGTERM)
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        self._log.close()
        return self.popen.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
