"""SIGTERM to an edge: not ready, no new sockets, the old ones one after the other with 1001 once nothing is pending, exit 0.
SIGTERM to meshd: every request that it has taken has its outcome before it goes."""

import asyncio
import itertools
import signal
from collections import Counter

from websockets.exceptions import ConnectionClosed

from support.consumer import Consumer
from support.manual_service import ManualService
from support.ports import free_port
from support.services import unique
from support.waiting import eventually


async def ended(process, timeout=45):
    await eventually(lambda: not process.running(), lambda: f"{process.name} has ended:\n{process.tail()}", timeout)
    return process.popen.returncode


async def test_pending_requests_are_finished_before_an_edge_goes(gateways, broker_url):
    gateway = gateways(edges=2, settings={"drain": {"limit_ms": 120_000}})
    edge = gateway.edges[0]
    async with ManualService(broker_url, unique("held")) as service:
        busy, idle, elsewhere = await Consumer.open(edge.url), await Consumer.open(edge.url), await Consumer.open(gateway.edges[1].url)
        answer = await busy.begin(service.name, "hold")
        call = await service.next_call()
        edge.process.signal(signal.SIGTERM)

        async def nobody_listens():
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
                writer.close()
                return False
            except ConnectionRefusedError:
                return True
            except OSError:  # it was in the queue of the socket that was closed
                return False
        await eventually(nobody_listens, "the edge takes no new connections")
        assert edge.process.running() and not answer.done() and busy.open_still
        service.answer(call, result="finished")
        assert (await asyncio.wait_for(answer, 45))["result"] == "finished"
        assert (await busy.closed())[0] == 1001
        assert (await idle.closed())[0] == 1001
        assert await ended(edge.process) == 0
        assert elsewhere.open_still and gateway.meshd.running()
        await elsewhere.close()


async def test_readiness_goes_first(gateways, demo):
    gateway = gateways(settings={"drain": {"grace_ms": 600_000}})
    edge = gateway.edges[0]
    async with await Consumer.open(edge.url) as before:
        edge.process.signal(signal.SIGTERM)
        await eventually(lambda: edge.health("readyz")[0] == 503, "/readyz says no")
        assert edge.health("readyz")[1]["status"] == "draining"
        assert edge.health("healthz")[0] == 200, "it lives, and a supervisor that asks must not kill it"
        async with await Consumer.open(edge.url) as late:  # of a load balancer that has not looked yet
            assert await late.result(demo, "echo", {"n": 1}) == {"n": 1}
            assert await before.result(demo, "echo", {"n": 2}) == {"n": 2}
            edge.process.signal(signal.SIGTERM)  # a second one cuts the grace short
            assert (await late.closed())[0] == 1001
        assert (await before.closed())[0] == 1001
    assert await ended(edge.process) == 0


async def test_sockets_are_not_closed_all_at_once(gateways, demo):
    """So that clients don't reconnect all at once. The others work until their own close."""
    gateway = gateways()
    consumers = await asyncio.gather(*(Consumer.open(gateway.url) for _ in range(400)))
    closing = [asyncio.create_task(consumer.closed(60)) for consumer in consumers]
    gateway.edges[0].process.signal(signal.SIGTERM)
    await asyncio.wait(closing, return_when=asyncio.FIRST_COMPLETED)
    still = [consumer for consumer in consumers if consumer.open_still]
    assert still, "some are open when the first is closed"
    answers = []
    for consumer in still:
        try:
            answers.append(await consumer.begin(demo, "echo", {"n": 1}))
        except ConnectionClosed:
            pass  # its moment has come before its turn
    await asyncio.gather(*closing)
    outcomes = [answer.exception() or answer.result() for answer in answers if answer.done()]
    good = [outcome for outcome in outcomes if isinstance(outcome, dict) and outcome["error"] is None]
    assert good, "and are served"
    # A client that was told to go before its request was read got a definite no, or was closed first.
    refused = [outcome["error"]["description"] for outcome in outcomes if isinstance(outcome, dict) and outcome["error"]]
    assert all("the request was not sent" in description for description in refused), refused
    assert {(await task)[0] for task in closing} == {1001}
    assert "spread_ms=800" in gateway.edges[0].process.log(), "400 sockets, 2 ms each"
    assert await ended(gateway.edges[0].process) == 0


