import asyncio

import pytest

from nuropb_gateway_client import Settings
from nuropb_gateway_client.delivery import Buffer, Listener, Room
from nuropb_gateway_client.waiting import Tasks


def test_the_oldest_are_left_out_and_counted():
    buffer = Buffer("b", Settings(buffer=3))
    for number in range(5):
        buffer.put(number, 1)
    assert [buffer.take() for _ in range(3)] == [(2, 2), (3, 0), (4, 0)] and (buffer.dropped, len(buffer)) == (2, 0)


def test_bytes_count_too():
    buffer = Buffer("b", Settings(buffer_bytes=100))
    for number in range(5):
        buffer.put(number, 40)
    assert len(buffer) == 2
    buffer.put("larger than all", 1000)
    assert [buffer.take()] == [("larger than all", 5)], "it is kept alone, or it could never come"
    for number in range(10):
        buffer.put(number, 40)
        assert buffer.take() == (number, 0), "what was taken makes room"
    buffer.put("small", 40)
    buffer.put("fits", 40)
    assert len(buffer) == 2


async def test_waiting_for_something():
    buffer = Buffer("b", Settings())
    waiting = asyncio.ensure_future(buffer.wait())
    await asyncio.sleep(1)
    buffer.put(1, 1)
    assert await waiting and buffer.take() == (1, 0)
    buffer.put(2, 1)
    buffer.end(discard=False)
    buffer.put(3, 1)
    assert await buffer.wait() and buffer.take() == (2, 0) and not await buffer.wait()


async def test_one_that_wants_to_miss_nothing_stops_the_reader():
    room = Room()
    one, other = Buffer("a", Settings(buffer=2), "wait", room), Buffer("b", Settings(buffer=2), "wait", room)
    for buffer in (one, other):
        buffer.put(1, 1)
        assert room.there or buffer is other
        buffer.put(2, 1)
    waiting = asyncio.ensure_future(room.wait())
    one.take()
    await asyncio.sleep(1)
    assert not waiting.done() and one.dropped == 0
    other.end(discard=True)
    await waiting
    assert room.there


class Told:
    def __init__(self, function, **settings):
        self.tasks, self.buffer = Tasks(), Buffer("l", Settings(**settings))
        self.listener = Listener(function, self.buffer, self.tasks, lambda item, missed: (item, missed) if missed else item)


async def test_a_plain_function_is_called_at_once():
    heard = []
    told = Told(heard.append)
    told.listener.tell(1, 1)
    assert heard == [1]
    told.listener.end()
    told.listener.tell(2, 1)
    assert heard == [1]


async def test_a_coroutine_function_does_one_after_the_other():
    heard, turn = [], asyncio.Event()

    async def slow(item):
        heard.append(item)
        await turn.wait()
        heard.append(("done", item))
    told = Told(slow, buffer=2)
    for number in range(6):
        told.listener.tell(number, 1)
    await asyncio.sleep(1)
    # All six came in one turn of the loop, before its task could begin.
    assert heard == [(4, 4)]
    turn.set()
    await asyncio.sleep(1)
    assert heard == [(4, 4), ("done", (4, 4)), 5, ("done", 5)] and len(told.tasks) == 0


async def test_a_function_that_returns_something_to_be_awaited():
    heard = []

    async def later(item):
        await asyncio.sleep(1)
        heard.append(item)
    told = Told(lambda item: later(item))
    for number in range(3):
        told.listener.tell(number, 1)
    await asyncio.sleep(10)
    assert heard == [0, 1, 2] and len(told.tasks) == 0


@pytest.mark.parametrize("kind", ["plain", "later"])
async def test_one_that_raises_goes_on(caplog, kind):
    heard = []

    def plain(item):
        heard.append(item)
        raise KeyError(item)

    async def later(item):
        plain(item)
    told = Told(plain if kind == "plain" else later)
    for number in range(3):
        told.listener.tell(number, 1)
    await asyncio.sleep(1)
    assert heard == [0, 1, 2] and [record.getMessage() for record in caplog.records] == ["a listener has failed"] * 3


async def test_no_task_begins_when_the_loop_ends():
    heard = []

    async def later(item):
        heard.append(item)
    Told(later).listener.tell(1, 1, last=True)
    told = Told(heard.append)
    told.listener.tell(2, 1, last=True)
    await asyncio.sleep(1)
    assert heard == [2]
