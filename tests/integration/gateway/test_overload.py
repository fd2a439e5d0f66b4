"""More load than a service or the broker can take: memory stays within its bounds, everybody is told, and it is over when it
is over. NUROPB_OVERLOAD_S=60 for longer."""

import asyncio
import os
import time
from collections import Counter
from urllib.parse import urlsplit

import pytest

from support.broker import with_parts
from support.consumer import Consumer
from support.cut import Cut
from support.manual_service import ManualService
from support.services import unique
from support.waiting import eventually

SECONDS = float(os.environ.get("NUROPB_OVERLOAD_S", 5))
MiB = 1 << 20
RING, QUEUED, SEND_QUEUE, MESSAGE, PENDING = MiB, 4 * MiB, MiB, 256 * 1024, 50
EDGES, SOCKETS = 2, 20
SETTINGS = {
    "rings": {"request_bytes": RING, "return_bytes": RING},
    "amqp": {"queued_bytes": QUEUED},
    "limits": {"message_bytes": MESSAGE, "send_queue_bytes": SEND_QUEUE, "pending_per_session": PENDING},
}
# What each may grow by, beside the memory that an allocator does not give back and what libraries keep for themselves.
SLACK = 16 * MiB
# Both rings are its own memory too; a socket may have its queue full, one read buffer and the message that it completes.
OF_AN_EDGE = 2 * RING + SOCKETS // EDGES * (SEND_QUEUE + 64 * 1024 + MESSAGE) + SLACK
# For each edge both rings and an outbox of four return rings; what waits to be published, here and in the transport.
OF_MESHD = EDGES * (2 * RING + 4 * RING) + 2 * QUEUED + SLACK


