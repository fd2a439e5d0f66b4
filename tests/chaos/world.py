"""All that runs under chaos: a broker of its own and a way to it that can be cut, the service, and the gateway as its
launcher starts it."""

import asyncio
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

from chaos.ledger import Ledger
from support.broker import declare_exchanges, with_parts
from support.cut import Cut
from support.gateway import TOKENS, health, tokens_toml, toml
from support.paths import BIN, ROOT, binary
from support.ports import free_port
from support.processes import Process
from support.services import demo_service, unique
from support.standard_error import Reader
from support.waiting import eventually

POLICY = 'default = ["request", "command", "describe", "event", "subscribe"]\n'
SERVICES = '[frontend.pubsub]\nkind = "pubsub"\npublish = "all"\n'
LARGEST_MESSAGE = 262_144  # that the broker takes; the gateway's own bound is higher
ATTACKERS_TOKEN = "secret-eve"  # a user of their own, as the shares are for each user
FORBIDDEN = "forbidden"  # topics below it, the broker's permissions deny to the gateway's user


class World:
    def __init__(self, folder, broker, seed, edges=4, pace=0.7, settings=None):
        self.folder, self.broker, self.seed, self.pace = folder, broker, seed, pace
        self.port = free_port()
        self.name, self.service_name, self.nobody, self.topic = unique("chaos"), unique("ledger"), unique("nobody"), unique("chaos-topic")
        self.ledger_file = folder / "executions"
        self.ledger_file.touch()
        self.ledger = Ledger(self.ledger_file)
        self.edges, self.settings = edges, settings or {}
        self.launcher = self.service = self.way = self.demo = self.probe = self.reader = None
        # What the log is: a name for the pipe that standard error is as well, or for a file on a small disk.
        self.log, self.disk = folder / "log", folder / "disk"
        self.impossible = set() if os.geteuid() == 0 else {"log disk full"}  # only root can mount a disk
        self.probed = folder / "probed"
        self.locks = {name: asyncio.Lock() for name in ("edges", "meshd", "broker", "service", "log", "attackers")}

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/websocket"

    @property
    def snorky_url(self):
        return f"ws://127.0.0.1:{self.port}/ws"

    async def health(self):
        """Of any edge, also of one that does not answer: then {}."""
        return (await asyncio.to_thread(health, self.port))[1]

    async def __aenter__(self):
        await asyncio.to_thread(self.broker.start)
        address = urlsplit(self.broker.url)
        await asyncio.to_thread(declare_exchanges, self.broker.url)  # RabbitMQ 4.3 knows no permissions of an exchange that is not there
        allowed = f"^(?!{FORBIDDEN}\\.)"
        await asyncio.to_thread(self.broker.ctl, "--quiet", "set_topic_permissions", address.username, "nuropb-events-exchange", allowed, allowed)
        self.way = await Cut(address.hostname, address.port).__aenter__()
        self.start_service()
        for name, text in (("tokens.toml", tokens_toml({**TOKENS, ATTACKERS_TOKEN: {"user_id": "eve", "username": "Eve"}})), ("policy.toml", POLICY), ("services.toml", SERVICES)):
            (self.folder / name).write_text(text)
        sections = {
            "gateway": {"service": self.name, "runtime_dir": str(self.folder / "run"), "edges": self.edges, "hung_after_s": 5},
            "listen": {"port": self.port},
            "amqp": {"urls": [with_parts(self.broker.url, port=self.way.port)], "reconnect_min_ms": 50, "reconnect_max_ms": 500, "heartbeat_s": 5},
            "auth": {"token_file": str(self.folder / "tokens.toml"), "policy_file": str(self.folder / "policy.toml")},
            "log": {"file": str(self.log)},
            "snorky": {"path": "/ws", "services_file": str(self.folder / "services.toml")},
        }
        self.disk.mkdir()
        if not self.impossible:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", self.disk], check=True)
        self.reader = Reader(self.folder / "standard-error")
        self.log.symlink_to(self.reader.path)
        for section, keys in self.settings.items():
            sections.setdefault(section, {}).update(keys)
        (self.folder / "gateway.toml").write_text(toml(sections))
        self.launcher = Process("gateway", [*self.reader.wrapper(), ROOT / "scripts" / "nuropb-gateway", "--config", self.folder / "gateway.toml", "--bin", BIN, "--ready-file", self.folder / "ready"], self.folder)
        await eventually(lambda: (self.folder / "ready").exists() and health(self.port)[1].get("broker") == "ready", self.tail, 120)
        self.demo = demo_service(self.broker.url, self.folder)
        self.probe = Process("probe", ["/usr/bin/python3", "-m", "chaos.probe", self.url, self.demo.__enter__().service, self.probed], self.folder, {"PYTHONPATH": str(ROOT / "tests")})
        return self

    def latencies(self):
        """(sent, ended) of each request that the probe got an answer to."""
        return [tuple(map(float, line.split())) for line in self.probed.read_text().splitlines() if line.count(" ") == 1]

    async def __aexit__(self, kind, *_):
        self.probe.kill()
        self.demo.__exit__(None, None, None)
        code = self.launcher.stop(90)
        self.service.stop()
        await self.way.__aexit__()
        self.reader.__exit__()
        if not self.impossible:
            subprocess.run(["umount", "-l", self.disk], check=True)
        (self.folder / "gateway.log").write_text(self.reader.text)  # to be read by a person afterwards
        assert kind or code == 0, f"the launcher ended with {code}:\n{self.tail()}"

    def start_service(self):
        self.service = Process("service", ["/usr/bin/python3", Path(__file__).with_name("service.py"), self.broker.url, self.service_name, self.ledger_file], self.folder)

    # What the launcher says of its processes.
    def pids(self):
        """{name: pid} of those it started last. The launcher keeps so many lines for a reader that stalls that none is lost here."""
        return {name: int(pid) for name, pid in re.findall(r" launcher (meshd|edge \d+) started, pid (\d+)$", self.reader.text, re.MULTILINE)}

    def tail(self, lines=80):
        return "\n".join(self.reader.text.splitlines()[-lines:])

    def attached(self, pid):
        """Whether meshd has this edge now, by its status: the log line about it may have been dropped."""
        asked = subprocess.run([binary("nuropb-ctl"), "--config", self.folder / "gateway.toml", "--json", "status"], capture_output=True, text=True)
        return asked.returncode == 0 and any(worker.get("pid") == pid for worker in json.loads(asked.stdout)["workers"])

    def point_log(self, file):
        """Switches the log to another file, like a rotation."""
        new = self.folder / "next-log"
        new.symlink_to(file)
        new.rename(self.log)
        self.launcher.signal(signal.SIGUSR1)

    def ports_of(self, pid):
        """The remote ports of a process's TCP connections to our port."""
        inodes = set()
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(fd)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
        ports = set()
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            words = line.split()
            if words[9] in inodes and int(words[1].split(":")[1], 16) == self.port:
                ports.add(int(words[2].split(":")[1], 16))
        return ports


def cost_of(pid):
    """(descriptors, resident kilobytes) of a process, without the rings: their pages become resident as traffic reaches them."""
    status = Path(f"/proc/{pid}/status").read_text()
    return len(os.listdir(f"/proc/{pid}/fd")), int(re.search(r"RssAnon:\s+(\d+)", status)[1])


async def paced(seconds, each):
    """Calls `each` about every two seconds until that time is over."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(2.0, left))
        each()
