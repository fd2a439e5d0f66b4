"""A WebSocket that comes back, and calls that end exactly once however often it is lost. `Gateway` and `Snorky` are built
on it.

    closed → connecting → open → waiting (to connect again) → connecting → …
                                 idle (until there is something to say, after 4004)
    and from each of them to closed: for good, or until open()
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, Callable, Dict, Optional, Set, Tuple, Type, TypeVar

from .backoff import Backoff
from .calls import Calls
from .delivery import Callback, Room
from .emitter import Emitter
from .errors import Closed, GatewayError, Malformed, NotDelivered, TimeoutNotSent, not_sent_when_closed
from .settings import Settings, checked_ttl, checked_url
from .tokens import NoToken, Token, TokenSource, Why
from .waiting import Tasks, text_of, within
from .websocket import TOO_BIG, DialFailed, Lost, WebSocket

log = logging.getLogger("nuropb_gateway_client")
Self = TypeVar("Self", bound="Client")

IDLE, RENEWABLE = 4004, (4501, 4502)
NORMAL, UNAUTHORIZED = 1000, 401
STEADY = 10.0  # seconds after which a socket counts as good, whatever was heard on it
BY_ITS_USER, BY_ITS_LOOP = "closed by its user", "closed with its event loop"


class _Over(Exception):
    """The client does not come back by itself."""

    def __init__(self, failure: Closed) -> None:
        super().__init__(failure.description)
        self.failure = failure


def encoded(value: Any) -> str:
    """JSON as the gateway takes it; TypeError or ValueError where there is none, for the caller."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    text.encode()  # a lone surrogate is no UTF-8
    return text