class Memory:
    """The peak resident memory of each process above its initial value."""

    def __init__(self, gateway):
        self.pids = {"meshd": gateway.meshd.pid, **{f"edge {edge.number}": edge.process.pid for edge in gateway.edges}}
        self.first = {name: self.resident(pid) for name, pid in self.pids.items()}
        self.most = Counter()

    @staticmethod
    def resident(pid):
        with open(f"/proc/{pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

    def look(self):
        for name, pid in self.pids.items():
            self.most[name] = max(self.most[name], self.resident(pid) - self.first[name])

    def check(self):
        bounds = {name: OF_MESHD if name == "meshd" else OF_AN_EDGE for name in self.pids}
        print("MiB grown by at most, of what is allowed:", ", ".join(f"{name} {self.most[name] / MiB:.1f} of {bound / MiB:.1f}" for name, bound in bounds.items()))
        assert all(self.most[name] <= bound for name, bound in bounds.items()), (self.most, bounds)


class Flood:
    """Clients that send as fast as they may, for this many seconds."""

    def __init__(self, gateway, consumers, service, size, ttl):
        self.gateway, self.consumers, self.service, self.size, self.ttl = gateway, consumers, service, size, ttl
        self.asked, self.outcomes, self.memory = [], Counter(), Memory(gateway)

    async def run(self):
        until = time.monotonic() + SECONDS
        sending = [asyncio.create_task(self.send(one, until)) for one in self.consumers]
        while time.monotonic() < until:
            await asyncio.sleep(0.1)
            self.memory.look()
        return sending

    async def send(self, consumer, until):
        filler = "x" * self.size
        while time.monotonic() < until:
            try:
                future = await asyncio.wait_for(consumer.begin(self.service, "work", {"filler": filler}, ttl=self.ttl), max(0.01, until - time.monotonic()))
            except asyncio.TimeoutError:
                return  # it was slowed
            self.asked.append(future)
            await asyncio.sleep(0)

    async def settle(self, sending):
        await asyncio.gather(*sending)
        for future in self.asked:
            answer = await asyncio.wait_for(future, self.ttl / 1000 + 45)
            error = answer["error"]
            self.outcomes["answered" if error is None else error["error"] if "outcome" not in error else "unknown"] += 1
        self.memory.look()
        print(f"{SECONDS:.0f} s:", dict(self.outcomes))
        assert set(self.outcomes) <= {"answered", "NuropbTimeoutError", "NuropbTransportError"}, self.outcomes
        assert all(consumer.open_still and all(len(seen) == 1 for seen in consumer.answers.values()) for consumer in self.consumers)


def sockets(gateway):
    return asyncio.gather(*(Consumer.open(gateway.edges[n % EDGES].url, max_queue=None) for n in range(SOCKETS)))


@pytest.mark.limit(90 + 2 * SECONDS)
async def test_more_than_a_service_can_take(gateways, broker_url, demo):
    """Another service's requests are answered all the while."""
    gateway = gateways(edges=EDGES, settings=SETTINGS)
    async with ManualService(broker_url, unique("busy")) as service:
        consumers = await sockets(gateway)
        other = await Consumer.open(gateway.url, "secret-bob")
        flood = Flood(gateway, consumers, service.name, 500, ttl=2500)  # more than 400 a second are too many for limits.pending_per_session
        working = True

        async def work():  # a hundred a second
            while working:
                call = await service.calls.get()
                service.answer(call, result=1)
                await asyncio.sleep(0.01)
        worker = asyncio.create_task(work())
        served = 0

        async def unconcerned():
            nonlocal served
            while True:
                assert await other.result(demo, "echo", {"value": 1}) == {"value": 1}
                served += 1
                await asyncio.sleep(0.05)
        watching = asyncio.create_task(unconcerned())
        await flood.settle(await flood.run())
        flood.memory.check()
        assert flood.outcomes["NuropbTimeoutError"] and flood.outcomes["NuropbTransportError"], "too late, and over limits.pending_per_session"
        assert not watching.done() and served >= 5, served
        watching.cancel()
        worker.cancel()
        # It is over: what is asked now is answered at once, by the service as well, which has dropped its backlog.
        while not service.calls.empty():
            service.calls.get_nowait()
        asked = [await consumer.begin(service.name, "after", {"n": n}, ttl=45_000) for n, consumer in enumerate(consumers)]
        answered = 0
        while answered < SOCKETS:
            call = await service.next_call()
            if call.method == "after":
                service.answer(call, result=call.params["n"])
                answered += 1
        assert [(await asyncio.wait_for(future, 45))["result"] for future in asked] == list(range(SOCKETS))
        await asyncio.gather(*(consumer.close() for consumer in (*consumers, other)))


@pytest.mark.limit(90 + 2 * SECONDS)
async def test_more_than_the_broker_can_take(gateways, broker_url):
    address = urlsplit(broker_url)
    async with Cut(address.hostname, address.port) as way:
        gateway = gateways(with_parts(broker_url, port=way.port), edges=EDGES, settings=SETTINGS, wait_ready=False)
        await eventually(lambda: all(edge.ready() for edge in gateway.edges), lambda: gateway.meshd.tail(10))
        async with ManualService(broker_url, unique("narrow")) as service:
            consumers = await sockets(gateway)
            first = await consumers[0].begin(service.name, "first")
            service.answer(await service.next_call(), result=0)
            await asyncio.wait_for(first, 45)

            async def work():
                while True:
                    call = await service.calls.get()
                    service.answer(call, result=len(call.params.get("filler", "")))
            worker = asyncio.create_task(work())
            way.slow(2_000_000)
            flood = Flood(gateway, consumers, service.name, 100_000, ttl=3000)
            sending = await flood.run()
            offered, way_took = len(flood.asked) * 100_000, 2_000_000 * SECONDS
            way.mend()
            await flood.settle(sending)
            flood.memory.check()
            assert flood.outcomes["answered"] and offered > way_took, (flood.outcomes, offered)
            asked = [await consumer.begin(service.name, "after", {"filler": "x"}, ttl=45_000) for consumer in consumers]
            assert [(await asyncio.wait_for(future, 45))["result"] for future in asked] == [1] * SOCKETS
            worker.cancel()
            await asyncio.gather(*(consumer.close() for consumer in consumers))
