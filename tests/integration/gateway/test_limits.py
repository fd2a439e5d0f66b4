"""Limits against clients that exceed them: per user, exact over all edges; and memory for a client that never reads."""

import asyncio
import json
import time

import pika
import pytest
import websockets

from support.consumer import Closed, Consumer, RawSocket
from support.manual_service import ManualService
from support.services import unique
from support.waiting import eventually
from test_metrics import value

MIB = 1024 * 1024


@pytest.fixture
def open_policy(folder):
    file = folder / "policy.toml"
    file.write_text('default = ["request", "command", "describe", "event", "subscribe"]\n')
    return {"policy_file": str(file)}


async def hello_or_close(edge, token="secret-ann"):
    """A consumer past its hello, or the code and reason with which it was closed before it."""
    consumer = await Consumer.open(edge.url, token=token, hello=False)
    if await consumer.other():
        return consumer
    return await consumer.closed()


@pytest.mark.limit(90)
async def test_connections_of_a_user_over_four_edges(gateways):  # provokes: 4006
    gateway = gateways(edges=4, settings={"limits": {"connections_per_user": 5}})
    at_once = await asyncio.gather(*(hello_or_close(edge) for edge in gateway.edges for _ in range(6)))
    inside = [one for one in at_once if isinstance(one, Consumer)]
    assert len(inside) == 5, at_once
    assert {one for one in at_once if not isinstance(one, Consumer)} == {(4006, "too many connections of this user")}
    async with await Consumer.open(gateway.url, token="secret-bob"):
        pass  # another user's number is his own

    await inside.pop().close()
    async def another():
        one = await hello_or_close(gateway.edges[1])
        if isinstance(one, Consumer):
            inside.append(one)
        return isinstance(one, Consumer)
    await eventually(another, lambda: "one that leaves makes room for another")
    assert await hello_or_close(gateway.edges[2]) == (4006, "too many connections of this user")

    # A dead edge's sockets are nobody's any more.
    gateway.edges[0].process.kill()
    await eventually(lambda: value(gateway, "workers") == 3, lambda: "meshd has noticed")
    await eventually(lambda: value(gateway, "sessions") == sum(one.open_still for one in inside), lambda: "its sessions are gone")
    left = value(gateway, "sessions")
    for _ in range(5 - left):
        one = await hello_or_close(gateway.edges[3])
        assert isinstance(one, Consumer), one
    assert await hello_or_close(gateway.edges[3]) == (4006, "too many connections of this user")

    # Nor does a restart of meshd lose count: every session is presented to the new one.
    gateway.meshd.kill()
    gateway.start_meshd()
    gateway.edges = gateway.edges[1:]
    gateway.until_ready()
    await eventually(lambda: value(gateway, "sessions") == 5, lambda: "all are back")
    assert await hello_or_close(gateway.edges[0]) == (4006, "too many connections of this user")
    assert value(gateway, 'refused_by_limit_total{limit="connections_per_user"}') == 1
    await eventually(lambda: value(gateway, 'closes_total{code="4006"}') >= 1, "it is counted by code")


async def test_messages_of_a_user_over_four_edges(gateways, broker_url):
    burst, sent = 60, 100
    gateway = gateways(edges=4, settings={"limits": {"user_messages_per_s": 1, "user_messages_burst": burst}})
    async with ManualService(broker_url, unique("counted")) as service:
        sockets = [await Consumer.open(edge.url) for edge in gateway.edges for _ in range(2)]
        bob = await Consumer.open(gateway.url, token="secret-bob")
        begun = time.monotonic()
        waiting = [await sockets[number % len(sockets)].begin(service.name, "run", {"n": number}) for number in range(sent)]
        await eventually(lambda: sum(one.done() for one in waiting) + service.calls.qsize() == sent, lambda: "each is refused or reaches the service")
        within = int(time.monotonic() - begun) + 1
        refusals = [one.result() for one in waiting if one.done()]
        assert sent - burst - within <= len(refusals) <= sent - burst
        for refusal in refusals:
            assert refusal["error"]["error"] == "NuropbTransportError"
            assert "limits.user_messages_per_s" in refusal["error"]["description"]
            assert "outcome" not in refusal["error"], "it was not sent"
        calls = await service.next_calls(sent - len(refusals))
        asked = await bob.begin(service.name, "of bob")
        last = await service.next_call()
        assert last.body["method"] == "of bob", "and no refused one reached the service"
        for call in [*calls, last]:
            service.answer(call, result=1)
        assert all(answer["result"] == 1 for answer in await asyncio.gather(asked, *(one for one in waiting if not one.done())))
        await asyncio.gather(bob.close(), *(one.close() for one in sockets))
    assert value(gateway, 'refused_by_limit_total{limit="user_messages_per_s"}') == len(refusals)


