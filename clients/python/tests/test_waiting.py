import asyncio
import threading

import pytest

from nuropb_gateway_client.waiting import in_thread, text_of, within


async def test_within():
    async def value():
        return 5

    async def fails():
        raise KeyError("x")
    assert await within(1, value()) == 5
    with pytest.raises(KeyError):
        await within(1, fails())
    with pytest.raises(asyncio.TimeoutError):
        await within(1, asyncio.sleep(5))
    with pytest.raises(asyncio.TimeoutError):
        await within(-1, asyncio.sleep(5))
    await asyncio.sleep(0)


async def test_one_that_ignores_its_cancellation_is_not_waited_for():
    async def stubborn():
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            await asyncio.sleep(10)
        raise KeyError("nobody hears it")
    since = asyncio.get_running_loop().time()
    with pytest.raises(asyncio.TimeoutError):
        await within(1, stubborn())
    assert asyncio.get_running_loop().time() - since == pytest.approx(1)
    await asyncio.sleep(20)


async def test_its_own_cancellation_cancels_what_it_waits_for():
    cancelled = []

    async def one():
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise
    task = asyncio.ensure_future(within(5, one()))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert cancelled == [1]


async def test_a_result_that_nobody_waits_for_is_discarded():
    """Also one that comes in the same turn of the loop as the cancellation."""
    discarded = []
    results = [asyncio.get_running_loop().create_future() for _ in range(2)]
    for number, result in enumerate(results):
        task = asyncio.ensure_future(within(5, asyncio.shield(result), discarded.append))
        await asyncio.sleep(1)
        result.set_result(number)
        if number:
            await asyncio.sleep(0)
        task.cancel()
        try:
            discarded.append(await task)
        except asyncio.CancelledError:
            pass
        await asyncio.sleep(1)
    assert discarded == [0, 1] or discarded == [1]


async def test_one_that_is_late_is_discarded():
    discarded = []

    async def stubborn():
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return "late"
    with pytest.raises(asyncio.TimeoutError):
        await within(1, stubborn(), discarded.append)
    await asyncio.sleep(1)
    assert discarded == ["late"]


def test_in_thread():
    async def main():
        assert await in_thread(threading.current_thread) is not threading.current_thread()
        for raised, seen in ((KeyError("k"), KeyError), (StopIteration(), RuntimeError), (SystemExit(3), RuntimeError), (KeyboardInterrupt(), RuntimeError)):
            def fails(raised=raised):
                raise raised
            with pytest.raises(seen):
                await in_thread(fails)
    asyncio.run(main())


def test_the_text_of_anything():
    class Wrong:
        def __str__(self):
            raise ValueError
    assert (text_of(5), text_of(None), text_of(Wrong())) == ("5", "None", "Wrong")
