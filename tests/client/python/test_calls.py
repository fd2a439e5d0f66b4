"""The Python client against a real gateway: what its calls and streams are in Python. What every client does is in tests/clients."""

import asyncio

import pytest

from support.manual_service import ManualService
from support.python_client import Watched, raised
from support.services import unique
from support.waiting import eventually

from nuropb_gateway_client import NotDelivered, ServiceError, TimeoutUnknown, UnknownOutcome


async def test_a_stream_of_events(opened):
    gateway = opened()
    async with Watched(gateway.url) as client:
        topic = unique("stream")
        async with client.events(f"{topic}.#") as events:
            for number in range(50):
                await client.publish(f"{topic}.n", number)
            got = []
            async for event in events:
                got.append(event.data)
                if event.data == 49:
                    break
            assert got == list(range(50))
            assert not await events.more(0.01)
        await client.publish(f"{topic}.n", "after its end")
        with pytest.raises(RuntimeError, match="entered once"):
            await events.__aenter__()
        with pytest.raises(RuntimeError, match="to be entered first"):
            await client.events(topic).__anext__()
        async with client.events(topic) as events:
            waiting = asyncio.ensure_future(events.__anext__())
            await client.close()
            with pytest.raises(StopAsyncIteration):
                await waiting


async def test_outcomes_by_kind(opened, demo, broker_url):
    gateway = opened(settings={"request": {"ttl_ms": 60000}})
    async with Watched(gateway.url) as client, ManualService(broker_url, unique("silent")) as service:
        async def elsewhere():
            return str(await raised(client.request(demo, "echo")))

        async def failure(awaitable):
            error = await raised(awaitable)
            assert await client.request(demo, "echo", {"n": 1}) == {"n": 1}, "the next one is not concerned"
            return error

        error = await failure(client.request("nobody-of-that-name", "m"))
        assert type(error) is NotDelivered and error.name == "NuropbNotDeliveredError" and (error.retryable, error.unknown_outcome) == (True, False)
        error = await failure(client.request(demo, "fail"))
        assert type(error) is ServiceError and (error.retryable, error.unknown_outcome) == (False, False)
        error = await failure(client.request(5, "m"))
        assert type(error) is ServiceError and str(error) == "NuropbValidationError: 'service' is not a string"
        error = await failure(client.request(service.name, "never", ttl=0.4))
        assert type(error) is TimeoutUnknown and error.name == "NuropbTimeoutError" and (error.retryable, error.unknown_outcome) == (False, True)
        for wrong in (object(), {1, 2}, float("nan"), "\ud800"):
            assert isinstance(await failure(client.request(demo, "echo", {"it": wrong})), (TypeError, ValueError))
        with pytest.raises(TypeError, match="a list of user ids"):
            await client.publish("a", 1, target="ann")
        assert "another event loop" in await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
        for wrong in (0, -1, float("inf"), float("nan"), "5", True):
            assert isinstance(await failure(client.request(demo, "echo", ttl=wrong)), ValueError)
        last = asyncio.ensure_future(client.request(service.name, "unanswered", None))
        while (call := await service.next_call()).method != "unanswered":
            pass
        assert call.params is None, "any JSON, null too"
        await client.close()
        assert type(await raised(last)) is UnknownOutcome
        assert len(client._calls) == 0


async def test_cancellation_is_asyncios_own(opened, demo, broker_url):
    gateway = opened()
    async with Watched(gateway.url) as client, ManualService(broker_url, unique("slow")) as service:
        task = asyncio.ensure_future(client.request(service.name, "cancelled"))
        await service.next_call()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.request(service.name, "late"), 0.2)
        never = asyncio.ensure_future(client.request(service.name, "never sent"))
        never.cancel()
        with pytest.raises(asyncio.CancelledError):
            await never
        subscribing = asyncio.ensure_future(client.subscribe("a.b", print))
        await asyncio.sleep(0)
        subscribing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await subscribing
        assert await client.request(demo, "echo", {"n": 2}) == {"n": 2}
        assert len(client._calls) == 0 and len(client._subscriptions) == 0
        assert (await service.next_call()).method == "late" and service.calls.empty(), "what was cancelled before it was sent was not sent"


async def test_the_span_of_open_telemetry_goes_with_it(opened, broker_url):
    gateway = opened()
    span = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with Watched(gateway.url) as client, ManualService(broker_url, unique("traced")) as service:
        for task in (client.request(service.name, "m", traceparent=span, ttl=5), client.command(service.name, "m", traceparent=span)):
            task = asyncio.ensure_future(task)
            call = await service.next_call()
            # The gateway makes a span of its own from it, where it traces; the trace is the same.
            assert call.body["context"]["traceparent"].split("-")[1] == span.split("-")[1]
            if not task.done():
                service.answer(call, result=1)
            await task
        got = []
        await client.subscribe("traced.#", got.append)
        await client.publish("traced.event", 1, traceparent=span)
        await eventually(lambda: got, "the event comes")
        assert got[0].traceparent.split("-")[1] == span.split("-")[1]
