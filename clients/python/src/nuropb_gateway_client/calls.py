"""Calls that have no outcome yet. Each ends exactly once, whatever becomes of sockets and sessions."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from typing import Any, Callable, Collection, Dict, List, Optional

from .errors import GatewayError, ServiceError, TimeoutNotSent, TimeoutUnknown, UnknownOutcome, not_sent_when_closed

LOST = "the connection was lost; it may have run"


class Call:
    """One call. `make(ttl_ms)` is the text that is sent for it."""

    __slots__ = ("id", "make", "size", "until", "idempotent", "future", "sent_at", "timer")

    def __init__(self, id: str, make: Callable[[int], str], size: int, until: float, idempotent: bool, future: "asyncio.Future[Any]") -> None:
        self.id, self.make, self.size, self.until, self.idempotent, self.future = id, make, size, until, idempotent, future
        self.sent_at: Optional[float] = None  # when it was written to a socket that may have taken it
        self.timer: Optional[asyncio.TimerHandle] = None

    def done(self, result: Any) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Calls:
    """In the order in which they were made. `on_silence(since)` is told of a call that was sent at `since` and got no
    answer in all its time."""

    def __init__(self, grace: float, on_silence: Callable[[float], None]) -> None:
        self._grace, self._on_silence = grace, on_silence
        self._all: Dict[str, Call] = {}
        self._unsent = 0
        self._prefix, self._numbers = secrets.token_hex(6), itertools.count(1)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def unsent(self) -> int:
        return self._unsent

    def next_id(self) -> str:
        return f"{self._prefix}-{next(self._numbers)}"

    def add(self, id: str, make: Callable[[int], str], size: int, ttl: float, idempotent: bool) -> Call:
        loop = asyncio.get_running_loop()
        call = Call(id, make, size, loop.time() + ttl, idempotent, loop.create_future())
        call.timer = loop.call_at(call.until, self._late, call)
        self._all[id] = call
        self._unsent += 1
        return call

    def remove(self, call: Call) -> None:
        if self._all.pop(call.id, None) is None:
            return
        if call.sent_at is None:
            self._unsent -= 1
        if call.timer is not None:
            call.timer.cancel()

    def get(self, id: object) -> Optional[Call]:
        return self._all.get(id) if isinstance(id, str) else None

    def waiting(self) -> List[Call]:
        return [call for call in self._all.values() if call.sent_at is None]

    def outgoing(self, call: Call) -> Callable[[], Optional[str]]:
        """What a socket asks for when it comes to this call: its text, if it is still to be sent."""
        def text() -> Optional[str]:
            if call.id not in self._all or call.future.done() or call.sent_at is not None:
                return None
            now = asyncio.get_running_loop().time()
            call.sent_at = now
            self._unsent -= 1
            return call.make(max(1, round((call.until - now) * 1000)))
        return text

    def _late(self, call: Call) -> None:
        loop = asyncio.get_running_loop()
        if call.sent_at is None:
            call.fail(TimeoutNotSent("no connection in time; it was not sent"))
            return
        if loop.time() < call.until + self._grace:
            call.timer = loop.call_at(call.until + self._grace, self._late, call)
            return
        call.fail(TimeoutUnknown("no answer in time; it may have run"))
        self._on_silence(call.sent_at)

    def forsake(self) -> None:
        """What was sent is lost with its session: it goes again if it may run twice, else nobody knows."""
        for call in list(self._all.values()):
            if call.sent_at is None:
                continue
            if call.idempotent:
                self._unsend(call)
            else:
                call.fail(UnknownOutcome(LOST))

    def never_taken(self, pending: Collection[str]) -> None:
        """What was sent, and is neither answered nor pending in the session that was resumed: it goes again."""
        for call in self._all.values():
            if call.sent_at is not None and call.id not in pending:
                self._unsend(call)

    def unsend_all(self) -> None:
        """The socket was closed before anything was read from it."""
        self.never_taken(())

    def _unsend(self, call: Call) -> None:
        call.sent_at = None
        self._unsent += 1

    def too_big(self) -> None:
        """The gateway has closed a socket over a message that was too big for it. That was the largest of those that have
        no answer, since it took the others; sent again it would be refused again, without an end."""
        sent = [call for call in self._all.values() if call.sent_at is not None and not call.future.done()]
        if sent:
            largest = max(sent, key=lambda call: call.size)
            largest.fail(ServiceError(f"the message is too big for the gateway: {largest.size} bytes; it was not taken", code=1009))

    def end(self, why: GatewayError) -> None:
        for call in list(self._all.values()):
            error: GatewayError = UnknownOutcome(LOST) if call.sent_at is not None else not_sent_when_closed(why)
            error.__cause__ = why
            call.fail(error)
