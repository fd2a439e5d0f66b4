"""The gateway's own protocol (docs/reference/protocol.md): requests, events, and sessions that outlive their sockets."""

from __future__ import annotations

import asyncio
import random
import re
import time
from dataclasses import asdict
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from .client import Client, encoded
from .delivery import Callback
from .errors import Closed, GatewayError, Malformed, error_of
from .session import Session, SessionInfo
from .settings import Settings
from .subscriptions import Event, EventStream, Subscription, Subscriptions
from .tokens import NoToken, Token, Why
from .tracing import Tracing
from .waiting import within
from .websocket import Lost

NEW_SESSION = "the socket was lost, and the session with it"
TOPIC_ENDED = re.compile(r"Topic (.+): this user may not subscribe to it \(policy\)", re.DOTALL)
NO_PARAMS: Dict[str, Any] = {}


class Gateway(Client):
    """A client of /websocket. `async with Gateway(url, token) as gateway`, or open() and close()."""

    NAMES = ("open", "down", "lost", "close", "event", "message", "expiring", "error")

    def __init__(self, url: str, token: Token = None, settings: Optional[Settings] = None) -> None:
        super().__init__(url, token, settings)
        self._session_info: Optional[SessionInfo] = None
        self._begun_before = False
        self._protocol = Session(_Ties(self), self.settings.resume, time.monotonic)
        self._subscriptions = Subscriptions(self.settings, self._say_topic, self._tasks, self._room)
        self._tracing = Tracing()

    # --- what an application uses

    @property
    def session(self) -> Optional[SessionInfo]:
        """Who one is; None before the first session and once it is closed."""
        return self._session_info

    async def request(self, service: str, method: str, params: Any = NO_PARAMS, *, ttl: Optional[float] = None,
                      idempotent: bool = False, traceparent: Optional[str] = None) -> Any:
        """The service's result, or one of the errors of errors.py. `idempotent`: it may run twice, so it is sent again rather
        than left unknown. Cancelled, nobody waits any more; what was sent may run all the same."""
        members: Dict[str, Any] = {"service": service, "method": method, "params": params}
        if idempotent:
            members["idempotent"] = True
        return await self._say("request", members, ttl, idempotent, traceparent)

    async def command(self, service: str, method: str, params: Any = NO_PARAMS, *, ttl: Optional[float] = None, traceparent: Optional[str] = None) -> None:
        """Done once the broker has it: nobody tells what became of it."""
        await self._say("command", {"service": service, "method": method, "params": params}, ttl, False, traceparent)

    async def describe(self, service: str, *, ttl: Optional[float] = None) -> Any:
        return await self._say("describe", {"service": service}, ttl, True, None)

    async def publish(self, topic: str, event: Any, *, target: Optional[Sequence[str]] = None, ttl: Optional[float] = None,
                      traceparent: Optional[str] = None) -> None:
        """For everybody who subscribes, or for the users in `target`. Done once the broker has it."""
        members: Dict[str, Any] = {"topic": topic, "event": event}
        if isinstance(target, str):
            raise TypeError("target is a list of user ids, not one of them")
        if target is not None:
            members["target"] = list(target)
        await self._say("event", members, ttl, False, traceparent)

    async def subscribe(self, topic: str, listener: Callback[Event], *, ttl: Optional[float] = None, when_full: str = "drop_oldest") -> Subscription:
        """The listener is told the events of the pattern, over lost sockets and sessions, until the subscription is ended."""
        subscription = Subscription(topic, listener, self._subscriptions.buffer(topic, when_full), self._tasks, self._subscriptions.end)
        await self._subscriptions.begin(topic, subscription, ttl)
        return subscription

    def events(self, topic: str, *, when_full: str = "drop_oldest") -> EventStream:
        """The same as an iterator: `async with gateway.events(topic) as events: async for event in events: …`"""
        return EventStream(topic, self._subscriptions.buffer(topic, when_full), self._subscriptions.begin, self._subscriptions.end)

    # --- what it says

    async def _say(self, verb: str, members: Mapping[str, Any], ttl: Optional[float], idempotent: bool, traceparent: Optional[str]) -> Any:
        span = traceparent or self._tracing.traceparent()
        text = encoded({**members, "traceparent": span} if span else members)[:-1]

        def make(id: str) -> Callable[[int], str]:
            return lambda ttl_ms: f'{{"type":"{verb}","payload":{text},"trace_id":"{id}","ttl":{ttl_ms}}}}}'
        return await self._call(make, ttl, idempotent, len(text.encode()))

    async def _say_topic(self, verb: str, topic: str, ttl: Optional[float]) -> Any:
        return await self._say(verb, {"topic": topic}, ttl, True, None)

    # --- what Client asks of it

    def _busy(self) -> bool:
        return bool(len(self._calls) or len(self._subscriptions))

    def _opened(self) -> None:
        self._protocol.socket_opened()
        if self.settings.token_in_message:
            self._write({"type": "authorize", "payload": {"token": self._shown}})

    def _take(self, message: Any, size: int) -> None:
        self._protocol.take(message, size)

    def _lost(self, lost: Lost) -> None:
        self._protocol.socket_lost()

    def _garbled(self, reason: str) -> None:
        self._protocol.garbled(reason)

    def _ended(self, why: Closed) -> None:
        self._protocol.end()
        self._session_info, self._begun_before = None, False
        self._subscriptions.finish(None if self._closers else why)

    # --- what comes

    def _deliver(self, message: Any, size: int) -> None:
        kind = message.get("type") if isinstance(message, dict) else None
        payload = message.get("payload") if isinstance(message, dict) else None
        if kind == "response" and isinstance(payload, dict):
            call = self._calls.get(payload.get("trace_id"))
            error = payload.get("error")
            if call is None:
                return  # of a call that is over, or of none, by a peer's mistake
            if error is None:
                call.done(payload.get("result"))
            else:
                call.fail(error_of(error if isinstance(error, dict) else {"error": error}))
        elif kind == "event" and isinstance(payload, dict) and isinstance(payload.get("topic"), str):
            self._deliver_event(payload, size)
        elif kind is None and isinstance(message, dict) and isinstance(message.get("error"), str) and isinstance(message.get("description"), str):
            call = self._calls.get(message.get("trace_id"))
            if call is not None:
                call.fail(error_of(message))
            else:
                self._deliver_error(error_of(message))
        else:
            self._emitter.tell("message", message, size)

    def _deliver_event(self, payload: Dict[str, Any], size: int) -> None:
        data = payload.get("event")
        if payload["topic"] == "session_expiring" and isinstance(data, dict) and self._session_info is not None and data.get("session_id") == self._session_info.session_id:
            self._emitter.tell("expiring", data)
            self._tasks.start(self._refresh())
            return
        event = event_of(payload)
        self._subscriptions.deliver(event, size)
        self._emitter.tell("event", event, size)

    def _deliver_error(self, error: GatewayError) -> None:
        if ended := TOPIC_ENDED.fullmatch(error.description):
            self._subscriptions.fail(ended[1], error)
        self._error(error)

    async def _refresh(self) -> None:
        """A fresh token before the old one expires; the session goes on."""
        if not self._tokens.renewable:
            return
        socket = self._socket
        while self._socket is socket and socket is not None:
            try:
                token = await within(self.settings.connect_timeout, self._tokens.get(Why(False, True)))
                if token is None or token == self._shown or self._socket is not socket:
                    return
                await self._say("authorize", {"token": token}, None, False, None)
                self._shown = token
                return
            except (NoToken, asyncio.TimeoutError):
                pass  # asked again, as at a connect
            except GatewayError as error:
                if self._socket is not socket:
                    return  # the next one begins with a token of its own
                if not error.retryable:
                    self._error(error)
                    return
            await asyncio.sleep(1 + 2 * random.random())

    def _began(self, info: SessionInfo, resumed: bool, pending: Optional[List[str]]) -> None:
        self._session_info = info
        if resumed:
            self._calls.never_taken(set(one for one in pending or () if isinstance(one, str)))
        elif self._begun_before:
            self._subscriptions.mark_gap(NEW_SESSION)
        self._begun_before = True
        self._begun({**asdict(info), "resumed": resumed})
        if not resumed:
            self._subscriptions.renew(self._error, lambda: 0.5 + random.random())

    def _session_lost(self, reason: str) -> None:
        self._subscriptions.mark_gap(reason)
        self._emitter.tell("lost", {"reason": reason})


