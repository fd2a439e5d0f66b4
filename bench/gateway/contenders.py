"""Who takes part: the broker and the service that all of them call, and the three ways to it."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.gateway import Gateway  # noqa: E402
from support.paths import BROKER_SCRIPT, PEERS_PYTHON, binary  # noqa: E402
from support.processes import Process  # noqa: E402

TOKEN = "bench-token"
USER = {"user_id": "bench", "username": "Bench"}
PARAMS = json.dumps({"text": "a request of a usual size, which comes back as it is", "numbers": [1, 2, 3]}, separators=(",", ":"))


def cpu_seconds(pid):
    """Of all threads, by the scheduler's own clock in nanoseconds; /proc/PID/stat counts in hundredths of a second."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except OSError:  # a thread that has just ended
            pass
    return total / 1e9


@contextmanager
def private_broker(folder):
    environment = {**os.environ, "NUROPB_BROKER_DIR": str(folder / "broker")}

    def ask(word):
        return subprocess.run([str(BROKER_SCRIPT), word], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    try:
        ask("start")
        yield ask("url"), int(ask("pid"))
    finally:
        ask("stop")


@contextmanager
def demo_service(url, folder):
    with Process("demo", [binary("nuropb-demo-service"), "--url", url, "--service", "bench-demo"], folder) as process:
        process.wait_for_log("ready")
        yield process


def measured(command, secret):
    """Runs a load generator, which ends with one line of JSON."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}: {done.stdout}{done.stderr}".replace(secret, "…"))
    return json.loads(done.stdout)


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
    """A gateway, by the ports that it listens on."""

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
    """The real one from PyPI, or None where it is not installed."""
    if not PEERS_PYTHON.exists():
        yield None
        return
    command = [PEERS_PYTHON, ROOT / "tests/interop/peers/gateway.py", url, "bench-nuropb-gw", json.dumps({TOKEN: USER}), json.dumps(["*"])]
    with Process("nuropb-gw", command, folder) as process:
        port = int(process.wait_for_log(r"^port (\d+)$", timeout=60)[1])
        yield WebSockets("nuropb_gw", "nuropb-gw 0.1.4", [port], {"nuropb-gw": [process.pid]})


def remove(folder):
    subprocess.run(["rm", "-rf", "--", str(folder)], check=True)
