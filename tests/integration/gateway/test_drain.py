"""SIGTERM: stop accepting, finish what is pending up to a limit, close 1001, exit 0."""

import asyncio
import signal

from support.consumer import Consumer
from support.manual_service import ManualService
from support.ports import free_port
from support.services import unique
from support.waiting import eventually


async def ended(process, timeout=15):
    await eventually(lambda: not process.running(), lambda: f"{process.name} has ended:\n{process.tail()}", timeout)
    return process.popen.returncode


async def test_pending_requests_are_finished_before_an_edge_goes(gateways, broker_url):
    gateway = gateways(edges=2)
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
        await eventually(nobody_listens, "the edge takes no new connections")
        assert edge.process.running() and not answer.done() and busy.open_still
        service.answer(call, result="finished")
        assert (await asyncio.wait_for(answer, 10))["result"] == "finished"
        assert (await busy.closed())[0] == 1001
        assert (await idle.closed())[0] == 1001
        assert await ended(edge.process) == 0
        assert elsewhere.open_still and gateway.meshd.running()
        await elsewhere.close()


async def test_a_drain_has_an_end(gateways, broker_url):
    """A request that is never answered ends at the limit, as an outcome that is not known."""
    gateway = gateways(settings={"drain": {"limit_ms": 300}})
    async with ManualService(broker_url, unique("silent")) as service:
        consumer = await Consumer.open(gateway.url)
        answer = await consumer.begin(service.name, "hold")
        await service.next_call()
        gateway.edges[0].process.signal(signal.SIGTERM)
        error = (await asyncio.wait_for(answer, 10))["error"]
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


def test_meshd_stops_at_once_between_two_attempts_to_connect(gateways):
    nobody = f"amqp://guest:guest@127.0.0.1:{free_port()}/"
    running = gateways(url=nobody, edges=0, settings={"amqp": {"reconnect_min_ms": 600_000, "reconnect_max_ms": 600_000}}, wait_ready=False)
    running.meshd.wait_for_log("broker not ready")
    assert running.meshd.stop() == 0
