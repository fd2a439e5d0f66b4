"""What an application gives to the Python client may raise, never return, be slow or be nothing, in ways that Python has. Each of
these ends as a known state of the client. What every client does is in tests/clients."""

import asyncio
import json
import logging
import threading

import pytest

from support.ctl import ctl
from support.manual_service import ManualService
from support.python_client import Watched, raised
from support.services import unique
from support.waiting import eventually

from nuropb_gateway_client import UnknownOutcome


class NoText:
    def __str__(self):
        raise ValueError("none")


def fail(error):
    raise error


class Odd(Exception):
    def __str__(self):
        raise ValueError("none")


async def never():
    await asyncio.Event().wait()


async def stubborn():
    """Ignores its cancellation."""
    for _ in range(3):
        try:
            await asyncio.sleep(0.6)
        except asyncio.CancelledError:
            pass
    return "secret-ann"


async def later(value):
    await asyncio.sleep(0)
    return value() if callable(value) else value

# name → (what the provider does twice before it returns a good token, the reason that `down` tells)
PROVIDERS = {
    "ignores its cancellation": (lambda: stubborn(), "no token in time"),
    "blocks its thread": (lambda: threading.Event().wait(3), "no token in time"),
    "raises later": (lambda: later(lambda: fail(OSError("away"))), "no token: OSError: away"),
    "raises what has no text": (lambda: fail(Odd()), "no token: Odd: Odd"),
    "raises SystemExit": (lambda: fail(SystemExit(3)), "no token: RuntimeError: SystemExit: 3"),
    "raises StopIteration": (lambda: fail(StopIteration(3)), "no token: RuntimeError: StopIteration: 3"),
    "gives bytes later": (lambda: later(b"secret-ann"), "no token: it is not a str"),
}


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_provider_is_asked_again(opened, name):
    does, reason = PROVIDERS[name]
    gateway = opened()
    asked = []

    def provider(why):
        asked.append(why)
        return "secret-ann" if len(asked) > 2 else does()
    async with Watched(gateway.url, provider, connect_timeout=0.3 if "in time" in reason else 5) as client:
        assert (await client.seen("open"))[0]["user_id"] == "ann"
        assert [down["reason"] for down in client.all("down")] == [reason] * 2 and len(asked) == 3


async def test_listeners_that_raise_and_that_never_return(opened, demo, caplog):
    gateway = opened()
    topic, heard = unique("listeners"), []
    async with Watched(gateway.url, buffer=5) as client:
        def wrong(_):
            raise ZeroDivisionError("a mistake of the application")

        async def wrong_later(_):
            await asyncio.sleep(0)
            raise ZeroDivisionError("another")

        async def hangs(_):
            await never()
        client.on("open", wrong)
        client.on("event", wrong)
        client.on("event", hangs)
        for listener in (wrong, wrong_later, hangs, lambda event: heard.append(event.data)):
            await client.subscribe(topic, listener)
        for number in range(30):
            await client.publish(topic, number)
        await eventually(lambda: len(heard) == 30, "another listener hears it none the less")
        assert await client.request(demo, "echo", {"n": 1}) == {"n": 1}
        assert heard == list(range(30))
    messages = [record.getMessage() for record in caplog.records]
    assert messages.count("a listener has failed") >= 60 and any("too slow" in message for message in messages)
    with pytest.raises(TypeError):
        client.on("open", None)
    with pytest.raises(ValueError, match="'opened'"):
        client.on("opened", print)


async def test_a_slow_listener_costs_a_bounded_memory(opened, caplog):
    """What does not fit is left out, counted, told to the listener and logged once. Calls go on."""
    gateway = opened()
    topic, heard, turn = unique("slow"), [], asyncio.Event()
    async with Watched(gateway.url, buffer=10) as client:
        async def slow(event):
            heard.append((event.data, event.dropped))
            await turn.wait()
        subscription = await client.subscribe(topic, slow)
        async with client.events(topic) as stream:
            for number in range(100):
                await client.publish(topic, number)
            await eventually(lambda: len(stream._buffer) == 10 and stream.dropped == 90, lambda: f"{stream.dropped}")
            turn.set()
            first = await stream.__anext__()
            assert (first.data, first.dropped) == (90, 90)
            assert [(await stream.__anext__()).dropped for _ in range(9)] == [0] * 9
        await eventually(lambda: len(heard) == 11, lambda: str(heard))
        assert heard[:2] == [(0, 0), (90, 89)] and subscription.dropped == 89
    assert sum("too slow" in record.getMessage() for record in caplog.records if record.levelno == logging.WARNING) == 2


async def test_one_that_wants_to_miss_nothing(opened):
    """The socket is not read meanwhile, however long it takes, and is not taken for dead."""
    gateway = opened()
    topic = unique("all")
    async with Watched(gateway.url, buffer=5, heartbeat=0.1) as client, Watched(gateway.url, "secret-bob") as other:
        async with client.events(topic, when_full="wait") as stream:
            for number in range(200):
                await other.publish(topic, number)
            assert len(stream._buffer) <= 6
            await asyncio.sleep(0.5)  # several heartbeats
            got = []
            async for event in stream:
                got.append(event.data)
                if len(got) == 200:
                    break
            assert got == list(range(200)) and stream.dropped == 0 and client.all("down") == []
        with pytest.raises(ValueError, match="'later'"):
            client.events(topic, when_full="later")


async def test_a_listener_may_use_the_client(opened, demo, broker_url):
    """It may call, end its own subscription, and close the client, which ends what has no answer yet."""
    gateway = opened()
    topic, answers = unique("uses"), []
    async with Watched(gateway.url) as client, Watched(gateway.url, "secret-bob") as other, ManualService(broker_url, unique("silent")) as service:
        async def asks(event):
            answers.append(await client.request(demo, "echo", event.data))
            await subscription.end()
        subscription = await client.subscribe(topic, asks)
        await client.publish(topic, {"n": 1})
        await eventually(lambda: answers == [{"n": 1}], "it has asked")

        async def closes(_):
            await client.close()
            answers.append("closed")
        await client.subscribe(topic, closes)
        unanswered = asyncio.ensure_future(client.request(service.name, "unanswered"))
        await service.next_call()
        # Another client publishes: an event may come before the confirmation of its own publish, which closing would leave unknown.
        await other.publish(topic, {"n": 2})
        await eventually(lambda: answers[-1] == "closed" and client.state == "closed", lambda: str(answers))
        error = await raised(unanswered)
        assert type(error) is UnknownOutcome and error.__cause__ is client.failure


async def test_rubbish_from_the_gateway_harms_nobody(opened, demo):
    gateway = opened()
    async with Watched(gateway.url) as client:
        await client.ready()
        pushes = [{"type": "response"}, {"type": "event"}, {"type": "event", "payload": {"topic": "hello"}}, {"error": "X", "description": "y"},
                  {"type": "response", "payload": {"trace_id": "nobody's"}}, {"type": "response", "payload": {"trace_id": {}, "error": 5}}, {"error": 1, "description": 2}]
        for message in pushes:
            ctl(gateway, "send", "--user", "ann", json.dumps(message))
        assert [str(error) for error in await client.seen("error")] == ["X: y"]
        assert await client.request(demo, "echo", {"n": 2}) == {"n": 2}
        assert await client.seen("message", 3) == [{"type": "response"}, {"type": "event"}, {"error": 1, "description": 2}]
        assert client.all("down") == []
