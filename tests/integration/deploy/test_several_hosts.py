"""docs/tasks/several-hosts.md: two gateways of one service, each on a host of its own, and the brokers beyond a network. A host is cut
off: the other one carries on, and all is one again when it comes back. (../gateway/test_broker_cluster.py: a node of the cluster is lost.)"""

import asyncio
from urllib.parse import urlsplit

import pytest
import websockets

from support.consumer import Consumer
from support.ctl import ctl
from support.cut import Cut
from support.gateway import Gateway
from support.hosts import Network
from support.paths import binary
from support.processes import Process
from support.services import demo_service, unique
from support.waiting import eventually

PORT = 8880
USERS = {f"secret-of-{name}": {"user_id": name, "username": name.title()} for name in ("ann", "bob")}


class HostGateway(Gateway):
    """One that lives on a host, with its edges on one port of it."""

    def __init__(self, host, nodes, **options):
        self.host = host
        super().__init__(nodes[0], tokens=USERS, wait_ready=False, settings={
            "listen": {"address": host.address, "port": PORT, "ping_interval_s": 1, "pong_timeout_s": 1},
            "amqp": {"urls": nodes, "heartbeat_s": 2, "reconnect_max_ms": 1000},
            # Short, so that one that is silent is given up soon.
            "push": {"timeout_ms": 2000, "presence_ms": 200},
            "drain": {"spread_ms": 0, "limit_ms": 1000},
        }, **options)

    def run(self, name, program, *words):
        process = Process(name, self.host.command(binary(program), "--config", self.config_file, *words), self.folder)
        self.processes.append(process)
        return process

    @property
    def url(self):
        return f"ws://{self.host.address}:{PORT}/websocket"

    def broker_is(self, state):
        """As its own health says on its own host: it may be cut off from ours."""
        try:
            return f'"broker":"{state}"' in self.host.run("curl", "-s", "--max-time", "2", f"http://{self.host.address}:{PORT}/healthz")
        except Exception:
            return False


@pytest.fixture
def network():
    with Network() as network:
        if network.why_not:
            pytest.skip(f"gateways on several hosts are not tested: {network.why_not}")
        yield network


async def count(gateway, what):
    """Sessions, or gateways, that it knows of. Asked beside our event loop, which is the way to the brokers."""
    return (await asyncio.to_thread(ctl, gateway, "sessions", "--count", code=None)).get("count", {}).get(what)


async def asked(gateway, *words):
    """What is said of a message that was sent."""
    return await asyncio.to_thread(ctl, gateway, "send", *words)


def comes_to(gateway, what, number):
    async def has():
        return await count(gateway, what) == number
    return eventually(has, lambda: f"{gateway.host.name} knows {number} {what}\n{gateway.meshd.tail(20)}", 60)


async def gets_in(network, gateway, user):
    """A new consumer; nothing where that can't be by now."""
    try:
        return await Consumer.open(gateway.url, token=f"secret-of-{user}", sock=network.connect(gateway.host.address, PORT))
    except (OSError, AssertionError, asyncio.TimeoutError, websockets.InvalidHandshake, websockets.ConnectionClosed):
        return None


@pytest.mark.limit(240)
async def test_a_host_is_cut_off_and_comes_back(network, broker_url, folder):
    hosts = [network.host("one", "10.77.0.11"), network.host("two", "10.77.0.12")]
    ways, urls, gateways, name = [], [], [], unique("gateway")
    # The broker, as the hosts see it: at two addresses, as the nodes of a cluster.
    parts = urlsplit(broker_url)
    for port in (5672, 5673):
        ways.append(await Cut("127.0.0.1", parts.port, network.listen(port)).__aenter__())
        urls.append(f"amqp://{parts.username}:{parts.password}@{network.address}:{port}/")
    try:
        with demo_service(broker_url, folder) as demo:
            service = demo.service
            # Each one's first node is the one beside it, the other one its way out.
            for host, order in zip(hosts, (urls, urls[::-1])):
                gateways.append(HostGateway(host, order, name=name))
                gateways[-1].start()
            first, second = gateways
            for gateway in gateways:
                await comes_to(gateway, "gateways", 2)

            ann = await eventually(lambda: gets_in(network, first, "ann"), "the first host takes consumers")
            bob = await eventually(lambda: gets_in(network, second, "bob"), "the second host takes consumers")
            assert await ann.result(service, "add", {"a": 1, "b": 2}) == 3 and await bob.result(service, "add", {"a": 3, "b": 4}) == 7
            assert (await asked(first, "--user", "bob", '"to the other host"'))["connections"] == 1
            assert await bob.other() == "to the other host"
            assert (await asked(second, "--all", '"to both"'))["connections"] == 2
            assert await ann.other() == await bob.other() == "to both"

            hosts[0].cut_off()
            await comes_to(second, "gateways", 1)
            await eventually(lambda: first.broker_is("away"), lambda: first.meshd.tail(20), 60)
            # Nothing of it is felt on the other host, which takes whoever comes over.
            assert await bob.result(service, "add", {"a": 5, "b": 6}) == 11
            ann_again = await eventually(lambda: gets_in(network, second, "ann"), "the other host takes her")
            assert await ann_again.result(service, "add", {"a": 7, "b": 8}) == 15
            assert await asked(second, "--all", '"who is left"') == {"connections": 2, "unanswered": [], "silent_edges": 0}
            assert await bob.other() == await ann_again.other() == "who is left"
            # Where she was, she is found gone: pings stay unanswered.
            await comes_to(first, "sessions", 0)
            ann.ws.transport.abort()

            hosts[0].connect()
            for gateway in gateways:
                await comes_to(gateway, "gateways", 2)
            ann_back = await eventually(lambda: gets_in(network, first, "ann"), "the host takes consumers again", 60)
            assert (await asked(second, "--user", "ann", '"wherever you are"'))["connections"] == 2
            assert await ann_back.other() == await ann_again.other() == "wherever you are"
            assert await ann_back.result(service, "add", {"a": 9, "b": 1}) == 10
            for one in (bob, ann_again, ann_back):
                await one.close()
            for gateway in gateways:
                await asyncio.to_thread(gateway.stop)
    finally:
        for gateway in gateways:
            gateway.end()
        for way in ways:
            await way.__aexit__()
