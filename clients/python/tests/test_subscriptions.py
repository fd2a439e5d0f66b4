import asyncio

import pytest

from nuropb_gateway_client import Closed, Event, NotDelivered, ServiceError, Settings
from nuropb_gateway_client.delivery import Room
from nuropb_gateway_client.subscriptions import EventStream, Subscription, Subscriptions
from nuropb_gateway_client.waiting import Tasks


class Made:
    """Subscriptions whose gateway answers when the test says so, or at once."""

    def __init__(self, at_once=True):
        self.said, self.answers, self.at_once, self.tasks = [], [], at_once, Tasks()
        self.subscriptions = Subscriptions(Settings(), self.say, self.tasks, Room())

    async def say(self, verb, topic, ttl):
        self.said.append((verb, topic))
        answer = asyncio.get_running_loop().create_future()
        if self.at_once is True:
            answer.set_result(None)
        elif self.at_once is not False:
            answer.set_exception(self.at_once)
        self.answers.append(answer)
        await answer

    async def subscribe(self, topic, listener):
        made = Subscription(topic, listener, self.subscriptions.buffer(topic, "drop_oldest"), self.tasks, self.subscriptions.end)
        await self.subscriptions.begin(topic, made)
        return made

    def events(self, topic):
        return EventStream(topic, self.subscriptions.buffer(topic, "drop_oldest"), self.subscriptions.begin, self.subscriptions.end)


async def test_several_of_one_pattern_are_one_at_the_gateway():
    made, heard = Made(), []
    first, second = await made.subscribe("a.*", heard.append), await made.subscribe("a.*", heard.append)
    made.subscriptions.deliver(Event("a.b", 1), 1)
    made.subscriptions.deliver(Event("b", 1), 1)
    assert len(heard) == 2
    await first.end()
    await first.end()
    assert made.said == [("subscribe", "a.*")]
    await second.end()
    assert made.said == [("subscribe", "a.*"), ("unsubscribe", "a.*")] and len(made.subscriptions) == 0


@pytest.mark.parametrize("turns", range(4))
async def test_cancelled_while_it_subscribes(turns):
    """Also in the same turn of the loop as the gateway's yes: what nobody listens to is ended."""
    made = Made(at_once=False)
    waiting = asyncio.ensure_future(made.subscribe("a", print))
    await asyncio.sleep(1)
    made.answers[0].set_result(None)
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    made.at_once = True
    try:
        await (await waiting).end()
    except asyncio.CancelledError:
        pass
    await asyncio.sleep(1)
    assert made.said == [("subscribe", "a"), ("unsubscribe", "a")] and len(made.subscriptions) == 0


async def test_one_that_is_refused():
    made = Made(ServiceError("policy"))
    for _ in range(2):
        with pytest.raises(ServiceError):
            await made.subscribe("a", print)
        with pytest.raises(ServiceError):
            async with made.events("b"):
                pass
    assert len(made.subscriptions) == 0 and len(made.said) == 4, "it is asked again each time"


async def test_a_gap_is_told_once():
    made, heard = Made(), []
    await made.subscribe("#", heard.append)
    made.subscriptions.mark_gap("why")
    made.subscriptions.mark_gap("and again")
    for number in range(2):
        made.subscriptions.deliver(Event("a", number), 1)
    assert [event.gap for event in heard] == ["why", None]


async def test_they_are_renewed_until_the_gateway_has_them():
    made, failed = Made(), []
    await made.subscribe("a", print)
    made.at_once = NotDelivered("no connection")
    made.subscriptions.renew(failed.append, lambda: 1.0)
    await asyncio.sleep(3.5)
    made.at_once = True
    await asyncio.sleep(5)
    assert made.said == [("subscribe", "a")] * 6 and failed == [] and len(made.tasks) == 0
    made.at_once = ServiceError("policy")
    async with made.events("a") as stream:
        made.subscriptions.renew(failed.append, lambda: 1.0)
        await asyncio.sleep(1)
        with pytest.raises(ServiceError):
            await stream.__anext__()
        with pytest.raises(StopAsyncIteration):
            await stream.__anext__()
    assert failed == [made.at_once] and len(made.subscriptions) == 0


@pytest.mark.parametrize("why", [None, Closed("revoked")])
async def test_a_stream_ends_with_the_client(why):
    """What has come already can still be read."""
    made = Made()
    async with made.events("a") as stream:
        made.subscriptions.deliver(Event("a", 1), 1)
        made.subscriptions.finish(why)
        assert (await stream.__anext__()).data == 1
        with pytest.raises(StopAsyncIteration if why is None else Closed):
            await stream.__anext__()
    assert made.said == [("subscribe", "a")]
