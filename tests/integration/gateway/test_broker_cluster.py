"""A cluster loses the node that we are on."""

import asyncio

import pytest

from support.broker import Broker
from support.consumer import Consumer
from support.manual_service import ManualService
from support.services import unique
from support.waiting import eventually

OPEN = 'default = ["request", "command", "describe", "event", "subscribe"]\n'


@pytest.fixture
def nodes(folder):
    first = Broker(folder / "first")
    second = Broker(folder / "second", join=first)
    started = [first, second]
    try:
        first.start()
        second.start()
        if int(first.ctl("version").split(".")[0]) >= 4:
            # Khepri goes on with a majority only, and one of two is none.
            started.append(Broker(folder / "third", join=first))
            started[-1].start()
        yield first, second
    finally:
        for node in reversed(started):
            node.stop()


@pytest.mark.limit(150)
async def test_the_node_that_we_are_on_is_lost(nodes, gateways):
    first, second = nodes
    gateway = gateways(first.url, edges=2, files={"policy.toml": OPEN},
                       settings={"auth": {"policy_file": "policy.toml"}, "amqp": {"urls": [first.url, second.url]}})
    # A service's queue lives on the node where it was declared: this one's on the node that stays.
    async with ManualService(second.url, unique("cluster")) as service:
        ann, bob = [await Consumer.open(edge.url) for edge in gateway.edges]
        asked = await ann.begin(service.name, "first")
        service.answer(await service.next_call(), result=0)
        await asyncio.wait_for(asked, 45)
        topic = unique("cluster")
        await bob.done("subscribe", topic=topic)
        held = await ann.begin(service.name, "held", ttl=20_000)
        await service.next_call()

        await asyncio.to_thread(first.kill)
        await eventually(lambda: "broker not ready" in gateway.meshd.log(), "meshd knows that it is gone: what comes now is not sent there")
        waiting = await ann.begin(service.name, "waiting", ttl=60_000)
        call = await service.next_call()
        assert call.method == "waiting"
        service.answer(call, result="through the other node")
        assert (await asyncio.wait_for(waiting, 45))["result"] == "through the other node"

        async def comes():
            # RabbitMQ 4 says no to the publisher as long as one of the topic's queues is on a node that is down, ours of before
            # among them. All others get the event all the same.
            await (await ann.begin_verb("event", topic=topic, event="come"))
            try:
                return (await bob.event(2.0))["event"] == "come"
            except asyncio.TimeoutError:
                return False
        await eventually(comes, "events come through the other node", 60)
        error = (await asyncio.wait_for(held, 45))["error"]  # its answer was for a queue that is gone
        assert error["error"] == "NuropbTimeoutError" or error["outcome"] == "unknown", error

        # RabbitMQ 3.10 returns what is for a queue on that node, RabbitMQ 4 refuses it.
        assert await ann.refused("describe", service=gateway.name) in ("NuropbNotDeliveredError", "NuropbTransportError"), "its own queue was there"

        # The first comes back, and only the gateway's own methods notice: their queue is there again.
        await asyncio.to_thread(first.start)

        async def described():
            return (await asyncio.wait_for(await ann.begin_verb("describe", service=gateway.name), 45))["error"] is None
        await eventually(described, "the gateway's own methods", 60)
        again = await ann.begin(service.name, "again")
        service.answer(await service.next_call(), result="again")
        assert (await asyncio.wait_for(again, 45))["result"] == "again"
        for consumer in (ann, bob):
            assert consumer.open_still and all(len(seen) == 1 for seen in consumer.answers.values())
            await consumer.close()
