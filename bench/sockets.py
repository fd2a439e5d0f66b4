"""Both ends of WebSockets for benchmarks without a broker: the gateway with an echo inside meshd, a bare websocketpp
echo, load on them, and idle sockets."""

import json
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from turns import busy_seconds, cpu_seconds  # noqa: E402

from support.gateway import Gateway  # noqa: E402
from support.paths import binary  # noqa: E402
from support.processes import Process  # noqa: E402

TOKEN = "bench-token"
USER = {"user_id": "bench", "username": "Bench"}
PARAMS = json.dumps({"text": "a request of a usual size, which comes back as it is", "numbers": [1, 2, 3]}, separators=(",", ":"))
MANY_OF_ONE = {"connections_per_ip": 0, "connections_per_user": 0}  # all load comes from one user at one address
SOCKETS_OF_ONE = 15_000  # held by one process: a limit of 20,000 descriptors is common


class Loopback(Gateway):
    """meshd answers requests itself, with their params."""

    def __init__(self, edges, settings=None, **more):
        own = {"gateway": {"mesh": "loopback"}, "log": {"level": "warning"}, **(settings or {})}
        own["limits"] = {**MANY_OF_ONE, **own.get("limits", {})}
        super().__init__("amqp://guest:guest@127.0.0.1:1/", edges=edges, settings=own, **{"tokens": {TOKEN: USER}, **more})


class Server:
    """A server under test: its addresses, and the processes whose CPU is measured."""

    def __init__(self, name, title, urls, processes, echo=False):
        self.name, self.title, self.urls, self.processes, self.echo = name, title, urls, processes, echo


@contextmanager
def loopback(edges, settings=None, **more):
    gateway = Loopback(edges, settings, **more)
    try:
        with gateway:
            processes = {"edge": [edge.process.pid for edge in gateway.edges], "meshd": [gateway.meshd.pid]}
            server = Server(f"edges_{edges}", f"gateway, {edges} edge{'s' * (edges > 1)}", [edge.url for edge in gateway.edges], processes)
            server.gateway = gateway
            yield server
    finally:
        subprocess.run(["rm", "-rf", "--", str(gateway.folder)], check=True)


@contextmanager
def bare_echo(folder):
    with Process("echo", [binary("bench_echo_websocketpp")], folder) as process:
        port = json.loads(process.wait_for_log(r"^\{.*\}$")[0])["port"]
        yield Server("echo", "bare websocketpp echo", [f"ws://127.0.0.1:{port}/"], {"echo": [process.pid]}, echo=True)


class Generator:
    """nuropb-loadgen with its sockets open, waiting for the start."""

    def __init__(self, urls, *words, echo=False, token=TOKEN):
        command = [binary("nuropb-loadgen"), *(word for url in urls for word in ("--url", url)), "--token", token, *words, *(["--echo"] * echo)]
        self.popen = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.popen.pid
        self.result = None

    def read(self):
        line = self.popen.stdout.readline()
        if not line:
            raise RuntimeError(f"nuropb-loadgen ended with {self.popen.wait()}")
        return json.loads(line)

    def go(self):
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.stdin.close()
        try:
            self.popen.wait(20)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.popen.stdout.close()


def shares(connections, limit=SOCKETS_OF_ONE):
    """Numbers of sockets per process, for as few processes as possible."""
    count = -(-connections // limit)
    return [connections // count + (number < connections % count) for number in range(count)]


@contextmanager
def held(server, connections, token=TOKEN):
    """This many idle, open sockets."""
    with ExitStack() as stack:
        for share in shares(connections):
            holder = stack.enter_context(Generator(server.urls, "--hold", "--connections", share, echo=server.echo, token=token))
            if holder.read() != {"open": share}:
                raise RuntimeError("not all sockets were opened")
        yield


def load(server, seconds, connections=16, outstanding=8, rate=None, rotate=False, warmup=0.2, histogram=False, service="demo", http=False):
    """A turn: the combined results of the load generators, with the CPU µs per request of each part of the server. Opening
    and closing the sockets is not included."""
    with ExitStack() as stack:
        parts = shares(connections, 10_000)
        words = ["--seconds", seconds, "--warmup", warmup, "--service", service, "--params", PARAMS, "--wait", *(["--histogram"] * histogram), *(["--http"] * http)]
        words += ["--rate", rate / len(parts)] if rate else ["--outstanding", outstanding // len(parts) if rotate else outstanding, *(["--rotate"] * rotate)]
        generators = [stack.enter_context(Generator(server.urls, "--connections", share, *words, echo=server.echo)) for share in parts]
        for generator in generators:
            generator.read()
        own = sum(cpu_seconds(generator.pid) for generator in generators)
        before, busy, begun = {name: sum(map(cpu_seconds, pids)) for name, pids in server.processes.items()}, busy_seconds(), time.monotonic()
        for generator in generators:
            generator.go()
        results = [generator.read() for generator in generators]
        used = {name: sum(map(cpu_seconds, pids)) - before[name] for name, pids in server.processes.items()}
        busy, lasted = busy_seconds() - busy, time.monotonic() - begun
        used["load"] = sum(cpu_seconds(generator.pid) for generator in generators) - own
    answered = sum(result["answered"] for result in results)
    if any(result["errors"] for result in results) or not answered:
        raise RuntimeError(f"{server.title}: {[result['errors'] for result in results]}")
    found = {"rate": sum(result["rate"] for result in results), "answered": answered}
    found |= {key: max(result[key] for result in results) for key in ("p50_us", "p99_us", "p999_us")}
    found["cpu_us"] = {name: spent / answered * 1e6 for name, spent in used.items()}
    found["others_cores"] = max(0.0, busy - sum(used.values())) / lasted
    if histogram:
        found["histogram"] = [result["histogram"] for result in results]
    return found


def told(number, server, found):
    print(f"round {number + 1}: {server.title:22} {found['rate']:9,.0f}/s  p50 {found['p50_us'] / 1000:7.2f} ms  p99 {found['p99_us'] / 1000:7.2f} ms  "
          f"CPU µs {'  '.join(f'{part} {us:.2f}' for part, us in found['cpu_us'].items())}  others used {found['others_cores']:.1f} cores", flush=True)
