"""meshd's page of metrics, on its admin socket."""

import http.client
import re
import socket

from .exposition import parse


class OverUnix(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("meshd", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def ask(gateway, method="GET", target="/metrics"):
    link = OverUnix(gateway.folder / "run" / "admin.sock")
    link.request(method, target)
    answer = link.getresponse()
    return answer.status, answer.read().decode()


def value(gateway, name):
    status, page = ask(gateway)
    assert status == 200
    return int(re.search(rf"^nuropb_gateway_{re.escape(name)} (\d+)$", page, re.MULTILINE)[1])


def families(gateway):
    """The whole page, parsed strictly (exposition.py): {name without its prefix: Family}."""
    status, page = ask(gateway)
    assert status == 200
    return {name.removeprefix("nuropb_gateway_"): family for name, family in parse(page).items()}
