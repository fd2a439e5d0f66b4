"""A broker's name with several addresses, of which the first is silent: it accepts nothing and refuses nothing, as an address
behind a firewall or of a node that is gone."""

import os
import re
import socket
from urllib.parse import urlsplit

import pytest

from support import metrics
from support.cut import Cut
from support.paths import binary
from support.processes import Process
from support.waiting import eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a name with two addresses needs an /etc/hosts of its own")
SILENT, LIVING = "127.0.0.1", "127.0.0.9"  # in the order in which the resolver gives them


class Silent:
    """Listens with a full accept queue, so that the kernel drops new connections."""

    def __init__(self, port):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((SILENT, port))
        self.listener.listen(0)
        self.fillers = [socket.socket() for _ in range(4)]
        for one in self.fillers:
            one.setblocking(False)
            one.connect_ex((SILENT, port))

    def close(self):
        for one in (self.listener, *self.fillers):
            one.close()


class Meshd:
    """Settings with one name for both addresses."""

    def __init__(self, folder, url, name, **amqp):
        self.folder = folder
        hosts = folder / "hosts"
        hosts.write_text(f"{SILENT} {name}\n{LIVING} {name}\n")
        lines = "".join(f"{key} = {str(value).lower() if isinstance(value, bool) else repr(str(value))}\n" for key, value in amqp.items())
        (folder / "gateway.toml").write_text(
            f'[gateway]\nruntime_dir = "run"\n[auth]\nauthorizers = ["tokens"]\ntoken_file = "tokens.toml"\n[amqp]\nurls = ["{url}"]\n{lines}')
        (folder / "tokens.toml").write_text('[tokens.a]\nuser_id = "ann"\n')
        self.process = Process("meshd", ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, binary("nuropb-meshd"),
                                         "--config", folder / "gateway.toml"], folder)

    def value(self, name):
        return metrics.value(self, name)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_the_next_address_is_begun_soon(private_broker, folder, tls):
    made, broker = private_broker.certificates, urlsplit(private_broker.tls_url if tls else private_broker.url)
    listening = socket.socket()
    listening.bind((LIVING, 0))
    listening.listen()
    async with Cut(broker.hostname, broker.port, listening) as way:
        silent = Silent(way.port)
        name = "localhost" if tls else "two.test"  # the certificate is for localhost
        url = f"{broker.scheme}://{broker.username}:{broker.password}@{name}:{way.port}{broker.path}"
        meshd = Meshd(folder, url, name, **({"ca_file": made.ca} if tls else {}))
        try:
            await eventually(lambda: re.search("broker ready", meshd.process.log()), "it is connected")
            assert meshd.value("amqp_connection_attempts_total") == 1, meshd.process.log()
            assert meshd.value("amqp_addresses_passed_over_total") == 1
            said = [line for line in meshd.process.log().splitlines() if "do not respond" in line]
            assert len(said) == 1 and f"{SILENT}:{way.port}" in said[0], said
            # Again after an outage, and not said again.
            way.cut()
            await eventually(lambda: "broker not ready" in meshd.process.log(), "the connection is lost")
            way.mend()
            await eventually(lambda: meshd.value("amqp_connections_total") == 2, "it is connected again")
            assert sum("do not respond" in line for line in meshd.process.log().splitlines()) == 1
        finally:
            meshd.process.stop()
            silent.close()


async def test_the_name_still_counts_over_tls(private_broker, folder):
    """The certificate of the address that answers must still match the name."""
    broker = urlsplit(private_broker.tls_url)
    listening = socket.socket()
    listening.bind((LIVING, 0))
    listening.listen()
    async with Cut(broker.hostname, broker.port, listening) as way:
        silent = Silent(way.port)
        meshd = Meshd(folder, f"amqps://{broker.username}:{broker.password}@other.test:{way.port}/", "other.test", ca_file=private_broker.certificates.ca)
        try:
            await eventually(lambda: "the broker's certificate is not for 'other.test'" in meshd.process.log(), "it is refused by name")
        finally:
            meshd.process.stop()
            silent.close()
