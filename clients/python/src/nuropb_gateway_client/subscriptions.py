"""Topic patterns that are listened to, over lost sockets and sessions."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, List, Optional, Protocol, Tuple

from .delivery import Buffer, Callback, Listener, Room
from .errors import GatewayError
from .settings import Settings
from .topics import matches
from .waiting import Tasks


@dataclass(frozen=True)
class Event:
    """An event of the mesh."""

    topic: str
    data: Any
    target: Optional[Tuple[str, ...]] = None
    context: Any = None
    traceparent: Optional[str] = None
    dropped: int = 0
    """So many events before this one are missing: the gateway or this client left them out for a slow reader."""
    gap: Optional[str] = None
    """Why events may be missing between the last one and this: the session was lost."""


class Sink(Protocol):
    """A listener, or a stream."""

    def tell(self, event: Event, size: int) -> None: ...
    def finish(self, why: Optional[GatewayError]) -> None: ...


def late(event: Event, missed: int) -> Event:
    return replace(event, dropped=event.dropped + missed) if missed else event


class Subscription(Sink):
    """What `subscribe` gives: ends it."""

    def __init__(self, topic: str, listener: Callback[Event], buffer: Buffer[Event], tasks: Tasks, end: Callable[[str, Sink], Awaitable[None]]) -> None:
        self.topic, self._buffer, self._end = topic, buffer, end
        self._listener: Listener[Event] = Listener(listener, buffer, tasks, late)

    @property
    def dropped(self) -> int:
        """How many events were left out because the listener was too slow."""
        return self._buffer.dropped

    def tell(self, event: Event, size: int) -> None:
        self._listener.tell(event, size)

    def finish(self, why: Optional[GatewayError]) -> None:
        self._listener.end()

    async def end(self) -> None:
        self._listener.end()
        await self._end(self.topic, self)

    async def __aenter__(self) -> "Subscription":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.end()


class EventStream(Sink):
    """`async with gateway.events(topic) as events: async for event in events: …`. Ends with the client: quietly where its user
    closed it, else with the error that ended it."""

    def __init__(self, topic: str, buffer: Buffer[Event], begin: Callable[[str, Sink], Awaitable[None]], end: Callable[[str, Sink], Awaitable[None]]) -> None:
        self.topic, self._buffer, self._begin, self._end = topic, buffer, begin, end
        self._why: Optional[GatewayError] = None
        self._entered = False

    @property
    def dropped(self) -> int:
        return self._buffer.dropped

    async def __aenter__(self) -> "EventStream":
        if self._entered:
            raise RuntimeError("a stream of events is entered once; ask for another one")
        self._entered = True
        await self._begin(self.topic, self)
        return self

    async def __aexit__(self, *_: Any) -> None:
        self._buffer.end(discard=True)
        await self._end(self.topic, self)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        if not self._entered:
            raise RuntimeError("a stream of events is to be entered first: async with gateway.events(…) as events")
        if await self._buffer.wait():
            return late(*self._buffer.take())
        if self._why is not None:
            why, self._why = self._why, None
            raise why
        raise StopAsyncIteration

    async def more(self, timeout: float) -> bool:
        """Whether there is an event, or the stream has ended, within so many seconds."""
        waiting = asyncio.ensure_future(self._buffer.wait())
        try:
            await asyncio.wait({waiting}, timeout=timeout)
        finally:
            waiting.cancel()
        return bool(len(self._buffer)) or self._buffer.ended

    def tell(self, event: Event, size: int) -> None:
        self._buffer.put(event, size)

    def finish(self, why: Optional[GatewayError]) -> None:
        self._why = why
        self._buffer.end(discard=False)


class _Topic:
    def __init__(self) -> None:
        self.sinks: List[Sink] = []
        self.on = False                       # the gateway has said yes, once
        self.gap: Optional[str] = None        # since the last event
        self.ready: "Optional[asyncio.Task[Any]]" = None


class Subscriptions:
    """`say(verb, topic, ttl)` asks the gateway. What is to be renewed is renewed by `tasks`."""

    def __init__(self, settings: Settings, say: Callable[[str, str, Optional[float]], Awaitable[Any]], tasks: Tasks, room: Room) -> None:
        self._settings, self._say, self._tasks, self._room = settings, say, tasks, room
        self._asking = Tasks()  # not cancelled by close(), which ends every call and so these
        self._topics: Dict[str, _Topic] = {}

    def __len__(self) -> int:
        return len(self._topics)

    def buffer(self, topic: str, when_full: str) -> Buffer[Event]:
        return Buffer(f"subscription of {topic!r}", self._settings, when_full, self._room)

    async def begin(self, topic: str, sink: Sink, ttl: Optional[float] = None) -> None:
        """Several of one pattern are one subscription at the gateway."""
        entry = self._topics.get(topic)
        if entry is None:
            entry = self._topics[topic] = _Topic()
            entry.ready = self._asking.start(self._first(topic, entry, ttl))
        entry.sinks.append(sink)
        ready = entry.ready
        if ready is None:
            return
        try:
            error = await asyncio.shield(ready)
        except asyncio.CancelledError:
            # Nobody listens here any more.
            if self._remove(topic, entry, sink) and not entry.sinks and not ready.cancelled():
                self._asking.start(self._unsubscribe(topic))
            raise
        if error is not None:
            raise error

    async def _first(self, topic: str, entry: _Topic, ttl: Optional[float]) -> Optional[Exception]:
        try:
            await self._say("subscribe", topic, ttl)
        except Exception as error:
            if self._topics.get(topic) is entry:
                del self._topics[topic]
            return error
        entry.on, entry.ready = True, None
        return None

    async def end(self, topic: str, sink: Sink) -> None:
        entry = self._topics.get(topic)
        if entry is not None and self._remove(topic, entry, sink) and not entry.sinks:
            # It is told at once. Without a connection it is told later, for which nobody has to wait.
            await asyncio.wait({self._asking.start(self._unsubscribe(topic))}, timeout=self._settings.close_timeout)

    def _remove(self, topic: str, entry: _Topic, sink: Sink) -> bool:
        if sink not in entry.sinks:
            return False
        entry.sinks.remove(sink)
        if not entry.sinks and self._topics.get(topic) is entry:
            del self._topics[topic]
        return True

    async def _unsubscribe(self, topic: str) -> None:
        try:
            await self._say("unsubscribe", topic, None)
        except GatewayError:
            pass  # a session that has ended has no subscription any more either

    def deliver(self, event: Event, size: int) -> None:
        for pattern, entry in list(self._topics.items()):
            if matches(pattern, event.topic):
                gap, entry.gap = entry.gap, None
                told = replace(event, gap=gap) if gap else event
                for sink in list(entry.sinks):
                    sink.tell(told, size)

    def mark_gap(self, reason: str) -> None:
        for entry in self._topics.values():
            if entry.on:
                entry.gap = entry.gap or reason

    def renew(self, failed: Callable[[GatewayError], None], retry: Callable[[], float]) -> None:
        """In a new session, what the last one had."""
        for topic, entry in self._topics.items():
            if entry.on:
                self._tasks.start(self._renew(topic, entry, failed, retry))

    async def _renew(self, topic: str, entry: _Topic, failed: Callable[[GatewayError], None], retry: Callable[[], float]) -> None:
        while self._topics.get(topic) is entry:
            try:
                await self._say("subscribe", topic, None)
                return
            except GatewayError as error:
                if self._topics.get(topic) is not entry:
                    return
                if not (error.retryable or error.unknown_outcome):
                    self.fail(topic, error)
                    failed(error)
                    return
            await asyncio.sleep(retry())

    def fail(self, topic: str, error: GatewayError) -> bool:
        """The gateway has ended it."""
        entry = self._topics.pop(topic, None)
        for sink in entry.sinks if entry is not None else ():
            sink.finish(error)
        return entry is not None

    def finish(self, why: Optional[GatewayError]) -> None:
        """The client is closed; None: by its user."""
        topics, self._topics = self._topics, {}
        for entry in topics.values():
            for sink in entry.sinks:
                sink.finish(why)
