"""The contenders: the broker and the service that all of them call, and the three ways to it."""

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from turns import ROOT, measured  # noqa: E402

from support.gateway import Gateway  # noqa: E402
from support.paths import PEERS_PYTHON, binary  # noqa: E402
from support.processes import Process  # noqa: E402

TOKEN = "bench-token"
USER = {"user_id": "bench", "username": "Bench"}
PARAMS = json.dumps({"text": "a request of a usual size, which comes back as it is", "numbers": [1, 2, 3]}, separators=(",", ":"))


@contextmanager
def demo_service(url, folder):
    with Process("demo", [binary("nuropb-demo-service"), "--url", url, "--service", "bench-demo"], folder) as process:
        process.wait_for_log("ready")
        yield process


class Direct:
    """A bare rabbitmq-c client, with no gateway between it and the broker."""

    name = "direct"
    title = "direct AMQP"

    def __init__(self, url):
        self.url = url
        self.processes = {}

    def run(self, connections, outstanding, seconds):
        words = ["--outstanding", connections * outstanding, "--seconds", seconds, "--service", "bench-demo", "--params", PARAMS]
        return measured([binary("bench_direct_amqp"), "--url", self.url, *words], self.url)


class WebSockets:
    """A gateway with the ports that it listens on."""

    def __init__(self, name, title, ports, processes):
        self.name, self.title, self.processes = name, title, processes
        self.urls = [word for port in ports for word in ("--url", f"ws://127.0.0.1:{port}/websocket")]

    def run(self, connections, outstanding, seconds):
        words = ["--connections", connections, "--outstanding", outstanding, "--seconds", seconds, "--service", "bench-demo", "--params", PARAMS]
        return measured([binary("nuropb-loadgen"), *self.urls, "--token", TOKEN, *words], TOKEN)


@contextmanager
def ours(url, edges):
    gateway = Gateway(url, edges=edges, tokens={TOKEN: USER}, name="bench-gateway", settings={"log": {"level": "warning"}})
    try:
        with gateway:
            processes = {"edge": [edge.process.pid for edge in gateway.edges], "meshd": [gateway.meshd.pid]}
            yield WebSockets("ours", f"gateway, {edges} edges", [edge.port for edge in gateway.edges], processes)
    finally:
        remove(gateway.folder)


@contextmanager
def nuropb_gw(url, folder):
    """nuropb-gw from PyPI, or None if it is not installed."""
    if not PEERS_PYTHON.exists():
        yield None
        return
    command = [PEERS_PYTHON, ROOT / "tests/interop/peers/gateway.py", url, "bench-nuropb-gw", json.dumps({TOKEN: USER}), json.dumps(["*"])]
    with Process("nuropb-gw", command, folder) as process:
        port = int(process.wait_for_log(r"^port (\d+)$", timeout=60)[1])
        yield WebSockets("nuropb_gw", "nuropb-gw 0.1.4", [port], {"nuropb-gw": [process.pid]})


def remove(folder):
    subprocess.run(["rm", "-rf", "--", str(folder)], check=True)
