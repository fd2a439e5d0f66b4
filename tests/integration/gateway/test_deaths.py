"""Processes that are killed (SIGKILL: no handler runs), and how the others react."""

import asyncio
import signal

import pytest

from support.consumer import Closed, Consumer
from support.manual_service import ManualService
from support.services import unique
from support.waiting import eventually
from support.websocket import status_of


async def test_a_killed_edge_takes_only_its_own_sockets(gateways, broker_url, demo):
    gateway = gateways(edges=2)
    async with ManualService(broker_url, unique("held")) as service:
        lost, kept = await Consumer.open(gateway.edges[0].url), await Consumer.open(gateway.edges[1].url)
        of_lost = await lost.begin(service.name, "lost")
        of_kept = await kept.begin(service.name, "kept")
        calls = {call.method: call for call in await service.next_calls(2)}
        gateway.edges[0].process.kill()
        await lost.closed()
        with pytest.raises(Closed):
            await of_lost

        # The other edge's consumers go on, and what they had outstanding is answered.
        assert await kept.result(demo, "echo", {"value": 1}) == {"value": 1}
        assert gateway.meshd.running()

        # A new edge takes the dead one's place, and not its mail.
        heir = gateway.add_edge()
        await eventually(heir.ready, lambda: f"the new edge is ready: {heir.health()}")
        async with await Consumer.open(heir.url) as consumer:
            service.answer(calls["lost"], result="for one who is gone")
            service.answer(calls["kept"], result="kept")
            assert (await asyncio.wait_for(of_kept, 45))["result"] == "kept"
            assert await consumer.result(demo, "echo", {"value": 2}) == {"value": 2}
            assert consumer.others.empty()
        assert kept.open_still and len(kept.answers) == 2
        await kept.close()


async def test_edges_die_and_come_again_and_again(gateways, demo):
    """Slots are released: more deaths than there are slots."""
    gateway = gateways(edges=1, settings={"gateway": {"max_workers": 3}})
    async with await Consumer.open(gateway.url) as constant:
        for _ in range(5):
            edge = gateway.add_edge()
            await eventually(edge.ready, lambda: f"edge {edge.number} is ready: {edge.health()}\n{gateway.meshd.tail(10)}")
            async with await Consumer.open(edge.url) as consumer:
                assert await consumer.result(demo, "echo", {"value": 1}) == {"value": 1}
                edge.process.kill()
        assert await constant.result(demo, "echo", {"value": 2}) == {"value": 2}


@pytest.mark.limit(90)
async def test_a_killed_meshd_drops_no_socket(gateways, broker_url, demo):
    """Sockets stay open; each pending request ends in exactly one outcome; traffic resumes, and no client is notified."""
    gateway = gateways(edges=2)
    async with ManualService(broker_url, unique("held")) as service:
        consumers = [await Consumer.open(edge.url) for edge in gateway.edges for _ in range(5)]
        sessions = [consumer.session_id for consumer in consumers]
        pending = [await consumer.begin(service.name, "hold", {"n": n}) for n, consumer in enumerate(consumers)]
        calls = await service.next_calls(len(consumers))
        gateway.meshd.kill()
        await eventually(lambda: not any(edge.attached() for edge in gateway.edges), "the edges know that meshd is away")
        meanwhile = [await consumer.begin(demo, "echo", {"n": n}) for n, consumer in enumerate(consumers)]
        
        gateway.start_meshd()
        await eventually(lambda: all(edge.ready() for edge in gateway.edges), lambda: f"the edges are back: {gateway.meshd.tail(20)}")
        for call in calls:
            service.answer(call, result=call.params["n"])
        for n, answer in enumerate(pending):
            outcome = await asyncio.wait_for(answer, 45)
            if outcome["error"] is None:
                assert outcome["result"] == n
            else:
                assert outcome["error"]["error"] == "NuropbTransportError" and outcome["error"]["outcome"] == "unknown", outcome
        for n, answer in enumerate(meanwhile):
            outcome = await asyncio.wait_for(answer, 45)
            # Never sent, so it may wait for the new meshd, or be refused for certain.
            assert outcome["result"] == {"n": n} or outcome["error"]["error"] == "NuropbTransportError", outcome

        for n, consumer in enumerate(consumers):
            assert consumer.open_still
            assert await consumer.result(demo, "echo", {"again": n}) == {"again": n}
            assert all(len(seen) == 1 for seen in consumer.answers.values())
            assert consumer.others.empty()  # no second hello either
        assert [consumer.session_id for consumer in consumers] == sessions
        await asyncio.gather(*(consumer.close() for consumer in consumers))


async def test_meshd_killed_again_and_again(gateways, demo):
    gateway = gateways()
    async with await Consumer.open(gateway.url) as consumer:
        for round_number in range(4):
            gateway.meshd.kill()
            await eventually(lambda: not gateway.edges[0].attached(), "the edge knows that meshd is away")
            gateway.start_meshd()
            await eventually(gateway.edges[0].ready, lambda: f"the edge is back: {gateway.meshd.tail(20)}")
            assert await consumer.result(demo, "echo", {"round": round_number}) == {"round": round_number}


async def test_an_edge_that_hangs_is_found_by_its_heartbeat_and_others_are_not_concerned(gateways, demo):
    gateway = gateways(edges=2, settings={"gateway": {"hung_after_s": 4}})
    hung = gateway.edges[0].process
    async with await Consumer.open(gateway.edges[0].url) as lost, await Consumer.open(gateway.edges[1].url) as kept:
        hung.killed = True
        hung.signal(signal.SIGSTOP)
        while hung.running():  # the other edge answers at all times
            assert await kept.result(demo, "echo", {"value": 1}) == {"value": 1}
        await lost.closed()
        gateway.meshd.wait_for_log('reason="no heartbeat"')
        assert await kept.result(demo, "echo", {"value": 2}) == {"value": 2}
        assert kept.open_still and gateway.edges[1].process.running()


async def test_no_verdict_without_meshd(gateways):
    """A client that connects while meshd is away is told to retry, not that its token is wrong."""
    gateway = gateways(settings={"auth": {"verdict_timeout_ms": 300}})
    gateway.meshd.kill()
    await eventually(lambda: not gateway.edges[0].attached(), "the edge knows that meshd is away")
    try:
        consumer = await Consumer.open(gateway.url, hello=False)
        assert await consumer.other() is None
        assert (await consumer.closed())[0] == 4002
    except Exception as refusal:
        assert status_of(refusal) == 503, repr(refusal)
    gateway.start_meshd()
    await eventually(gateway.edges[0].ready, lambda: f"the edge is back: {gateway.meshd.tail(20)}")

    async def taken():
        consumer = await Consumer.open(gateway.url, hello=False)
        first = await consumer.other()
        await consumer.close()
        return first is not None
    await eventually(taken, "a verdict came in time")
