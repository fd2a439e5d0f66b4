"""A gateway as its launcher runs it: scripts/nuropb-gateway, with its edges on one port."""

import asyncio
import re
from http.client import HTTPException
from pathlib import Path

from .gateway import TOKENS, health, tokens_toml, toml
from .metrics import OverUnix
from .paths import BIN, ROOT
from .ports import free_port
from .processes import Process
from .services import unique
from .waiting import wait_until

SCRIPT = ROOT / "scripts" / "nuropb-gateway"
LIMIT = 60.0  # seconds that a start, a roll or a stop may take on a machine that does other things as well


class Launched:
    """A launcher with its own folder, config and port."""

    def __init__(self, folder, broker_url, edges=2, bin=BIN, words=(), **sections):
        self.folder, self.port, self.bin, self.words = folder, free_port(), bin, words
        self.config, self.tokens, self.ready_file = folder / "gateway.toml", folder / "tokens.toml", folder / "ready"
        self.write_tokens(TOKENS)
        self.settings = {
            "gateway": {"service": unique("launched"), "runtime_dir": str(folder / "run"), "edges": edges},
            "listen": {"port": self.port},
            "amqp": {"urls": [broker_url], "reconnect_min_ms": 50, "reconnect_max_ms": 500},
            "auth": {"token_file": str(self.tokens)},
        }
        for section, keys in sections.items():
            self.settings.setdefault(section, {}).update(keys)
        self.config.write_text(toml(self.settings))
        self.process = None

    def write_tokens(self, tokens):
        self.tokens.write_text(tokens_toml(tokens))

    def start(self, before=(), environment=None):
        """`before`: words that run the launcher's command (standard_error.py)."""
        self.process = Process("launcher", [*before, SCRIPT, "--config", self.config, "--bin", self.bin, "--ready-file", self.ready_file, *self.words], self.folder, environment)
        return self

    def until_ready(self):
        def ready():
            assert self.process.running(), f"the launcher ended with {self.process.popen.returncode}:\n{self.process.tail()}"
            return self.ready_file.exists() and self.attached() == self.settings["gateway"]["edges"] and self.health()[1].get("broker") == "ready"
        wait_until(ready, lambda: f"the gateway is ready:\n{self.process.tail()}", LIMIT)
        return self

    def attached(self):
        """The number of meshd's edges; None while meshd does not answer. Any edge may answer /healthz."""
        link = OverUnix(self.folder / "run" / "admin.sock")
        try:
            link.request("GET", "/metrics")
            found = re.search(r"^nuropb_gateway_workers (\d+)$", link.getresponse().read().decode(), re.MULTILINE)
            return found and int(found[1])
        except (OSError, HTTPException):
            return None
        finally:
            link.close()

    def dropped(self):
        """{process: number of log lines that it could not write}, from /metrics."""
        link = OverUnix(self.folder / "run" / "admin.sock")
        link.request("GET", "/metrics")
        page = link.getresponse().read().decode()
        link.close()
        return {f"{process} {worker}".strip(): int(count) for process, worker, count in
                re.findall(r'^nuropb_gateway_log_lines_dropped_total\{process="(\w+)"(?:,worker="(\d+)")?\} (\d+)$', page, re.MULTILINE)}

    def health(self):
        return health(self.port)

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/websocket"

    def pids(self, name):
        """The pids of all processes that were started under this name, in order."""
        return [int(pid) for pid in re.findall(rf" launcher {name} started, pid (\d+)$", self.process.log(), re.MULTILINE)]

    def children(self):
        return [pid for name in ("meshd", r"edge \d+") for pid in self.pids(name) if alive(pid)]

    def ended(self, timeout=LIMIT):
        wait_until(lambda: not self.process.running(), lambda: f"the launcher ends:\n{self.process.tail()}", timeout)
        return self.process.popen.returncode

    async def code(self, timeout=LIMIT):
        return await asyncio.to_thread(self.ended, timeout)


def below(pid):
    """The descendants of a process."""
    out = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            out += [int(child), *below(int(child))]
    return out


def alive(pid):
    """Whether the process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):  # gone, also between being opened and being read
        return False