async def test_a_user_who_floods_over_many_sockets_is_closed(gateways, demo):  # provokes: 4005
    gateway = gateways(edges=2, settings={"limits": {"user_messages_per_s": 10, "user_messages_burst": 20}})
    flood = [await Consumer.open(edge.url) for edge in gateway.edges for _ in range(2)]
    async with await Consumer.open(gateway.url, token="secret-bob") as bob:
        async def send_on(consumer):
            try:
                while True:
                    await consumer.begin(demo, "echo", {"value": 1})
                    await asyncio.sleep(0)
            except websockets.ConnectionClosed:
                return await consumer.closed()
        assert set(await asyncio.gather(*map(send_on, flood))) == {(4005, "over limits.user_messages_per_s for too long")}
        assert await bob.result(demo, "echo", {"value": 2}) == {"value": 2}
    async def comes_again():
        """It finds its rate limiter as it left it, so that only a pause helps."""
        async with await Consumer.open(gateway.url) as back:
            try:
                return (await back.request(demo, "echo", {"value": 3}))["error"] is None
            except Closed:
                return False
    await eventually(comes_again, lambda: "after a pause it is taken again")


async def test_bytes_of_a_user(gateways, demo):
    gateway = gateways(settings={"limits": {"user_bytes_per_s": 1000, "user_bytes_burst": 100_000}})
    async with await Consumer.open(gateway.url) as one, await Consumer.open(gateway.url) as other:
        assert (await one.request(demo, "echo", {"value": "x" * 60_000}))["error"] is None
        refusal = (await other.request(demo, "echo", {"value": "x" * 60_000}))["error"]
        assert "limits.user_bytes_per_s" in refusal["description"]
        assert (await other.request(demo, "echo", {"value": "x" * 20_000}))["error"] is None


async def test_what_an_edge_says_again_after_a_restart_is_not_the_users_rate(gateways, open_policy, broker_url):
    gateway = gateways(settings={"auth": open_policy, "limits": {"user_messages_per_s": 1, "user_messages_burst": 12}})
    topic = unique("kept")
    async with await Consumer.open(gateway.url) as ann:
        for number in range(12):
            await ann.done("subscribe", topic=f"{topic}.{number}")
        gateway.meshd.kill()
        gateway.start_meshd()
        gateway.until_ready()
        await eventually(lambda: value(gateway, "topics") == 12, lambda: f"all twelve are back: {value(gateway, 'topics')}")
        assert value(gateway, 'refused_by_limit_total{limit="user_messages_per_s"}') == 0
        assert ann.others.empty()


async def test_subscriptions_of_a_session(gateways, open_policy):
    gateway = gateways(settings={"auth": open_policy, "events": {"subscriptions_per_session": 3}})
    async with await Consumer.open(gateway.url) as ann:
        for number in range(3):
            await ann.done("subscribe", topic=f"many.{number}")
        for number in range(50):
            assert await ann.refused("subscribe", topic=f"more.{number}") == "NuropbTransportError"
        assert value(gateway, "topics") == 3
        assert value(gateway, 'refused_by_limit_total{limit="subscriptions_per_session"}') == 50


