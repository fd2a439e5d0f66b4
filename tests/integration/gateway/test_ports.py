"""A port that a gateway has is its own: a second one of another runtime folder is refused, by its launcher and by its edges;
edges of one gateway share it. All listeners take both families on "::"."""

import os
import signal
import socket
import subprocess

import pytest

from support.launched import LIMIT, Launched
from support.paths import binary
from support.ports import free_port
from support.processes import Process
from support.waiting import wait_until

LOOPBACK = {"gateway": {"mesh": "loopback"}}


def second(folder, first, **sections):
    """A gateway with another runtime folder, on the first one's port."""
    folder.mkdir()
    other = Launched(folder, "amqp://127.0.0.1:1/", **{**LOOPBACK, **sections})
    other.config.write_text(other.config.read_text().replace(f"port = {other.port}", f"port = {first.port}"))
    return other


def loopback(folder, **sections):
    return Launched(folder, "amqp://127.0.0.1:1/", **{**LOOPBACK, **sections})


@pytest.fixture
def first(folder):
    (folder / "first").mkdir()
    gateway = loopback(folder / "first").start()
    wait_until(gateway.ready_file.exists, gateway.process.tail, LIMIT)
    yield gateway
    if gateway.process.running():
        gateway.process.stop()


def code_of(process):
    wait_until(lambda: not process.running(), process.tail, LIMIT)
    return process.popen.returncode


def test_a_second_gateway_ends_with_78_and_names_the_port(folder, first):
    other = second(folder / "second", first).start()
    assert code_of(other.process) == 78
    said = other.process.log()
    assert f"listen.port: 127.0.0.1 port {first.port} is taken" in said or f"port {first.port} is taken" in said, said
    assert "meshd started" not in said and not other.ready_file.exists(), "nothing was started"
    assert first.health()[0] == 200


def test_its_edges_see_it_without_a_launcher(folder, first):
    """Like systemd's units."""
    other = second(folder / "second", first)
    (other.folder / "run").mkdir(mode=0o700)
    edge = Process("edge", [binary("nuropb-edge"), "--config", other.config], other.folder)
    assert code_of(edge) == 78
    assert f"port {first.port}: another gateway listens on it" in edge.log(), edge.log()


@pytest.mark.parametrize("setting", ["backend", "console", "metrics", "lines"])
def test_every_listener_is_looked_at(folder, setting):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as another program's workers share theirs
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sections = {
            "backend": {"backend": {"port": port, "key_file": str(folder / "keys.toml")}}, "console": {"console": {"enabled": True, "port": port}},
            "metrics": {"metrics": {"listen": f"127.0.0.1:{port}"}}, "lines": {"lines": {"enabled": True, "address": "127.0.0.1", "port": port, "service_name": "other"}},
        }[setting]
        (folder / "keys.toml").write_text('[keys]\na = "0123456789abcdef0123"\n')
        gateway = loopback(folder, **sections).start()
        assert code_of(gateway.process) == 78
        assert f"port {port} is taken" in gateway.process.log(), gateway.process.log()


def test_a_port_that_gets_free_soon_is_waited_for(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        gateway = loopback(folder)
        gateway.config.write_text(gateway.config.read_text().replace(f"port = {gateway.port}", f"port = {taken.getsockname()[1]}"))
        gateway.start()
        wait_until(lambda: "waiting for it to go" in gateway.process.log(), gateway.process.tail, LIMIT)
    wait_until(gateway.ready_file.exists, gateway.process.tail, LIMIT)
    gateway.process.stop()


def test_edges_of_one_gateway_come_back_and_are_rolled(first):
    """A crash, and a roll, during which the old edge drains and the new one listens on the same port."""
    for who in ("edge 0", "meshd"):
        os.kill(first.pids(who)[0], signal.SIGKILL)
        wait_until(lambda: len(first.pids(who)) > 1 and first.attached() == 2, first.process.tail, LIMIT)
    first.process.signal(signal.SIGHUP)
    wait_until(lambda: "launcher reload complete" in first.process.log(), first.process.tail, LIMIT)
    assert "another gateway" not in first.process.log()
    assert first.health()[0] == 200


def test_every_address_is_both_families_for_all_listeners(folder):
    """Whatever net.ipv6.bindv6only is: the sockets themselves are checked."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    ports = [free_port() for _ in range(3)]
    (folder / "keys.toml").write_text('[keys]\na = "0123456789abcdef0123"\n')
    gateway = loopback(folder, edges=1, listen={"address": "::"}, backend={"address": "::", "port": ports[0], "key_file": str(folder / "keys.toml")},
                       console={"enabled": True, "address": "::", "port": ports[1]}, metrics={"listen": f"[::]:{ports[2]}"}).start()
    wait_until(gateway.ready_file.exists, gateway.process.tail, LIMIT)
    listed = subprocess.run(["ss", "-tlne6"], capture_output=True, text=True).stdout
    for port in (gateway.port, *ports):
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, port), timeout=20):
                pass
        line = next(line for line in listed.splitlines() if f":{port} " in line)
        assert "v6only:0" in line, line
    gateway.process.stop()
