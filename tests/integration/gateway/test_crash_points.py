"""meshd, or an edge, stops dead at every step of the way of a request and its answer (common/crash_points.hpp).

The programs are the product's, compiled once more with these places in them (tests/crash). A ledger at the service says
what ran; no request has two outcomes or none, nothing runs twice unless its sender allows it, and a process that did not die
keeps its sockets. That a place is never reached fails the test."""

import asyncio
import re
import signal
from collections import Counter

import pytest
from websockets.exceptions import ConnectionClosed

from support.consumer import Closed, Consumer
from support.manual_service import ManualService
from support.paths import ROOT, binary
from support.services import unique
from support.waiting import eventually

HEADER = (ROOT / "common" / "crash_points.hpp").read_text()


def points(side):
    names = re.search(rf"#define NUROPB_{side}_POINTS\(X\)(.*?)\n(?:#|//)", HEADER.replace("\\\n", " "), re.DOTALL)[1]
    return re.findall(r"X\((\w+)\)", names)


def is_unknown(answer):
    return answer["result"] is None and answer["error"]["error"] == "NuropbTransportError" and answer["error"]["outcome"] == "unknown"


class Traffic:
    """Clients that send requests continuously, and a service that records what it runs."""

    def __init__(self, service):
        self.service, self.ledger, self.outcomes = service, Counter(), Counter()
        self.tasks, self.consumers, self.stopping = [], [], False
        self.held = []
        self.serving = asyncio.create_task(self.serve())

    async def serve(self):
        while True:
            call = await self.service.calls.get()
            self.ledger[call.params["id"]] += 1
            if call.method == "count":
                self.service.answer(call, result=call.params["id"])
            else:
                self.held.append(call)

    async def add(self, url, count, may_drop=False):
        for _ in range(count):
            consumer = await Consumer.open(url)
            self.consumers.append((consumer, may_drop))
            self.tasks.append(asyncio.create_task(self.ask(consumer, len(self.consumers), may_drop)))

    async def ask(self, consumer, number, may_drop):
        n = 0
        while not self.stopping:
            n += 1
            name, twice = f"{number}-{n}", n % 3 == 0
            try:
                answer = await asyncio.wait_for(await consumer.begin(self.service.name, "count", {"id": name}, **({"idempotent": True} if twice else {})), 75)
            except (Closed, ConnectionClosed, OSError) as closed:
                assert may_drop, closed
                return
            if answer["error"] is None:
                self.outcomes["answered"] += 1
                assert answer["result"] == name and self.ledger[name] >= 1
            else:
                assert is_unknown(answer) and not twice, answer
                self.outcomes["unknown"] += 1
            assert self.ledger[name] <= 1 or twice, f"{name} ran {self.ledger[name]} times"

    async def goes_on(self, by=20):
        before = self.outcomes["answered"]
        await eventually(lambda: self.outcomes["answered"] >= before + by or any(task.done() and task.exception() for task in self.tasks), "traffic")
        for task in self.tasks:
            if task.done():
                task.result()

    async def finish(self):
        self.stopping = True
        await asyncio.wait_for(asyncio.gather(*self.tasks), 90)
        self.serving.cancel()
        for consumer, may_drop in self.consumers:
            assert all(len(seen) == 1 for seen in consumer.answers.values())
            if not may_drop:
                assert consumer.open_still and consumer.others.empty()
            await consumer.close()


async def stopped_dead(process, where):
    await eventually(lambda: not process.running(), lambda: f"{where} is reached:\n{process.tail(20)}")
    assert process.popen.returncode == -signal.SIGKILL, f"{where}: ended with {process.popen.returncode}\n{process.tail(20)}"
    process.killed = True


async def ready(gateway):
    await eventually(lambda: all(edge.ready() for edge in gateway.edges if edge.process.running()), lambda: f"all is well again: {gateway.meshd.tail(20)}")


@pytest.mark.limit(150)
async def test_meshd_at_every_step(gateways, broker_url):
    gateway = gateways(edges=2)
    async with ManualService(broker_url, unique("ledger")) as service, await Consumer.open(gateway.url) as patient:
        traffic = Traffic(service)
        for edge in gateway.edges:
            await traffic.add(edge.url, 3)
        for point in points("MESHD"):
            waits = await patient.begin(service.name, "hold", {"id": f"patient-{point}"})
            await traffic.goes_on()
            await eventually(lambda: traffic.held, "it is held")
            # The next one finds an answer waiting, and edges that come only after it.
            for edge in gateway.edges:
                edge.process.signal(signal.SIGSTOP)
            gateway.meshd.kill()
            service.answer(traffic.held.pop(), result=point)
            gateway.instead["nuropb-meshd"] = ("meshd_crashing", {"NUROPB_CRASH_AT": f"{point}:1"})
            gateway.start_meshd()
            await eventually(lambda: "broker ready" in gateway.meshd.log() or not gateway.meshd.running(), gateway.meshd.tail)
            for edge in gateway.edges:
                edge.process.signal(signal.SIGCONT)
            await stopped_dead(gateway.meshd, point)
            gateway.start_meshd()
            await ready(gateway)
            assert (await asyncio.wait_for(waits, 45))["result"] == point, "it was published and confirmed, so its answer comes"
        await traffic.goes_on()
        await traffic.finish()
        assert traffic.outcomes["answered"] > 20 * len(points("MESHD"))


NEEDS_A_DEAD_MESHD = {"meshd_missed", "old_ring_drained", "requests_judged", "attached_again", "request_sent_again"}


@pytest.mark.limit(150)
async def test_an_edge_at_every_step(gateways, broker_url):
    gateway = gateways(edges=2)
    dying = gateway.edges[1]
    async with ManualService(broker_url, unique("ledger")) as service:
        traffic = Traffic(service)
        await traffic.add(gateway.edges[0].url, 3)
        for point in points("EDGE"):
            if dying.process.running():
                dying.process.kill()
            gateway.instead["nuropb-edge"] = ("edge_crashing", {"NUROPB_CRASH_AT": f"{point}:{3 if point in ('request_staged', 'requests_shown', 'answer_read', 'answer_given', 'answers_released') else 1}"})
            dying.start()
            await eventually(lambda: not dying.process.running() or dying.ready(), "its edge comes")
            try:
                await traffic.add(dying.url, 2, may_drop=True)
            except Exception:  # noqa: BLE001 - whatever the client makes of a socket that ends under it
                await stopped_dead(dying.process, point)
            if point in NEEDS_A_DEAD_MESHD:
                await traffic.goes_on()
                last = await Consumer.open(dying.url)
                gateway.meshd.signal(signal.SIGSTOP)
                await last.begin(service.name, "count", {"id": f"last-{point}"})  # which meshd never takes
                await eventually(lambda: dying.health()[1].get("pending", 0) >= 1, "it waits")
                gateway.meshd.kill()
                gateway.start_meshd()
            await stopped_dead(dying.process, point)
            await ready(gateway)
            await traffic.goes_on()
            assert traffic.ledger[f"last-{point}"] <= 1
        await traffic.finish()


def test_the_product_has_none_of_it():
    names = [name.encode() for side in ("MESHD", "EDGE") for name in points(side)]
    for program in ("nuropb-meshd", "nuropb-edge"):
        text = binary(program).read_bytes()
        assert b"NUROPB_CRASH_AT" not in text and not any(b"\0" + name + b"\0" in text for name in names)
    for program, side in (("meshd_crashing", "MESHD"), ("edge_crashing", "EDGE")):
        text = binary(program).read_bytes()
        assert all(name.encode() in text for name in points(side))
