"""gateway.mesh = "loopback": all that consumers can do, with no broker anywhere."""

import asyncio
import json
import os

import pytest

from support.consumer import Consumer
from support.lines import LineConsumer
from support.ports import free_port
from support.services import unique
from support.waiting import eventually

POLICY = 'default = ["request", "command", "describe", "event", "subscribe"]\n'


@pytest.fixture
def loopback(gateways):
    """A gateway for whose broker's port there is no listener."""
    return gateways(f"amqp://guest:guest@127.0.0.1:{free_port()}/", edges=2, files={"policy.toml": POLICY}, settings={
        "gateway": {"mesh": "loopback"}, "auth": {"policy_file": "policy.toml"},
        "lines": {"enabled": True, "port": 0, "service_name": unique("lines")}})


async def test_all_that_consumers_say_is_answered(loopback):
    async with await Consumer.open(loopback.edges[0].url) as ann, await Consumer.open(loopback.edges[1].url, "secret-bob") as bob:
        params = {"deep": [1, {"täxt": "😀"}, None], "number": 12345678901234567890}
        asked = [await ann.begin("any", "method", {**params, "number": number}) for number in range(500)]
        assert [answer["result"]["number"] for answer in await asyncio.gather(*asked)] == list(range(500))
        assert await ann.result("any", "method", params) == params
        assert await ann.done("command", service="any", method="method", params=params) is None
        described = await ann.done("describe", service="any")
        assert described["service_name"] == "any" and list(described["methods"]) == ["echo"]

        topic = unique("topic")
        await bob.done("subscribe", topic=f"{topic}.*")
        async with await LineConsumer.open(loopback.edges[0]) as line:
            await line.done("subscribe", topic=f"{topic}.#")
            await ann.done("event", topic=f"{topic}.a", event={"n": 1})
            for heard in (bob, line):
                payload = await heard.event()
                assert (payload["topic"], payload["event"]) == (f"{topic}.a", {"n": 1})
        await bob.done("unsubscribe", topic=f"{topic}.*")
        await ann.done("event", topic=f"{topic}.b", event=None)
        assert await bob.result("any", "method") == {}
        assert bob.others.empty()


async def test_with_much_to_do_they_stop_nobody_who_is_at_work(loopback):
    """common/scheduling_by_load.hpp, as the kernel sees it, within the list of system calls."""
    processes = [loopback.edges[0].process.pid, loopback.meshd.pid]

    def policies():
        return {os.sched_getscheduler(pid) for pid in processes}  # of the first thread of each, which has the rings

    async with await LineConsumer.open(loopback.edges[0]) as line:
        def messages():
            """All at once, so that our writing speed does not matter."""
            return b"\n".join(json.dumps({"type": "request", "payload": {"service": "any", "method": "m", "params": {}, "trace_id": f"b{n}"}}).encode() for n in range(1000))

        async def burst():
            await line.ws.send(messages())
            assert await line.result("any", "echo", {"behind": "them"}) == {"behind": "them"}
            return policies() == {os.SCHED_BATCH}

        assert policies() == {os.SCHED_OTHER}
        assert await line.result("any", "echo", {}) == {} and policies() == {os.SCHED_OTHER}
        await eventually(burst, "edge and meshd run as batches")
        await eventually(lambda: policies() == {os.SCHED_OTHER}, "and no longer so, with nothing to do")


async def test_it_outlives_its_meshd(loopback):
    async with await Consumer.open(loopback.edges[0].url) as ann:
        assert await ann.result("any", "echo", {"n": 1}) == {"n": 1}
        loopback.meshd.kill()
        loopback.start_meshd()
        assert await ann.result("any", "echo", {"n": 2}) == {"n": 2}
