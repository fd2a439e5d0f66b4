"""What comes goes to listeners and streams through bounded buffers: a slow application costs neither memory nor the
answers to others."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from typing import Any, Awaitable, Callable, Deque, Generic, Optional, Set, Tuple, TypeVar, Union

from .settings import Settings
from .waiting import Tasks

T = TypeVar("T")
log = logging.getLogger("nuropb_gateway_client")
WHEN_FULL = ("drop_oldest", "wait")


class Room:
    """Whether the socket may be read: not while a buffer is full whose owner wants to miss nothing."""

    def __init__(self) -> None:
        self._full: Set[object] = set()
        self._waiter: "Optional[asyncio.Future[None]]" = None

    @property
    def there(self) -> bool:
        return not self._full

    def say(self, who: object, full: bool) -> None:
        if full:
            self._full.add(who)
            return
        self._full.discard(who)
        if not self._full and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """For one reader."""
        while self._full:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter


class Buffer(Generic[T]):
    """Of one listener or stream. `drop_oldest`: what does not fit drives the oldest out; `wait`: the socket is not read
    until there is room, and the gateway does with it as with any slow reader."""

    def __init__(self, name: str, settings: Settings, when_full: str = "drop_oldest", room: Optional[Room] = None) -> None:
        if when_full not in WHEN_FULL:
            raise ValueError(f"when_full is neither 'drop_oldest' nor 'wait': {when_full!r}")
        self._name, self._limit, self._limit_bytes = name, settings.buffer, settings.buffer_bytes
        self._room = room if when_full == "wait" else None
        self._items: Deque[Tuple[T, int]] = deque()
        self._bytes = 0
        self._waiter: "Optional[asyncio.Future[None]]" = None
        self._logged = False
        self.missed = 0
        """Left out since the last that was taken."""
        self.dropped = 0
        """Left out in all."""
        self.ended = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, size: int) -> None:
        if self.ended:
            return
        self._items.append((item, size))
        self._bytes += size
        if self._room is not None:
            self._tell_room()
        else:
            # One that is larger than the whole buffer is kept alone, or it could never come.
            while len(self._items) > 1 and self._over():
                self._bytes -= self._items.popleft()[1]
                self.missed += 1
                self.dropped += 1
                if not self._logged:
                    self._logged = True
                    log.warning("%s: the application is too slow, the oldest of %d events (%d bytes) are left out from now on (Settings.buffer)", self._name, len(self._items), self._bytes)
        self._wake()

    def _over(self) -> bool:
        return len(self._items) > self._limit or self._bytes > self._limit_bytes

    def _tell_room(self) -> None:
        if self._room is not None:
            self._room.say(self, not self.ended and (len(self._items) >= self._limit or self._bytes >= self._limit_bytes))

    def take(self) -> Tuple[T, int]:
        """The oldest, and how many were left out before it. There has to be one."""
        item, size = self._items.popleft()
        self._bytes -= size
        missed, self.missed = self.missed, 0
        self._tell_room()
        return item, missed

    async def wait(self) -> bool:
        """Until there is something; False once it has ended and is empty. For one reader."""
        while not self._items and not self.ended:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return bool(self._items)

    def end(self, discard: bool) -> None:
        self.ended = True
        if discard:
            self._items.clear()
            self._bytes = 0
        self._tell_room()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


Callback = Callable[[T], Union[None, Awaitable[None]]]


class Listener(Generic[T]):
    """An application's function. A plain one is called at once; what a coroutine function has to do is done one event after
    the other by a task. What it raises is logged."""

    def __init__(self, function: Callback[T], buffer: Buffer[T], tasks: Tasks, adapt: Callable[[T, int], T]) -> None:
        if not callable(function):
            raise TypeError(f"a listener is no function: {type(function).__name__}")
        self._function, self._buffer, self._tasks, self._adapt = function, buffer, tasks, adapt
        self._by_task = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))
        self._running: "Optional[asyncio.Task[Any]]" = None

    def tell(self, item: T, size: int, last: bool = False) -> None:
        """`last`: the event loop is ending, so a task that began now would be left behind."""
        if self._buffer.ended or last and self._by_task:
            return
        if self._by_task or self._running is not None:
            self._queue(item, size)
            return
        try:
            result: Any = self._function(item)
        except Exception:
            log.exception("a listener has failed")  # the application's mistake; the client goes on
            return
        if inspect.isawaitable(result) and not last:
            self._running = self._tasks.start(self._go_on(result))

    def _queue(self, item: T, size: int) -> None:
        self._buffer.put(item, size)
        if self._running is None:
            self._running = self._tasks.start(self._go_on(None))

    async def _go_on(self, first: Optional[Awaitable[None]]) -> None:
        try:
            if first is not None:
                await self._guarded(first)
            while len(self._buffer):
                item, missed = self._buffer.take()
                try:
                    result: Any = self._function(self._adapt(item, missed))
                except Exception:
                    log.exception("a listener has failed")
                    continue
                if inspect.isawaitable(result):
                    await self._guarded(result)
        finally:
            self._running = None

    @staticmethod
    async def _guarded(awaitable: Awaitable[None]) -> None:
        try:
            await awaitable
        except Exception:
            log.exception("a listener has failed")

    def end(self) -> None:
        """No event that comes or waits is told any more. One that is being told is, to its end or until close()."""
        self._buffer.end(discard=True)
