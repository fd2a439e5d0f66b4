"""Many requests at once, over every edge: each is answered once, to its sender."""

import asyncio

import pytest

from support.consumer import Consumer
from support.manual_service import ManualService
from support.services import unique

SOCKETS, REQUESTS, EDGES = 100, 100, 4


@pytest.mark.limit(90)
async def test_ten_thousand_pipelined_requests_over_a_hundred_sockets_and_four_edges(gateways, demo):
    gateway = gateways(edges=EDGES, shared_port=True)
    idle = [edge.open_sockets() for edge in gateway.edges]
    consumers = await asyncio.gather(*(Consumer.open(gateway.url) for _ in range(SOCKETS)))
    # Every edge has its part: the kernel spreads the connections over the listeners of the shared port.
    shares = [edge.open_sockets() - before for edge, before in zip(gateway.edges, idle)]
    assert min(shares) > 0, shares
    assert len({consumer.session_id for consumer in consumers}) == SOCKETS

    async def ask(number, consumer):
        """Sends all requests before the first answer; their content names the sender, their trace ids do not."""
        waiting = [await consumer.begin(demo, "echo", {"value": f"{number}/{index}"}, trace_id=f"r{index}") for index in range(REQUESTS)]
        return [await answer for answer in waiting]

    answers = await asyncio.gather(*(ask(number, consumer) for number, consumer in enumerate(consumers)))
    for number, of_one in enumerate(answers):
        assert [answer["error"] for answer in of_one] == [None] * REQUESTS
        assert [answer["result"] for answer in of_one] == [{"value": f"{number}/{index}"} for index in range(REQUESTS)]
    # A request behind all others: what it overtakes nothing of has come by now.
    await asyncio.gather(*(consumer.result(demo, "echo", {"value": 0}) for consumer in consumers))
    for consumer in consumers:
        assert all(len(seen) == 1 for seen in consumer.answers.values()) and consumer.others.empty()

    await asyncio.gather(*(consumer.close() for consumer in consumers))


async def test_one_socket_may_not_have_more_outstanding_than_its_limit(gateways, broker_url):
    """The one above the limit is refused at once; the others are not affected, and there is room again once they are answered."""
    gateway = gateways(settings={"limits": {"pending_per_session": 8}})
    async with ManualService(broker_url, unique("held")) as service, await Consumer.open(gateway.url) as consumer:
        held = [await consumer.begin(service.name, "hold", {"n": n}) for n in range(8)]
        calls = await service.next_calls(8)
        refused = await consumer.request(service.name, "hold", {"n": 8})
        assert refused["result"] is None and refused["error"]["error"].startswith("Nuropb"), refused
        for call in calls:
            service.answer(call, result=call.params["n"])
        assert [(await answer)["result"] for answer in held] == list(range(8))
        again = await consumer.begin(service.name, "hold", {"n": 9})
        service.answer(await service.next_call(), result="room")
        assert (await again)["result"] == "room"
