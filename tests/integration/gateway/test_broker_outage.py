"""The broker stops, starts, hangs and runs out of memory under traffic. Sockets don't notice; requests get one outcome."""

import asyncio
import json
from collections import Counter

import pytest

from support.consumer import Consumer
from support.gateway import health
from support.manual_service import ManualService
from support.metrics import value
from support.services import demo_service, unique
from support.waiting import eventually

COMMANDS = {"files": {"policy.toml": 'default = ["request", "command"]\n'}, "settings": {"auth": {"policy_file": "policy.toml"}}}
OUTCOMES = ("NuropbTransportError", "NuropbTimeoutError", "NuropbNotDeliveredError")


class Traffic:
    """Clients that send one request after another and record the outcome of each."""

    def __init__(self, consumers, service, ttl):
        self.consumers, self.service, self.ttl = consumers, service, ttl
        self.right, self.refused, self.wrong = [0] * len(consumers), [], []
        self._stop = False
        self._tasks = [asyncio.create_task(self._ask(n, consumer)) for n, consumer in enumerate(consumers)]

    async def _ask(self, number, consumer):
        count = 0
        while not self._stop:
            count += 1
            value = f"{number}/{count}"
            answer = await consumer.request(self.service, "echo", {"value": value}, timeout=90, trace_id=f"traffic-{count}", ttl=self.ttl)
            if answer["error"] is None and answer["result"] == {"value": value}:
                self.right[number] += 1
            elif answer["error"] is not None and answer["error"]["error"] in OUTCOMES:
                self.refused.append(answer["error"])
            else:
                self.wrong.append(answer)

    async def more(self, count=20):
        """Waits until every client has received this many more correct answers."""
        for task in self._tasks:
            if task.done():
                task.result()
        goal = [n + count for n in self.right]
        await eventually(lambda: all(n >= g for n, g in zip(self.right, goal)), lambda: f"traffic flows: {self.right}, {self.refused[-3:]}", 90)

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, *_):
        self._stop = True
        if kind:  # the test has failed: let nobody wait for what won't come
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            return
        await asyncio.gather(*self._tasks)
        assert not self.wrong, self.wrong[:3]
        for consumer in self.consumers:
            assert consumer.open_still
            assert all(len(seen) == 1 for seen in consumer.answers.values()), "a request had two outcomes"
            assert consumer.others.empty()


def broker_state(gateway):
    return [edge.health() for edge in gateway.edges]


@pytest.mark.limit(300)
@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_the_broker_goes_and_comes_back_under_traffic(private_broker, gateways, folder, end):
    gateway = gateways(private_broker.url, edges=2, **COMMANDS)
    with demo_service(private_broker.url, folder) as demo:
        consumers = [await Consumer.open(edge.url) for edge in gateway.edges for _ in range(5)]
        async with Traffic(consumers, demo.service, ttl=8_000) as traffic:
            await traffic.more()
            await asyncio.to_thread(getattr(private_broker, end))
            await eventually(lambda: not any(edge.ready() for edge in gateway.edges), lambda: f"the edges know: {broker_state(gateway)}")
            # While it is away, the gateway takes new consumers: authorization needs no broker. And it keeps its word on
            # how long a request may take.
            async with await Consumer.open(gateway.url) as late:
                answer = await late.request(demo.service, "echo", {"value": 1}, ttl=300)
                assert answer["error"]["error"] in ("NuropbTimeoutError", "NuropbTransportError"), answer
                # A command goes on to meshd all the same, and what its socket says behind it is read.
                command = await late.begin_verb("command", service=demo.service, method="echo", params={"value": "x" * 50_000}, ttl=150_000)
                await eventually(lambda: value(gateway, "amqp_queued_bytes") > 50_000, "it waits in meshd")
                answer = await late.request(demo.service, "echo", {"value": 1}, ttl=300)
                assert "was not sent" in answer["error"]["description"], answer
                await asyncio.to_thread(private_broker.start)
                assert (await asyncio.wait_for(command, 90))["error"] is None
            await traffic.more()
        assert all(edge.ready() for edge in gateway.edges)
        await asyncio.gather(*(consumer.close() for consumer in consumers))
        await eventually(lambda: all(body["pending"] == 0 for _, body in broker_state(gateway)), "nothing is pending")


