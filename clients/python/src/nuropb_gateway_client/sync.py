"""The client for programs without an event loop: a thin shell around Gateway, which runs on a loop in a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import weakref
from types import TracebackType
from typing import Any, Callable, Coroutine, Iterator, Optional, Sequence, Type, TypeVar

from .delivery import Callback
from .errors import Closed
from .gateway import NO_PARAMS, Gateway
from .session import SessionInfo
from .settings import Settings
from .subscriptions import Event, EventStream
from .tokens import Token
from .waiting import Tasks

T = TypeVar("T")
JOIN = 5.0  # seconds for the thread to end; it has at most a closing handshake to make


class _Loop:
    """A thread with an event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks = Tasks()
        self._lock = threading.Lock()  # so that nothing is given to the loop behind the word that it is to stop
        self._ended = False
        self._thread = threading.Thread(target=self._serve, name="nuropb-gateway", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._cancel_all()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()

    def _cancel_all(self) -> None:
        """As asyncio.run does, but not for longer than the thread is waited for: a callback may never end."""
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=JOIN / 2))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Waits for its result. Interrupted (Ctrl-C), it is cancelled."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("called from a callback, which runs in the client's own thread: it would wait for itself")
        with self._lock:
            if self._ended:
                coroutine.close()
                raise Closed("closed by its user")
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise Closed("closed by its user") from None
        except BaseException:
            future.cancel()
            raise

    def end(self, last: Coroutine[Any, Any, None]) -> None:
        """Once. In its own thread (a callback's, or the collector's) it does not wait."""
        if threading.current_thread() is self._thread:
            self._ended = True
            self._tasks.start(self._stop_behind(last))
            return
        with self._lock:
            self._ended = True
            ending = asyncio.run_coroutine_threadsafe(self._stop_behind(last), self._loop)
        try:
            ending.result(JOIN)
        except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
            pass
        self._thread.join(JOIN)

    async def _stop_behind(self, last: Coroutine[Any, Any, None]) -> None:
        try:
            await last
        finally:
            self._loop.stop()


def _end(loop: _Loop, gateway: Gateway) -> None:
    loop.end(gateway.close())


class GatewaySync:
    """Of any thread. `with GatewaySync(url, token) as gateway`, or close(); one that is left open is closed when it is
    collected or the interpreter ends. Listeners are called in the client's own thread."""

    def __init__(self, url: str, token: Token = None, settings: Optional[Settings] = None) -> None:
        self._gateway = Gateway(url, token, settings)
        self._loop = _Loop()
        self._close = weakref.finalize(self, _end, self._loop, self._gateway)
        self._loop.run(_opened(self._gateway))

    @property
    def state(self) -> str:
        return self._gateway.state

    @property
    def failure(self) -> Optional[Closed]:
        return self._gateway.failure

    @property
    def session(self) -> Optional[SessionInfo]:
        return self._gateway.session

    def ready(self, timeout: Optional[float] = None) -> None:
        self._loop.run(self._gateway.ready(timeout))

    def request(self, service: str, method: str, params: Any = NO_PARAMS, *, ttl: Optional[float] = None, idempotent: bool = False) -> Any:
        return self._loop.run(self._gateway.request(service, method, params, ttl=ttl, idempotent=idempotent))

    def command(self, service: str, method: str, params: Any = NO_PARAMS, *, ttl: Optional[float] = None) -> None:
        self._loop.run(self._gateway.command(service, method, params, ttl=ttl))

    def describe(self, service: str, *, ttl: Optional[float] = None) -> Any:
        return self._loop.run(self._gateway.describe(service, ttl=ttl))

    def publish(self, topic: str, event: Any, *, target: Optional[Sequence[str]] = None, ttl: Optional[float] = None) -> None:
        self._loop.run(self._gateway.publish(topic, event, target=target, ttl=ttl))

    def events(self, topic: str, *, when_full: str = "drop_oldest") -> "EventStreamSync":
        """`with gateway.events(topic) as events: for event in events: …`"""
        return EventStreamSync(self, self._loop, self._gateway.events(topic, when_full=when_full))

    def on(self, name: str, listener: Callback[Any]) -> Callable[[], None]:
        return self._gateway.on(name, listener)

    def close(self) -> None:
        self._close()

    def __enter__(self) -> "GatewaySync":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()


async def _opened(gateway: Gateway) -> None:
    gateway.open()


class EventStreamSync:
    """Made by GatewaySync.events(), which lives as long."""

    def __init__(self, owner: GatewaySync, loop: _Loop, stream: EventStream) -> None:
        self._owner, self._loop, self._stream = owner, loop, stream

    @property
    def dropped(self) -> int:
        return self._stream.dropped

    def __enter__(self) -> "EventStreamSync":
        self._loop.run(self._stream.__aenter__())
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            self._loop.run(self._stream.__aexit__())
        except Closed:
            pass  # with the client, which has ended it

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = self.next()
        if event is None:
            raise StopIteration
        return event

    def next(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event; None where none comes in `timeout` seconds, or none comes any more."""
        return self._loop.run(_next(self._stream, timeout))


async def _next(stream: EventStream, timeout: Optional[float]) -> Optional[Event]:
    if timeout is not None and not await stream.more(timeout):
        return None
    async for event in stream:
        return event
    return None
