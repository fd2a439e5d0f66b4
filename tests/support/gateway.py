"""Our gateway as its launcher would start it: one meshd, some edges, one config file. Each process by hand, so that a
test can kill and restart any of them."""

import http.client
import json
import os
import socket
import ssl
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from . import metrics
from .paths import binary
from .ports import free_port
from .processes import Process
from .waiting import wait_until

# Not words that could stand in a log for another reason: every log is searched for them (Gateway.stop).
TOKENS = {
    "secret-ann": {"user_id": "ann", "username": "Ann"},
    "secret-bob": {"user_id": "bob", "username": "Bob"},
}


def toml(sections):
    """{section: {key: value}} as TOML; JSON's texts, numbers, booleans and lists are TOML's too."""
    lines = []
    for section, keys in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def tokens_toml(tokens):
    return "\n".join(
        f"[tokens.{json.dumps(token)}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in user.items())
        for token, user in tokens.items()
    ) + "\n"


class Edge:
    def __init__(self, gateway, number):
        self.gateway, self.number = gateway, number
        self.port = None
        self.backend_port = None  # of the backends' port; 0: none
        self.lines_port = None    # of JSON lines; 0: none
        self.console_port = None  # of the console; 0: none
        self.process = None

    def start(self):
        port_file = self.gateway.folder / f"edge{self.number}.port"
        backend_port_file = self.gateway.folder / f"edge{self.number}.backend-port"
        lines_port_file = self.gateway.folder / f"edge{self.number}.lines-port"
        console_port_file = self.gateway.folder / f"edge{self.number}.console-port"
        for file in (port_file, backend_port_file, lines_port_file, console_port_file):
            file.unlink(missing_ok=True)
        self.process = self.gateway.run(f"edge{self.number}", "nuropb-edge", "--port-file", port_file, "--backend-port-file", backend_port_file, "--lines-port-file", lines_port_file,
                                        "--console-port-file", console_port_file)

        def listening():
            # First the files: one that is made to crash may have done so right behind them.
            if all(file.exists() and file.read_text().strip() for file in (port_file, backend_port_file, lines_port_file, console_port_file)):
                return True
            assert self.process.running(), f"edge {self.number} ended with {self.process.popen.returncode}:\n{self.process.tail()}"
            return False
        wait_until(listening, lambda: f"edge {self.number} listens:\n{self.process.tail()}")
        self.port, self.backend_port, self.lines_port, self.console_port = (
            int(file.read_text()) for file in (port_file, backend_port_file, lines_port_file, console_port_file))

    @property
    def url(self):
        return f"{'wss' if self.gateway.tls else 'ws'}://127.0.0.1:{self.port}/websocket"

    @property
    def snorky_url(self):
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def backend_url(self):
        return f"http://127.0.0.1:{self.backend_port}/backend"

    def health(self, page="healthz"):
        return health(self.port, self.gateway.tls, page)

    def open_sockets(self):
        """The number of its sockets, counted by the kernel: on a shared port any edge may answer /healthz."""
        return sum(what.startswith("socket:") for what in self.process.descriptors().values())

    def attached(self):
        """Whether it is attached to meshd, so that it accepts clients."""
        return self.health("readyz")[0] == 200

    def ready(self):
        """Attached, and meshd is connected to the broker: requests get through."""
        status, body = self.health("readyz")
        return status == 200 and body["broker"] == "ready"


def health(port, tls=None, page="healthz"):
    """(status, JSON) of /healthz or /readyz; (None, {}) if no process listens. `tls`: the client's context, if the port speaks TLS."""
    try:
        with urllib.request.urlopen(f"{'https' if tls else 'http'}://127.0.0.1:{port}/{page}", timeout=20, context=tls) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.loads(refusal.read() or b"{}")
    except (OSError, http.client.HTTPException):  # also an edge that ends while it answers
        return None, {}


