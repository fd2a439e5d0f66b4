"""docs/tasks/several-hosts.md: hosts of their own, a RabbitMQ cluster over three of them, two gateways of one service beside two of its nodes.
A node of the cluster is killed and comes back; then a host is cut off with its node, and comes back. With this machine's RabbitMQ, whose
queues are mirrored, and with the one of Debian testing, which has quorum queues and Khepri."""

import asyncio
import json
import re
import shlex
from concurrent.futures import ThreadPoolExecutor

import pytest
import websockets

from support.broker import Broker
from support.consumer import Consumer
from support.ctl import ctl
from support.gateway import Gateway
from support.hosts import Network
from support.paths import ROOT, binary
from support.processes import Process
from support.roots import rabbitmq_root
from support.services import demo_service, unique
from support.waiting import eventually

PORT = 8880
USERS = {f"secret-of-{name}": {"user_id": name, "username": name.title()} for name in ("ann", "bob")}
PAGE = (ROOT / "docs" / "tasks" / "several-hosts.md").read_text()
# As the page has it, but for where the others are, and the time after which a silent one is gone.
CLUSTER = re.findall(r"^cluster_partition_handling = .*$", PAGE, re.MULTILINE) + ["net_ticktime = 10"]
MIRRORED = shlex.split(re.search(r"^rabbitmqctl (set_policy .*)$", PAGE, re.MULTILINE)[1])


def have_copies(node):
    """A policy applies before there are copies; a queue whose node stops before that is lost."""
    queues = [queue for queue in json.loads(node.ctl("-q", "list_queues", "name", "policy", "synchronised_slave_pids", "--formatter=json")) if queue["policy"]]
    return queues and all(queue["synchronised_slave_pids"] for queue in queues)


class HostGateway(Gateway):
    """A gateway on a host, with its edges on one port of that host."""

    def __init__(self, host, nodes, quorum=False, **options):
        self.host = host
        super().__init__(nodes[0], tokens=USERS, wait_ready=False, settings={
            "listen": {"address": host.address, "port": PORT, "ping_interval_s": 1, "pong_timeout_s": 1, "ready_with_broker": True},
            "amqp": {"urls": nodes, "heartbeat_s": 2, "reconnect_max_ms": 1000, **({"service_queue_type": "quorum"} if quorum else {})},
            # Short, so that one that is silent is given up soon.
            "push": {"timeout_ms": 2000, "presence_ms": 200},
            "drain": {"spread_ms": 0, "limit_ms": 1000},
        }, files={"policy.toml": 'default = ["request", "describe", "event", "subscribe"]\n'}, **options)
        self.settings["auth"] = {"policy_file": "policy.toml"}

    def run(self, name, program, *words):
        process = Process(name, self.host.command(binary(program), "--config", self.config_file, *words), self.folder)
        self.processes.append(process)
        return process

    @property
    def url(self):
        return f"ws://{self.host.address}:{PORT}/websocket"

    def page(self, page):
        """(status, text) of a page, asked for on its own host: it may be cut off from ours."""
        try:
            text, _, status = self.host.run("curl", "-s", "--max-time", "2", "-w", "\n%{http_code}", f"http://{self.host.address}:{PORT}/{page}").rpartition("\n")
            return int(status), text
        except Exception:
            return None, ""

    def broker_is(self, state):
        return f'"broker":"{state}"' in self.page("healthz")[1]


@pytest.fixture
def network():
    with Network() as network:
        if network.why_not:
            pytest.skip(f"gateways on several hosts are not tested: {network.why_not}")
        yield network


@pytest.fixture
def hosts(network):
    return [network.host(name, f"10.77.0.{number}") for number, name in enumerate(("one", "two", "three"), 11)]


@pytest.fixture(params=["mirrors", "quorum queues"])
def quorum(request):
    """Whether this RabbitMQ has quorum queues and no mirrors."""
    return request.param == "quorum queues"


