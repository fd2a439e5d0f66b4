"""What meshd, an edge and the launcher tell the service manager that started them (sd_notify(3))."""

import os
import signal
import socket

import pytest

from support.launched import Launched
from support.paths import binary
from support.processes import Process
from support.waiting import wait_until


class Manager:
    """As systemd: a socket, and the environment that names it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        # Of other users, too, as edges become where root starts them.
        path.chmod(0o777)
        self.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "4000000"}
        self.said = []

    def heard(self):
        try:
            while True:
                self.said += self.socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            return self.said

    def until(self, line, since=0):
        wait_until(lambda: line in self.heard()[since:], lambda: f"{line}: {self.said[since:]}")

    def events(self):
        """The names of the received notifications, without the periodic ones."""
        return [line.split("=")[0] for line in self.heard() if not line.startswith(("WATCHDOG", "STATUS", "MONOTONIC_USEC"))]


@pytest.fixture
def manager(folder):
    return Manager(folder / "notify")


def goes_through_its_life(manager, process):
    manager.until("READY=1")
    manager.until("WATCHDOG=1")
    process.signal(signal.SIGHUP)
    manager.until("RELOADING=1")
    wait_until(lambda: manager.events() == ["READY", "RELOADING", "READY"], lambda: f"{manager.said}")
    # One that hangs gives no sign, and one that goes on does again.
    process.signal(signal.SIGSTOP)
    manager.heard()
    so_far = len(manager.said)
    process.signal(signal.SIGCONT)
    manager.until("WATCHDOG=1", so_far)
    process.signal(signal.SIGTERM)
    manager.until("STOPPING=1")
    assert process.stop() == 0
    assert manager.events() == ["READY", "RELOADING", "READY", "STOPPING"]


@pytest.mark.parametrize("program", ["nuropb-meshd", "nuropb-edge"])
def test_a_program_that_is_started_by_itself(folder, manager, program):
    gateway = Launched(folder, "amqp://guest:guest@127.0.0.1:1/", gateway={"mesh": "loopback"})
    os.chmod(folder, 0o755)
    goes_through_its_life(manager, Process(program, [binary(program), "--config", gateway.config], folder, manager.environment))


def test_the_launcher(folder, manager):
    gateway = Launched(folder, "amqp://guest:guest@127.0.0.1:1/", words=["--mesh", "loopback"])
    gateway.start(environment=manager.environment)
    goes_through_its_life(manager, gateway.process)
    assert len([line for line in manager.said if line.startswith("READY")]) == 2, "its children say nothing there"