@pytest.mark.limit(90)
async def test_a_broker_that_hangs_stops_nobody_else(private_broker, gateways, folder):
    """SIGSTOP: the broker's sockets stay open, and nothing is read from them. Writing to them must not block meshd."""
    gateway = gateways(private_broker.url)
    with demo_service(private_broker.url, folder) as demo:
        async with await Consumer.open(gateway.url) as consumer:
            assert await consumer.result(demo.service, "echo", {"value": 1}) == {"value": 1}
            private_broker.suspend()
            filler = "x" * 500_000  # some MiB, so that the kernel's buffers are full and a blocking write would block
            waiting = [await consumer.begin(demo.service, "echo", {"value": filler}, ttl=1500) for _ in range(30)]
            async with await Consumer.open(gateway.url, "secret-bob"):
                pass  # whose token meshd has judged, though the broker hangs
            assert health(gateway.edges[0].port)[0] in (200, 503)
            outcomes = [(await asyncio.wait_for(answer, 45))["error"] for answer in waiting]
            assert {outcome["error"] for outcome in outcomes} <= set(OUTCOMES), outcomes[:3]
            private_broker.resume()

            async def flows():
                return (await consumer.request(demo.service, "echo", {"value": 2}, ttl=2000))["error"] is None
            await eventually(flows, "traffic flows again", 60)
            assert consumer.open_still and consumer.others.empty()


@pytest.mark.limit(90)
async def test_commands_are_the_last_that_a_blocked_broker_holds_back(private_broker, gateways):
    gateway = gateways(private_broker.url, edges=1, **COMMANDS)
    pending = lambda: gateway.edges[0].health()[1]["pending"]
    async with ManualService(private_broker.url, unique("noted")) as service:
        async with await Consumer.open(gateway.url) as ann, await Consumer.open(gateway.url, "secret-bob") as bob:
            known = await ann.begin(service.name, "before")  # or commands would wait for the description of their service
            service.answer(await service.next_call(), result=1)
            await asyncio.wait_for(known, 45)
            await asyncio.to_thread(private_broker.ctl, "set_vm_memory_high_watermark", "0.000001")
            try:
                # It blocks a connection when something is published on it.
                first = await ann.begin(service.name, "first", ttl=60_000)
                await eventually(lambda: broker_state(gateway)[0][1]["broker"] == "blocked", "the edge knows")
                asked = await ann.begin(service.name, "ask", ttl=60_000)
                count, params = 100, {"filler": "x" * 20_000}

                async def send():
                    return [await bob.begin_verb("command", service=service.name, method="note", params=params, ttl=60_000) for _ in range(count)]
                sending = asyncio.create_task(send())
                early = (512 * 1024) // (len(json.dumps(params)) + 512)
                await eventually(lambda: pending() == 1 + early, lambda: f"{pending()} pending, {early} commands expected")
                await eventually(lambda: early * 20_000 < value(gateway, "amqp_queued_bytes"), "they are with meshd")
                assert value(gateway, "amqp_queued_bytes") < 600_000
                async with await Consumer.open(gateway.url, "secret-bob"):
                    pass  # for whom there is room still
                assert pending() == 1 + early, "the rest, and the request, are still in their sockets"
                assert not asked.done()
            finally:
                await asyncio.to_thread(private_broker.ctl, "set_vm_memory_high_watermark", "0.4")
            done = await sending
            calls = await service.next_calls(count + 2)
            assert Counter(call.method for call in calls) == {"first": 1, "ask": 1, "note": count}
            for call in calls:
                if call.method != "note":
                    service.answer(call, result=call.method)
            assert [(await asyncio.wait_for(answer, 45))["result"] for answer in (first, asked)] == ["first", "ask"]
            assert not [answer for answer in await asyncio.wait_for(asyncio.gather(*done), 45) if answer["error"]]