@pytest.fixture
def nodes(hosts, folder, quorum):
    """A node of one cluster on each host."""
    nodes = []
    root, lines = (rabbitmq_root(), CLUSTER[-1:]) if quorum else (None, CLUSTER)
    for host in hosts:
        nodes.append(Broker(folder / host.name, host=host, lines=lines, join=nodes[0] if nodes else None, root=root))
    with ThreadPoolExecutor() as pool:
        try:
            nodes[0].start()
            list(pool.map(Broker.start, nodes[1:]))
            yield nodes
        finally:
            for host in hosts:
                host.connect()
            list(pool.map(Broker.stop, nodes))


async def asked(gateway, *words):
    """The result of a push. Runs in a thread, so that the event loop goes on meanwhile."""
    return await asyncio.to_thread(ctl, gateway, "send", *words)


def comes_to(gateway, what, number):
    """The number of sessions or gateways that it knows."""
    async def has():
        said = await asyncio.to_thread(ctl, gateway, "sessions", "--count", code=None)
        return said.get("count", {}).get(what) == number
    return eventually(has, lambda: f"{gateway.host.name} knows {number} {what}\n{gateway.meshd.tail(20)}", 90)


async def gets_in(network, gateway, user):
    """A new client; None if it can't connect now."""
    try:
        return await Consumer.open(gateway.url, token=f"secret-of-{user}", sock=network.connect(gateway.host.address, PORT))
    except (OSError, AssertionError, asyncio.TimeoutError, websockets.InvalidHandshake, websockets.ConnectionClosed):
        return None


def answered(consumer, service, method, params, result):
    """One attempt: a request that waits for a broker may time out, and a retry is a new request."""
    async def is_it():
        answer = await asyncio.wait_for(await consumer.begin(service, method, params, ttl=20_000), 45)
        return answer["result"] == result
    return eventually(is_it, f"{method} is answered", 90)