class Client:
    """Belongs to the event loop in which it is opened, and to its thread."""

    NAMES: Tuple[str, ...] = ("open", "down", "close", "message", "error")

    def __init__(self, url: str, token: Token = None, settings: Optional[Settings] = None) -> None:
        self.url = checked_url(url)
        self.settings = settings or Settings()
        self._tokens = TokenSource(token)
        self._backoff = Backoff(self.settings)
        self._calls = Calls(self.settings.grace, self._silence)
        self._emitter = Emitter(self.NAMES, self.settings)
        self._tasks = Tasks()  # of one opening
        self._room = Room()
        self._socket: Optional[WebSocket] = None
        self._supervisor: "Optional[asyncio.Task[None]]" = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._state = "closed"
        self._failure: Optional[Closed] = None
        self._down = ""                           # why the last attempt ended
        self._closers: "Set[Optional[asyncio.Task[Any]]]" = set()  # who waits in close()
        self._refused: Optional[Closed] = None    # why the last token was refused, until another one is sent
        self._shown: Optional[str] = None         # the last token that was sent
        self._guard: Optional[asyncio.TimerHandle] = None
        self._heard_any = False                   # on this socket
        self._watchers: "Set[asyncio.Future[None]]" = set()

    # --- what an application uses

    @property
    def state(self) -> str:
        """'closed', 'connecting', 'open', 'waiting' or 'idle'."""
        return self._state

    @property
    def failure(self) -> Optional[Closed]:
        """Why it is closed for good; None before it was opened, and while it is open."""
        return self._failure

    def open(self: Self) -> Self:
        """Connects, also again after it was closed. Needs a running event loop; does not wait."""
        if self._state == "closed":
            self._backoff.reset()
            self._failure, self._refused = None, None
            self._closers, self._loop = set(), asyncio.get_running_loop()
            self._set_state("connecting")
            self._supervisor = self._loop.create_task(self._run())
        return self

    async def ready(self, timeout: Optional[float] = None) -> None:
        """Waits for a session. Raises what it is closed for, or TimeoutNotSent after `timeout` seconds."""
        if self._state == "closed" and self._failure is None:
            self.open()
        until = None if timeout is None else asyncio.get_running_loop().time() + timeout
        while self._state != "open":
            if self._state == "closed":
                raise self._failure or Closed("it was not opened")
            left = None if until is None else until - asyncio.get_running_loop().time()
            if left is not None and left <= 0:
                raise TimeoutNotSent(f"no session in {timeout:g} s{'; ' if self._down else ''}{self._down}")
            watcher: "asyncio.Future[None]" = asyncio.get_running_loop().create_future()
            self._watchers.add(watcher)
            try:
                await asyncio.wait({watcher}, timeout=left)
            finally:
                self._watchers.discard(watcher)

    async def close(self) -> None:
        """For good: what is not answered yet fails. Waits until nothing of it is left, but for callbacks."""
        supervisor = self._supervisor
        if supervisor is None or supervisor.done() or supervisor is asyncio.current_task():
            return
        if not self._closers:
            supervisor.cancel()
        self._closers.add(asyncio.current_task())
        await asyncio.wait({supervisor})

    async def __aenter__(self: Self) -> Self:
        return self.open()

    async def __aexit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Any) -> None:
        await self.close()

    def on(self, name: str, listener: Callback[Any]) -> Callable[[], None]:
        """Tells the listener until the function that is returned is called. A coroutine function is run by a task, for one
        event after the other."""
        return self._emitter.on(name, listener)

    # --- what a protocol (Gateway, Snorky) has of its own

    def _busy(self) -> bool:
        raise NotImplementedError

    def _opened(self) -> None:
        raise NotImplementedError

    def _take(self, message: Any, size: int) -> None:
        raise NotImplementedError

    def _lost(self, lost: Lost) -> None:
        raise NotImplementedError

    def _garbled(self, reason: str) -> None:
        """What was lost with the socket is not to be asked for again: it could not be read."""

    def _ended(self, why: Closed) -> None:
        raise NotImplementedError

    # --- what they build on

    def _write(self, message: Any) -> None:
        if self._socket is not None:
            self._socket.write(encoded(message))

    def _begun(self, what: Dict[str, Any]) -> None:
        """The session has begun, or goes on."""
        self._disarm()
        self._backoff.reset()
        self._set_state("open")
        self._emitter.tell("open", what)
        for call in self._calls.waiting():
            self._send(self._calls.outgoing(call))

    def _disarm(self) -> None:
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None

    def _send(self, outgoing: Callable[[], Optional[str]]) -> None:
        if self._socket is not None:
            self._socket.write(outgoing)

    async def _call(self, make: Callable[[str], Callable[[int], str]], ttl: Optional[float], idempotent: bool, size: int) -> Any:
        """`make(id)(ttl_ms)` is the text that is sent, now or once there is a session."""
        seconds = checked_ttl(ttl, self.settings.ttl)
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            raise RuntimeError("the client belongs to another event loop, the one in which it was opened; GatewaySync is for threads")
        if self._state == "closed":
            raise not_sent_when_closed(self._failure or Closed("it was not opened"))
        if self._state != "open" and self._calls.unsent >= self.settings.queue:
            raise NotDelivered("not sent: too much waits for a connection (Settings.queue)")
        id = self._calls.next_id()
        call = self._calls.add(id, make(id), size, seconds, idempotent)
        try:
            if self._state == "open":
                self._send(self._calls.outgoing(call))
            self._wake()
            return await call.future
        finally:
            self._calls.remove(call)

    def _wake(self) -> None:
        """There is something to say, or to listen to."""
        if self._state == "idle":
            self._set_state("connecting")

    # --- how it lives

    def _set_state(self, state: str) -> None:
        self._state = state
        for watcher in list(self._watchers):
            if not watcher.done():
                watcher.set_result(None)

    async def _run(self) -> None:
        why = Closed(BY_ITS_LOOP)
        try:
            while True:
                lost = await self._attempt()
                self._down = lost.reason
                if lost.code == TOO_BIG:
                    self._calls.too_big()
                self._lost(lost)
                self._judge(lost)
                await self._pause(lost)
        except _Over as over:
            why = over.failure
        except asyncio.CancelledError:
            if self._closers:
                why = Closed(BY_ITS_USER)
            raise
        except Exception as error:
            log.exception("the client has failed; this is a mistake in it")
            why = Closed(f"the client has failed: {type(error).__name__}: {text_of(error)}")
        finally:
            self._finish(why)

    async def _attempt(self) -> Lost:
        """Until the socket is lost, or there was none."""
        loop = asyncio.get_running_loop()
        self._set_state("connecting")
        until = loop.time() + self.settings.connect_timeout
        try:
            token = await within(self.settings.connect_timeout, self._tokens.get(Why(self._refused is not None, False)))
        except asyncio.TimeoutError:
            return Lost(0, "no token in time")
        except NoToken as none:
            return Lost(0, str(none))
        if self._refused is not None and (token is None or token == self._shown):
            raise _Over(self._refused)
        self._shown, self._refused = token, None
        try:
            socket = await within(until - loop.time(), WebSocket.dial(self.url, token, self.settings), WebSocket.abandon)
        except asyncio.TimeoutError:
            return Lost(0, "no connection in time")
        except DialFailed as failed:
            return failed.lost
        return await self._live(socket, until)

    async def _live(self, socket: WebSocket, until: float) -> Lost:
        loop = asyncio.get_running_loop()
        self._socket, self._heard_any = socket, False
        self._guard = loop.call_at(until, socket.drop, "no session in time")
        since = loop.time()
        try:
            self._opened()
            return await self._read(socket)
        finally:
            self._disarm()
            self._socket = None
            if loop.time() - since > STEADY:
                self._backoff.reset()
            await socket.end(NORMAL)

    async def _read(self, socket: WebSocket) -> Lost:
        while True:
            try:
                text = await socket.receive()
                if isinstance(text, Lost):
                    if text.too_big:
                        self._garbled(text.reason)
                    return text
                self._heard_any = True
                self._take(json.loads(text), len(text))
            except Exception as error:  # whatever a message that is no message of the gateway's leads to
                reason = f"a message that was not understood: {type(error).__name__}: {text_of(error)}"
                log.warning("%s", reason)
                socket.drop(reason)
                self._garbled(reason)
                return Lost(1006, reason)
            if not self._room.there:
                socket.paused = True
                await self._room.wait()
                socket.paused, socket.heard = False, asyncio.get_running_loop().time()

    def _judge(self, lost: Lost) -> None:
        """Whether it is the end: close codes say so (docs/reference/close-codes.md)."""
        code = lost.code or (lost.status or 0)
        if not (code == NORMAL or code == UNAUTHORIZED or 4500 <= code < 5000):
            return
        failure = Closed(f"closed with {lost.code} {lost.reason}" if lost.code else lost.reason, reason=lost.reason, code=code)
        # Another token may be let in; all else that is said like this stays so.
        if not (code in RENEWABLE or code == UNAUTHORIZED) or not self._tokens.renewable:
            raise _Over(failure)
        self._refused = failure

    async def _pause(self, lost: Lost) -> None:
        what: Dict[str, Any] = {"code": lost.code, "reason": lost.reason}
        if lost.code == IDLE and not self._busy():
            self._set_state("idle")
            self._emitter.tell("down", what)
            while self._state == "idle":
                watcher: "asyncio.Future[None]" = asyncio.get_running_loop().create_future()
                self._watchers.add(watcher)
                try:
                    await watcher
                finally:
                    self._watchers.discard(watcher)
            return
        delay = self._backoff.next(lost.code, lost.retry_after)
        log.info("down: %s (%d); again in %.2f s", lost.reason, lost.code, delay)
        self._set_state("waiting")
        self._emitter.tell("down", {**what, "delay": delay})
        await asyncio.sleep(delay)

    def _silence(self, since: float) -> None:
        """A call that was sent at `since` got no answer in all its time."""
        socket = self._socket
        if socket is not None and self._state == "open" and socket.heard < since and not socket.paused:
            socket.drop("nothing was heard for as long as a call may take")

    def _finish(self, why: Closed) -> None:
        self._failure = why
        self._set_state("closed")
        self._shown = None
        self._ended(why)
        self._calls.end(why)
        self._tasks.cancel(but=self._closers)  # a callback may close the client, and goes on behind it
        self._emitter.tell("close", why, last=why.description == BY_ITS_LOOP)

    def _error(self, error: GatewayError) -> None:
        """What belongs to no call."""
        if not self._emitter.heard("error"):
            log.warning("%s", error)
        self._emitter.tell("error", error)


__all__ = ["Client", "Malformed", "encoded"]
