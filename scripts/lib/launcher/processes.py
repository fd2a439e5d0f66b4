"""The processes that the launcher keeps running: how they are started, watched and restarted."""

import ctypes
import os
import re
import signal
import subprocess
import time

from launcher.clock import AwakeClock
from launcher.log import say

BACK_OFF_MIN, BACK_OFF_MAX, STEADY_AFTER = 0.1, 10.0, 10.0
BACK_SOON = 0.25  # the longest pause before a process that had been running is restarted, however often it dies
PR_SET_PDEATHSIG = 1
CLOCK = AwakeClock()
libc = ctypes.CDLL(None, use_errno=True)


def how_it_ended(code):
    if code == -signal.SIGSYS:
        return "killed by SIGSYS: it made a system call that it must not make (the kernel's log names it as syscall=NUMBER; an attack, or a bug: docs/tasks/hardening.md)"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def die_with(parent):
    """Runs in the child before exec, so that a killed launcher leaves no orphans."""

    def prepare():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        # Ctrl-C at a terminal reaches all its processes; only the launcher is to act on it.
        os.setpgid(0, 0)
        # Signals that may arrive before its handlers exist: a reload of what it has not read yet.
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)

    return prepare


def abi_of(program):
    """The ABI version of edges and meshd, as reported by the program on disk; None if it can't be run."""
    try:
        said = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\(ABI (\d+)\)", said.stdout)
    return found and int(found[1])


class Worker:
    """One process that is kept running."""

    def __init__(self, name, command, made_from):
        self.name, self.command, self.made_from = name, command, made_from
        self.abi = self.version = None  # of the running process
        self.process = None
        self.started = 0.0
        self.pause = BACK_OFF_MIN
        self.again_at = None  # when to restart it
        self.signs = None  # a pipe for its life signs
        self.last_sign = None

    def start(self):
        """Returns False, and plans another attempt, if it cannot be started (for example while its program is being replaced)."""
        self.again_at = None
        self.started = time.monotonic()
        self.version, self.abi = self.made_from(), abi_of(self.command[0])
        self.last_sign = None
        its_end = None
        try:
            ours, its_end = os.pipe()
            os.set_blocking(ours, False)
            self.signs = open(ours, "rb", buffering=0)  # closes the previous one
            environment = {**os.environ, "NUROPB_LIFE_SIGN_FD": str(its_end)}
            self.process = subprocess.Popen(self.command, preexec_fn=die_with(os.getpid()), stdin=subprocess.DEVNULL, pass_fds=[its_end], env=environment)
        except (OSError, subprocess.SubprocessError) as error:
            self.plan(f"{self.name} can't be started: {self.command[0]}: {getattr(error, 'strerror', None) or error}")
            return False
        finally:
            if its_end is not None:
                os.close(its_end)
        say(f"{self.name} started, pid {self.process.pid}")
        return True

    def look_for_signs(self):
        if self.signs and self.signs.read(65536):  # None if nothing was written
            self.last_sign = CLOCK.now()

    def hangs(self, limit):
        """Whether it has sent life signs, and then none for that many seconds of the launcher's own running time. Signs that were
        sent while the launcher was paused are read first."""
        self.look_for_signs()
        return self.last_sign is not None and CLOCK.now() - self.last_sign > limit

    def running(self):
        return self.process is not None and self.process.poll() is None

    def send(self, number):
        if self.running():
            self.process.send_signal(number)

    def ended(self):
        """Called when the process has ended: plans its restart."""
        code = self.process.returncode
        lived = time.monotonic() - self.started
        self.process = None
        if lived >= STEADY_AFTER:
            self.pause = BACK_OFF_MIN
        self.look_for_signs()
        if self.last_sign is not None:
            self.pause = min(self.pause, BACK_SOON)
        self.plan(f"{self.name} ended after {lived:.1f} s: {how_it_ended(code)}")
        return code

    def ended_in_order(self):
        """Whether it has stopped as requested: a process that was still starting can only end by the signal itself."""
        code = self.process.returncode
        if self.last_sign is None:
            self.look_for_signs()
        return code == 0 or (code == -signal.SIGTERM and self.last_sign is None)

    def plan(self, why):
        say(f"{why}; again in {self.pause:.1f} s", "warning")
        self.again_at = time.monotonic() + self.pause
        self.pause = min(self.pause * 2, BACK_OFF_MAX)

    def kill(self):
        """Kills it permanently. Returns how it ended."""
        self.again_at = None
        self.send(signal.SIGKILL)
        return how_it_ended(self.process.wait()) if self.process else "it was not running"


class Edge(Worker):
    """An edge, which writes its port to a file once it listens."""

    def __init__(self, number, command, folder, made_from):
        self.port_file = folder / f"edge-{number}.port"
        super().__init__(f"edge {number}", [*command, "--port-file", str(self.port_file)], made_from)

    def start(self):
        try:
            self.port_file.unlink(missing_ok=True)
        except OSError as error:
            self.plan(f"{self.name} can't be started: {self.port_file}: {error.strerror}")
            return False
        return super().start()

    def listens(self):
        try:
            return self.running() and self.port_file.read_text().endswith("\n")
        except OSError:
            return False
