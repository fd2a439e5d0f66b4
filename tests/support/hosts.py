"""Hosts of a network, each a network namespace: a bridge that is the cable between them, and one end of it in each.

The bridge is in a namespace of its own, too: nothing is seen of it outside, and nothing is left where a test run is killed.
"""

import ctypes
import os
import socket
import subprocess
from contextlib import contextmanager

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def _ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Host:
    """A host: a network namespace with its processes and its link to the bridge."""

    def __init__(self, name, address, network):
        self.name, self.address, self._network = name, address, network
        self._holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout.readline() == "up\n"
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(self._holder.pid))
        _ip("link", "set", name, "master", "cable", "up")
        self.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")

    def command(self, *words):
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", *map(str, words)]

    def run(self, *words):
        return subprocess.run(self.command(*words), check=True, capture_output=True, text=True, timeout=60).stdout

    def cut_off(self):
        with self._network.inside():
            _ip("link", "set", self.name, "down")

    def connect(self):
        with self._network.inside():
            _ip("link", "set", self.name, "up")

    def end(self):
        self._holder.kill()
        self._holder.wait(10)
        self._holder.stdout.close()


class Network:
    """`with Network() as network: network.host("one", "10.77.0.11")`. Who connects or listens there by `network`, does so at `address`."""

    address = "10.77.0.1"

    def __init__(self):
        self.why_not = "needs root" if os.geteuid() != 0 else None
        self._hosts, self._outside, self._inside = [], None, None

    def __enter__(self):
        if self.why_not:
            return self
        self._outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if _libc.unshare(_CLONE_NEWNET) != 0:
            self.why_not = f"no network namespace is to be had here: {os.strerror(ctypes.get_errno())}"
            return self
        self._inside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._move(self._outside)
        try:
            with self.inside():
                _ip("link", "set", "lo", "up")
                _ip("link", "add", "cable", "type", "bridge")
                _ip("address", "add", f"{self.address}/24", "dev", "cable")
                _ip("link", "set", "cable", "up")
        except (OSError, subprocess.CalledProcessError) as error:
            self.why_not = f"no bridge is to be had here: {getattr(error, 'stderr', error)}"
        return self

    def _move(self, namespace):
        if _libc.setns(namespace, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    @contextmanager
    def inside(self):
        """Moves this thread into the namespace for a while: sockets that it creates and processes that it starts belong to it."""
        self._move(self._inside)
        try:
            yield
        finally:
            self._move(self._outside)

    def host(self, name, address):
        with self.inside():
            self._hosts.append(Host(name, address, self))
        return self._hosts[-1]

    def listen(self, port):
        with self.inside():
            return socket.create_server((self.address, port))

    def connect(self, address, port, timeout=1.0):
        with self.inside():
            made = socket.create_connection((address, port), timeout)
        made.setblocking(False)
        return made

    def __exit__(self, *_):
        for host in self._hosts:
            host.end()
        for namespace in (self._outside, self._inside):
            if namespace is not None:
                os.close(namespace)