class _Ties:
    """What the session does to its client (session.Owner)."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def write(self, message: Mapping[str, Any]) -> None:
        self._gateway._write(message)

    def again_later(self, delay: float, ask: Callable[[], None]) -> None:
        gateway = self._gateway
        socket = gateway._socket

        def again() -> None:
            if gateway._socket is socket and socket is not None:
                ask()
        asyncio.get_running_loop().call_later(delay, again)

    def deliver(self, message: Any, size: int) -> None:
        self._gateway._deliver(message, size)

    def forsake(self) -> None:
        self._gateway._calls.forsake()

    def lost(self, reason: str) -> None:
        self._gateway._session_lost(reason)

    def began(self, info: SessionInfo, resumed: bool, pending: Optional[List[str]]) -> None:
        self._gateway._began(info, resumed, pending)


def event_of(payload: Mapping[str, Any]) -> Event:
    target, dropped, traceparent = payload.get("target"), payload.get("dropped"), payload.get("traceparent")
    return Event(
        topic=payload["topic"], data=payload.get("event"), target=tuple(target) if isinstance(target, list) else None, context=payload.get("context"),
        traceparent=traceparent if isinstance(traceparent, str) else None, dropped=dropped if isinstance(dropped, int) and not isinstance(dropped, bool) else 0,
    )


def connect(url: str, token: Token = None, settings: Optional[Settings] = None) -> Gateway:
    """A Gateway that is opened already: calls may be made at once."""
    return Gateway(url, token, settings).open()


__all__ = ["Gateway", "Malformed", "connect", "event_of"]
