"""A client waits for its TTL, and later answers are dropped."""

import asyncio
import time

import pytest

from support.consumer import Consumer
from support.manual_service import ManualService
from support.services import unique
from support.waiting import eventually


async def test_slow_is_given_up_after_its_ttl(gateway, demo):
    async with await Consumer.open(gateway.url) as consumer:
        begun = time.monotonic()
        answer = await consumer.request(demo, "slow", {"ms": 5000}, ttl=200)
        took = time.monotonic() - begun
        assert answer["result"] is None and answer["error"]["error"] == "NuropbTimeoutError", answer
        assert 0.15 < took, took  # and before the service has answered, or it would have been that
        assert await consumer.result(demo, "slow", {"ms": 10}) is not None


async def test_the_late_answer_is_ignored(gateway, broker_url):
    async with ManualService(broker_url, unique("late")) as service, await Consumer.open(gateway.url) as consumer:
        for ttl in (150, 1000, 5000, 20_000):  # on a slow machine it may expire before it comes to the service
            waiting = await consumer.begin(service.name, "m", ttl=ttl)
            assert (await waiting)["error"]["error"] == "NuropbTimeoutError"
            if not service.calls.empty():
                break
        call = await service.next_call()
        assert call.method == "m" and 0 < int(call.properties.expiration) <= ttl
        service.answer(call, result="too late")
        fence = await consumer.begin(service.name, "fence")
        while (call := await service.next_call()).method != "fence":
            service.answer(call, result="too late")
        service.answer(call, result="fence")
        assert (await fence)["result"] == "fence"
        assert all(len(seen) == 1 for seen in consumer.answers.values()) and consumer.others.empty()
        await eventually(lambda: gateway.edges[0].health()[1]["pending"] == 0, "nothing is pending")


async def test_the_default_ttl_is_the_configs(gateways, broker_url):
    gateway = gateways(settings={"request": {"ttl_ms": 300}})
    async with ManualService(broker_url, unique("silent")) as service, await Consumer.open(gateway.url) as consumer:
        answer = await consumer.request(service.name, "m")
        assert answer["error"]["error"] == "NuropbTimeoutError"


async def test_a_request_that_nobody_fetches_expires(gateway, broker_url):
    """The queue is there and bound, but its service is down."""
    name = unique("down")
    async with ManualService(broker_url, name) as service:
        service._on_thread(service._channel.stop_consuming)  # leaves the queue as a stopped service does
        await asyncio.to_thread(service._thread.join, 10)
        async with await Consumer.open(gateway.url) as consumer:
            answer = await consumer.request(name, "m", ttl=200)
            assert answer["error"]["error"] == "NuropbTimeoutError"
        service._link.channel().queue_delete(service.queue_name)
        service._link.close()


@pytest.mark.parametrize("ttl", [-1, "soon", 1.5, [], {}, True])
async def test_a_ttl_that_is_none(gateway, demo, ttl):
    """A clear error, and the socket stays open."""
    async with await Consumer.open(gateway.url) as consumer:
        await consumer.send({"type": "request", "payload": {"service": demo, "method": "echo", "params": {}, "trace_id": "t", "ttl": ttl}})
        refusal = await consumer.other()
        error = refusal.get("error") or refusal["payload"]["error"]["error"]
        assert error and "ttl" in str(refusal), refusal
        assert await consumer.result(demo, "echo", {"a": 1}, ttl=None) == {"a": 1}


async def test_many_timeouts_at_once(gateway, broker_url):
    async with ManualService(broker_url, unique("silent")) as service, await Consumer.open(gateway.url) as consumer:
        waiting = [await consumer.begin(service.name, "m", ttl=100 + n % 7 * 50) for n in range(500)]
        errors = {(await answer)["error"]["error"] for answer in waiting}
        assert errors == {"NuropbTimeoutError"}
        await eventually(lambda: gateway.edges[0].health()[1]["pending"] == 0, "nothing is pending")