@pytest.mark.limit(300)
async def test_a_node_is_lost_and_a_host_is_cut_off(network, hosts, nodes, folder, quorum):
    gateways, name = [], unique("gateway")
    urls = [node.url for node in nodes]
    mirrored = None if quorum else asyncio.create_task(asyncio.to_thread(nodes[0].ctl, *MIRRORED))
    try:
        with demo_service(urls[2], folder, host=hosts[2]) as demo:
            service = demo.service
            # Each one's first node is the one beside it, the others its way out.
            for number in (0, 1):
                gateways.append(HostGateway(hosts[number], urls[number:] + urls[:number], quorum, name=name))
                gateways[-1].start()
            first, second = gateways
            for gateway in gateways:
                await comes_to(gateway, "gateways", 2)
            ann = await eventually(lambda: gets_in(network, first, "ann"), "the first host takes consumers")
            bob = await eventually(lambda: gets_in(network, second, "bob"), "the second host takes consumers")
            await answered(ann, service, "add", {"a": 1, "b": 2}, 3)
            await answered(bob, service, "add", {"a": 3, "b": 4}, 7)
            assert (await asked(first, "--user", "bob", '"to the other host"'))["connections"] == 1
            assert await bob.other() == "to the other host"
            assert (await asked(second, "--all", '"to both"'))["connections"] == 2
            assert await ann.other() == await bob.other() == "to both"

            if mirrored:
                await mirrored
                await eventually(lambda: asyncio.to_thread(have_copies, nodes[0]), "each mirrored queue has a copy that is up to date", 60)

            # The node beside the first gateway is killed, with its response queue, and the queue of the gateway's own methods, on it.
            held = await ann.begin(service, "slow", {"ms": 4000}, ttl=15_000)
            await asyncio.to_thread(nodes[0].kill)
            await answered(ann, service, "add", {"a": 5, "b": 6}, 11)
            assert await bob.result(service, "add", {"a": 7, "b": 8}) == 15, "the other gateway's node is there"
            # A queue that is mirrored, or a quorum queue, is there; without that it would be away until its node is back (test_broker_cluster.py).
            described = await asyncio.wait_for(await bob.begin_verb("describe", service=name), 45)
            assert described["error"] is None and described["result"]["service_name"] == name, described
            error = (await asyncio.wait_for(held, 45))["error"]  # its answer went to a queue that is gone
            assert error["error"] == "NuropbTimeoutError" or error["outcome"] == "unknown", error
            for gateway in gateways:
                await comes_to(gateway, "gateways", 2)
            assert (await asked(second, "--all", '"by the other nodes"'))["connections"] == 2
            assert await ann.other() == await bob.other() == "by the other nodes"
            await asyncio.to_thread(nodes[0].start)

            # The second host is cut off, with its node: that one is a minority. It pauses, or refuses what takes a majority.
            hosts[1].cut_off()
            await comes_to(first, "gateways", 1)
            await eventually(lambda: second.broker_is("away") and second.page("readyz")[0] == 503, lambda: second.meshd.tail(20), 90)
            # Its consumers come over. The two nodes that are left are the cluster.
            await answered(ann, service, "add", {"a": 9, "b": 10}, 19)
            bob_again = await eventually(lambda: gets_in(network, first, "bob"), "the other host takes him", 90)
            await answered(bob_again, service, "add", {"a": 11, "b": 12}, 23)
            assert await asked(first, "--all", '"who is left"') == {"connections": 2, "unanswered": [], "silent_edges": 0}
            assert await ann.other() == await bob_again.other() == "who is left"
            # Where he was, he is found gone: pings stay unanswered.
            await comes_to(second, "sessions", 0)
            bob.ws.transport.abort()

            hosts[1].connect()
            for gateway in gateways:
                await comes_to(gateway, "gateways", 2)
            bob_back = await eventually(lambda: gets_in(network, second, "bob"), "the host takes consumers again", 90)
            assert (await asked(first, "--user", "bob", '"wherever you are"'))["connections"] == 2
            assert await bob_back.other() == await bob_again.other() == "wherever you are"
            await answered(bob_back, service, "add", {"a": 13, "b": 14}, 27)
            for consumer in (ann, bob_again, bob_back):
                assert consumer.open_still and all(len(seen) == 1 for seen in consumer.answers.values())
                await consumer.close()
            for gateway in gateways:
                await asyncio.to_thread(gateway.stop)
    finally:
        for gateway in gateways:
            gateway.end()


@pytest.mark.limit(300)
@pytest.mark.parametrize("quorum", ["quorum queues"], indirect=True)
async def test_a_node_that_is_cut_off_is_left_for_one_that_is_not(network, hosts, nodes, folder):
    """Its host still reaches the gateway's: only the way between the nodes is gone. Older versions pause then, this one goes on serving."""
    urls = [node.url for node in nodes]
    fourth = network.host("four", "10.77.0.14")
    with demo_service(urls[2], folder, host=hosts[2]) as demo:
        gateway = HostGateway(fourth, [urls[1], urls[2], urls[0]], True, name=unique("gateway"))
        try:
            gateway.start()
            ann = await eventually(lambda: gets_in(network, gateway, "ann"), "it takes consumers")
            await answered(ann, demo.service, "add", {"a": 1, "b": 2}, 3)
            for other in (hosts[0], hosts[2]):
                hosts[1].run("ip", "route", "add", "blackhole", f"{other.address}/32")

            def at_the_third():
                return f"connected to amqp://nuropb:***@{hosts[2].address}:" in gateway.meshd.log()
            await eventually(at_the_third, lambda: gateway.meshd.tail(20), 120)
            assert "541 " in gateway.meshd.log(), "the node itself said that it has no majority"
            await answered(ann, demo.service, "add", {"a": 3, "b": 4}, 7)
            assert ann.open_still and gateway.page("readyz")[0] == 200
            await ann.close()
            await asyncio.to_thread(gateway.stop)
        finally:
            gateway.end()