@pytest.mark.limit(90)
async def test_a_request_whose_consumer_is_gone_before_it_was_published_is_dropped(private_broker, gateways):
    # The broker is suspended for longer, on a slow machine, than it might be silent otherwise.
    gateway = gateways(private_broker.url, edges=1, settings={"amqp": {"heartbeat_s": 120}})
    async with ManualService(private_broker.url, unique("asked")) as service:
        async with await Consumer.open(gateway.url) as ann, await Consumer.open(gateway.url, "secret-bob") as bob:
            await ann.begin(service.name, "first", ttl=60_000)
            assert (await service.next_call()).method == "first"
            # The broker has taken a body of that size, so all that follow go over one channel, in their order.
            large = await ann.begin(service.name, "large", {"text": "x" * 101_000}, ttl=60_000)
            service.answer(await service.next_call(), result=True)
            await large
            private_broker.suspend()
            # More than the kernel takes on the way to a broker that does not read; what comes then waits in meshd.
            for _ in range(200):
                await ann.begin(service.name, "fill", {"text": "x" * 100_000}, ttl=60_000)
            await bob.begin(service.name, "late", ttl=60_000)
            await eventually(lambda: gateway.edges[0].health()[1]["pending"] == 202, lambda: f"all are taken: {gateway.edges[0].health()}")
            await eventually(lambda: value(gateway, "amqp_queued_bytes") > 1_500_000, "some wait in meshd")
            await bob.close()
            await eventually(lambda: value(gateway, "sessions") == 1, "meshd knows that bob is gone")
            private_broker.resume()
            assert {call.method for call in await service.next_calls(200)} == {"fill"}
            await ann.begin(service.name, "last", ttl=60_000)
            assert (await service.next_call()).method == "last", "a request of nobody was sent"


@pytest.mark.limit(90)
async def test_a_broker_without_memory(private_broker, gateways, folder):
    """connection.blocked: requests wait up to their TTL, the gateway stays responsive, and all recovers."""
    gateway = gateways(private_broker.url)
    with demo_service(private_broker.url, folder) as demo:
        # Two sockets: what waits for the broker holds up what its own socket sends behind it (nobody reads that).
        async with await Consumer.open(gateway.url) as consumer, await Consumer.open(gateway.url) as other:
            assert await consumer.result(demo.service, "echo", {"value": 1}) == {"value": 1}
            await asyncio.to_thread(private_broker.ctl, "set_vm_memory_high_watermark", "0.000001")
            try:
                # The broker blocks a connection when it next publishes; from then on nothing gets through.
                async def blocked():
                    await consumer.request(demo.service, "echo", {"value": 2}, ttl=300)
                    return broker_state(gateway)[0][1]["broker"] == "blocked"
                await eventually(blocked, "requests wait for the broker")
                patient = await other.begin(demo.service, "echo", {"value": "patient"}, ttl=120_000)
                assert (await consumer.request(demo.service, "echo", {"value": 3}, ttl=300))["error"]["error"] == "NuropbTimeoutError"
                assert health(gateway.edges[0].port)[1]["sessions"] == 2
                async with await Consumer.open(gateway.url, "secret-bob"):
                    pass
                assert not patient.done(), "all that while it was blocked"
            finally:
                await asyncio.to_thread(private_broker.ctl, "set_vm_memory_high_watermark", "0.4")
            assert (await asyncio.wait_for(patient, 60))["result"] == {"value": "patient"}
            for each in (consumer, other):
                assert await each.result(demo.service, "echo", {"value": 4}) == {"value": 4}
                assert each.others.empty()