class Gateway:
    """`with Gateway(amqp_url) as gateway:` and it is ready. `settings` are {section: {key: value}} over the defaults.

    Edges listen on ports of their own, so that a test can talk to one of them; with shared_port=True on one and the
    same, as in production."""

    folders = []  # of this run; conftest removes them at its end

    def __init__(self, amqp_url, edges=1, shared_port=False, tokens=None, name=None, settings=None, files=None, secrets=(), wait_ready=True, health_certificate=None):
        self.amqp_url, self.tokens, self.wait_ready = amqp_url, tokens or TOKENS, wait_ready
        # Short: a Unix socket's path holds 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="nuropb-gw-"))
        Gateway.folders.append(self.folder)
        self.name = name or f"gateway-{self.folder.name[-8:].replace('_', 'x')}"
        self.port = free_port() if shared_port else 0
        self.config_file = self.folder / "gateway.toml"
        self.settings = settings or {}
        self.tls = None  # how its own health checks speak TLS: with whatever certificate it has
        if self.settings.get("tls", {}).get("certificate_files"):
            self.tls = ssl.create_default_context()
            self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
            client = self.settings["tls"].get("client_certificates") == "required" and health_certificate
            if client:
                self.tls.load_cert_chain(*client)
        self.files = files or {}  # beside the config: {name: text}
        self.secrets = {*self.tokens, *secrets, urlsplit(amqp_url).password} - {"guest"}  # a word that stands in URLs as the user's name
        self.edges = [Edge(self, number) for number in range(edges)]
        self.instead = {}  # {program: (another, its environment)}, for its next start only
        self.meshd = None
        self.processes = []  # all that it ever had, in order

    def run(self, name, program, *words):
        program, environment = self.instead.pop(program, (program, None))
        process = Process(name, [binary(program), "--config", self.config_file, *words], self.folder, environment)
        self.processes.append(process)
        return process

    def write_config(self):
        (self.folder / "tokens.toml").write_text(tokens_toml(self.tokens))
        for name, text in self.files.items():
            (self.folder / name).write_text(text)
        sections = {
            # Where a test is about one of these times, it sets it; elsewhere they are no reason to fail on a busy machine.
            "gateway": {"service": self.name, "runtime_dir": str(self.folder / "run"), "hung_after_s": 30},
            "listen": {"port": self.port},
            "limits": {"handshake_ms": 20_000},
            "amqp": {"urls": [self.amqp_url], "reconnect_min_ms": 50, "reconnect_max_ms": 500},
            "auth": {"token_file": str(self.folder / "tokens.toml"), "verdict_timeout_ms": 20_000},
        }
        if os.geteuid() != 0:
            sections["hardening"] = {"core_dumps": True}  # or only root could look into /proc/PID
        for section, keys in self.settings.items():
            sections.setdefault(section, {}).update(keys)
        self.config_file.write_text(toml(sections))

    def start_meshd(self):
        # Those that have not seen yet that the last one is gone would still say that they are ready.
        for edge in self.edges:
            if self.meshd and not self.meshd.running() and edge.process and edge.process.running() and not edge.process.stopped():
                wait_until(lambda: not edge.attached(), lambda: f"edge {edge.number} knows that meshd is away: {edge.health()}")
        may_end = "nuropb-meshd" in self.instead  # one that is made to crash may have done so already
        self.meshd = self.run("meshd", "nuropb-meshd")

        def listening():
            # The file may be there still from one that was killed. The admin socket comes last.
            with socket.socket(socket.AF_UNIX) as visitor:
                if visitor.connect_ex(str(self.folder / "run" / "admin.sock")) == 0:
                    return True
            assert may_end or self.meshd.running(), f"meshd ended with {self.meshd.popen.returncode}:\n{self.meshd.tail()}"
            return not self.meshd.running()
        wait_until(listening, lambda: f"meshd listens for edges:\n{self.meshd.tail()}")

    def start(self):
        self.write_config()
        self.start_meshd()
        for edge in self.edges:
            edge.start()
        if self.wait_ready:
            self.until_ready()

    def until_ready(self, timeout=60.0):
        """Every edge is attached to meshd, and meshd to the broker."""
        running = [edge for edge in self.edges if edge.process and edge.process.running()]
        if self.port:  # any of them answers there: meshd says how many it has, and they are asked until none says no
            wait_until(lambda: metrics.value(self, "workers") >= len(running), lambda: f"all edges are attached:\n{self.meshd.tail(20)}", timeout)
        for edge in running:
            for _ in range(10 if self.port else 1):
                wait_until(edge.ready, lambda: f"edge {edge.number} is ready: {edge.health()}\n{self.meshd.tail(20)}", timeout)

    @property
    def url(self):
        return self.edges[0].url

    def add_edge(self):
        edge = Edge(self, len(self.edges))
        self.edges.append(edge)
        edge.start()
        return edge

    def logs(self):
        """The complete logs of all its processes, by file."""
        return {file.name: file.read_text("utf-8", "replace") for file in sorted(self.folder.glob("*.log"))}

    def leaked_secrets(self):
        return [
            (name, line)
            for name, text in self.logs().items()
            for line in text.splitlines()
            if any(secret in line for secret in self.secrets)
        ]

    def stop(self):
        """Stops all, edges first, then checks the invariants of every run: no secret in a log, and no process ended in any
        other way than in order, unless the test killed it."""
        codes = {}
        for process in reversed(self.processes):
            deliberate = process.killed
            code = process.stop()
            if not deliberate:
                codes[f"{process.name}, pid {process.pid}"] = code
        leaked = self.leaked_secrets()
        assert not leaked, f"secrets in logs: {leaked[:5]}"
        assert all(code == 0 for code in codes.values()), f"exit codes: {codes}"

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def end(self):
        for process in self.processes:
            if process.running():
                process.kill()

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
        finally:
            self.end()
