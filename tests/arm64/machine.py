#!/usr/bin/env python3
"""The gateway on a kernel of arm64, with its lists of system calls: scripts/lib/arm64-machine runs this there. No broker: every
method of every service echoes its parameters (gateway.mesh = "loopback"). Python's standard library alone.

usage: tests/arm64/machine.py
"""

import errno
import platform
import pwd
import signal
import socket
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "scripts" / "lib")]

from support import tracing  # noqa: E402
from support.gateway import Gateway  # noqa: E402
from support.waiting import wait_until  # noqa: E402
from wsclient import WebSocket  # noqa: E402

# What ends an edge, and meshd, on any machine; tests/integration/gateway/test_privilege.py has more of it.
FORBIDDEN_TO_EDGES = {"execve": (), "clone": (int(signal.SIGCHLD),), "socket": (socket.AF_INET, socket.SOCK_STREAM, 0), "listen": (3, 1),
                      "mmap": (0, 4096, 7, 0x22, -1, 0), "kill": (1, 0), "process_vm_readv": (1,)}
FORBIDDEN_TO_MESHD = {"execve": (), "clone": (int(signal.SIGCHLD),), "listen": (3, 1), "ptrace": (16, 1)}
SETTINGS = {"gateway": {"mesh": "loopback"}}


def gateway(edges=1):
    return Gateway("amqp://guest:guest@127.0.0.1:1/", edges=edges, settings=SETTINGS)


def echoed(url, text):
    consumer = WebSocket(url, "secret-ann")
    hello, answer = consumer.receive(), consumer.request("demo", "echo", {"text": text})
    consumer.close()
    assert hello["payload"]["topic"] == "hello", hello
    assert answer["payload"]["error"] is None and answer["payload"]["result"] == {"text": text}, str(answer)[:500]


def test_a_round_trip_while_either_process_is_replaced():
    with gateway() as running:
        edge = running.edges[0]
        status = Path(f"/proc/{edge.process.pid}/status").read_text()
        assert "Seccomp:\t2\n" in status and f"Uid:\t{pwd.getpwnam('nobody').pw_uid}\t" in status, status
        assert "Seccomp:\t2\n" in Path(f"/proc/{running.meshd.pid}/status").read_text()
        echoed(edge.url, "first")
        running.meshd.kill()
        running.start_meshd()
        running.until_ready()
        echoed(edge.url, "after meshd's death")
        edge.process.kill()
        edge.start()
        running.until_ready()
        echoed(edge.url, "after the edge's")
        # Of many blocks of sixteen bytes, and of characters that the scans look for.
        echoed(edge.url, "\"\\ä€😀" * 1000)


def test_a_forbidden_call_is_an_edges_last():
    with gateway(len(FORBIDDEN_TO_EDGES)) as running:
        for edge, (name, arguments) in zip(running.edges, FORBIDDEN_TO_EDGES.items()):
            edge.process.killed = True
            assert tracing.call(edge.process.pid, name, *arguments) is None, name
            assert tracing.ended_by_sigsys(edge.process.popen.wait(45)), name


def test_a_forbidden_call_is_meshds_last():
    for name, arguments in FORBIDDEN_TO_MESHD.items():
        with gateway(0) as running:
            running.meshd.killed = True
            assert tracing.call(running.meshd.pid, name, *arguments) is None, name
            assert tracing.ended_by_sigsys(running.meshd.popen.wait(45)), name


def test_an_edge_opens_no_file_and_is_told_so():
    with gateway() as running:
        assert tracing.call(running.edges[0].process.pid, "open", 0, 0, 0) == -errno.EACCES
        wait_until(running.edges[0].ready, "it goes on")
        echoed(running.edges[0].url, "still")


def main():
    assert platform.machine() == "aarch64", f"this machine is {platform.machine()}"
    tests = {name: test for name, test in globals().items() if name.startswith("test_")}
    begun = time.monotonic()
    for name, test in tests.items():
        test()
        print(f"{name}: passed", flush=True)
    print(f"{len(tests)} passed in {time.monotonic() - begun:.2f}s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