async def test_requests_that_one_socket_has_outstanding(gateways, broker_url):
    gateway = gateways(settings={"limits": {"pending_per_session": 10}})
    async with ManualService(broker_url, unique("held")) as service, await Consumer.open(gateway.url) as ann:
        waiting = [await ann.begin(service.name, "hold", {"n": number}) for number in range(500)]
        calls = await service.next_calls(10)
        await eventually(lambda: sum(one.done() for one in waiting) == 490, lambda: "490 are refused")
        assert all("limits.pending_per_session" in one.result()["error"]["description"] for one in waiting if one.done())
        await eventually(lambda: value(gateway, 'refused_by_limit_total{limit="pending_per_session"}') == 490, "they are counted")
        for call in calls:
            service.answer(call, result=1)
        await asyncio.gather(*waiting)


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


@pytest.mark.limit(120)
async def test_the_memory_of_sockets_that_never_read(gateways, open_policy, broker_url, demo):
    """Ten consumers subscribe to prices and never read again; some 60 MiB of events are published for each."""
    bound, slow_ones, events, size = 256 * 1024, 10, 1000, 64 * 1024
    topic = unique("prices")
    gateway = gateways(settings={
        "auth": open_policy, "limits": {"send_queue_bytes": bound}, "events": {"when_full": [f"{topic}.# drop_oldest"]},
        "listen": {"ping_interval_s": 0}})  # who answers no pings would be closed for that
    edge = gateway.edges[0]
    slow = []
    for _ in range(slow_ones):
        raw = await RawSocket.connect("127.0.0.1", edge.port, receive_buffer=4096, limit=4096)
        await raw.send(raw.upgrade(Authorization="Bearer secret-bob"))
        assert await raw.response() == 101
        await raw.read_frame()
        await raw.send(raw.frame(json.dumps({"type": "subscribe", "payload": {"topic": f"{topic}.#", "trace_id": "s"}})))
        await raw.read_frame()
        slow.append(raw)
    async with await Consumer.open(gateway.url) as reader:
        await reader.done("subscribe", topic=f"{topic}.#")
        before = resident(edge.process.pid)

        most = 0
        with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
            channel = connection.channel()
            head = {"nuropb_protocol": "0.1.1", "nuropb_version": "0.1.8", "nuropb_type": "event", "trace_id": "t", "encrypted": ""}
            properties = pika.BasicProperties(content_type="application/json", correlation_id="c", headers=head)
            for number in range(events):
                body = {"tag": "event", "topic": f"{topic}.a", "event": [number, "x" * size], "context": {}, "trace_id": "t", "correlation_id": "c", "target": None}
                channel.basic_publish("nuropb-events-exchange", f"{topic}.a", json.dumps(body).encode(), properties)
                payload = await reader.event()
                assert payload["event"][0] == number and "dropped" not in payload, "who reads misses nothing"
                if number % 50 == 0:
                    most = max(most, resident(edge.process.pid))
        most = max(most, resident(edge.process.pid))
        # What they may hold, twice over, and what the edge needs for its work; without a bound it would be 600 MiB.
        assert most - before < slow_ones * bound * 2 + 8 * MIB, f"{(most - before) / MIB:.1f} MiB more"
        assert value(gateway, "sessions") == slow_ones + 1, "nobody was closed"
        await eventually(lambda: value(gateway, "left_out_events_total") > slow_ones * events * 0.5, "what was left out is counted")
        assert await reader.result(demo, "echo", {"value": 1}) == {"value": 1}

    # One of them reads again: first what the kernel and the queue held, then a gap that is told, then the newest.
    numbers, told = [], 0
    while not numbers or numbers[-1] != events - 1:
        payload = json.loads((await slow[0].read_frame())[1])["payload"]
        assert payload["event"][0] == (numbers[-1] if numbers else -1) + 1 + payload.get("dropped", 0)
        numbers.append(payload["event"][0])
        told += payload.get("dropped", 0)
    assert told == events - len(numbers) > 0
    for raw in slow:
        await raw.close()