async def test_a_drain_has_an_end(gateways, broker_url):
    """A request that is never answered ends at the limit with an unknown outcome."""
    gateway = gateways(settings={"drain": {"limit_ms": 300}})
    async with ManualService(broker_url, unique("silent")) as service:
        consumer = await Consumer.open(gateway.url)
        answer = await consumer.begin(service.name, "hold")
        await service.next_call()
        gateway.edges[0].process.signal(signal.SIGTERM)
        error = (await asyncio.wait_for(answer, 45))["error"]
        assert error["error"] == "NuropbTransportError" and error["outcome"] == "unknown", error
        assert (await consumer.closed())[0] == 1001
        assert await ended(gateway.edges[0].process) == 0


async def test_meshd_stops_in_order(gateways, demo):
    gateway = gateways()
    async with await Consumer.open(gateway.url) as consumer:
        assert await consumer.result(demo, "echo", {"value": 1}) == {"value": 1}
        gateway.meshd.signal(signal.SIGTERM)
        assert await ended(gateway.meshd) == 0
        await eventually(lambda: not gateway.edges[0].attached(), "the edge says that meshd is away")
        assert consumer.open_still


async def test_a_meshd_that_is_replaced_costs_nobody_an_unknown_outcome(gateways, broker_url):
    """Unlike a killed meshd: requests that it has read are published and confirmed, or refused, before it exits."""
    gateway = gateways(edges=2, files={"policy.toml": 'default = ["request", "command"]\n'}, settings={"auth": {"policy_file": "policy.toml"}})
    ledger, outcomes, stop = Counter(), {}, asyncio.Event()
    async with ManualService(broker_url, unique("ledger")) as service:
        async def serve():
            while True:
                call = await service.calls.get()
                ledger[call.params["id"]] += 1
                if call.properties.reply_to:
                    service.answer(call, result=call.params["id"])

        async def ask(consumer, number):
            for n in itertools.count():
                if stop.is_set():
                    return
                verb = "command" if n % 3 == 0 else "request"
                outcomes[f"{number}-{n}"] = await asyncio.wait_for(await consumer.begin_verb(verb, service=service.name, method="note", params={"id": f"{number}-{n}"}), 60)

        async def more():
            so_far = len(outcomes)
            await eventually(lambda: len(outcomes) > so_far + 100, "requests are answered")

        serving = asyncio.create_task(serve())
        consumers = [await Consumer.open(edge.url) for edge in gateway.edges for _ in range(4)]
        asking = [asyncio.create_task(ask(consumer, number)) for number, consumer in enumerate(consumers)]
        for _ in range(5):
            await more()
            gateway.meshd.signal(signal.SIGTERM)
            assert await ended(gateway.meshd) == 0
            gateway.start_meshd()
        await more()
        stop.set()
        await asyncio.gather(*asking)
        assert {name: answer["error"] for name, answer in outcomes.items() if answer["error"]} == {}
        await eventually(lambda: set(ledger) == set(outcomes), "commands, too, were carried out")
        assert {name for name, times in ledger.items() if times != 1} == set()
        assert all(consumer.open_still for consumer in consumers)
        serving.cancel()
        for consumer in consumers:
            await consumer.close()


def test_meshd_stops_at_once_between_two_attempts_to_connect(gateways):
    nobody = f"amqp://guest:guest@127.0.0.1:{free_port()}/"
    running = gateways(url=nobody, edges=0, settings={"amqp": {"reconnect_min_ms": 600_000, "reconnect_max_ms": 600_000}}, wait_ready=False)
    running.meshd.wait_for_log("broker not ready")
    assert running.meshd.stop() == 0
