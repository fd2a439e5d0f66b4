"""Snorky's services at /ws (docs/tasks/snorky.md): channels that come back with the socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Callable, Dict, List, Optional

from .client import Client, encoded
from .delivery import Buffer, Callback, Listener
from .errors import Closed, GatewayError, snorky_error_of
from .settings import Settings
from .tokens import Token
from .waiting import Tasks
from .websocket import Lost

ALREADY = "Already subscribed"


class Snorky(Client):
    """A client of /ws. `async with Snorky(url, token) as snorky`, or open() and close()."""

    def __init__(self, url: str, token: Token = None, settings: Optional[Settings] = None) -> None:
        super().__init__(url, token, settings)
        self._services: Dict[str, Service] = {}

    def service(self, name: str) -> "Service":
        """One of the gateway's services, by the name that it has in services.toml."""
        if name not in self._services:
            self._services[name] = Service(self, name)
        return self._services[name]

    def _busy(self) -> bool:
        return bool(len(self._calls) or any(service.busy for service in self._services.values()))

    def _opened(self) -> None:
        self._begun({})
        for service in self._services.values():
            service.renew()

    def _lost(self, lost: Lost) -> None:
        # What was sent to a socket that was closed by a verdict on it before its first answer was never read.
        if not self._heard_any and lost.code >= 4000:
            self._calls.unsend_all()
        self._calls.forsake()

    def _ended(self, why: Closed) -> None:
        for service in self._services.values():
            service.finish()

    def _take(self, message: Any, size: int) -> None:
        name, said = message["service"], message["message"]
        kind = said.get("type") if isinstance(said, dict) else None
        call = self._calls.get(said.get("callId")) if isinstance(said, dict) else None
        if kind == "response" and call is not None:
            call.done(said.get("data"))
        elif kind == "error" and call is not None:
            call.fail(snorky_error_of(said.get("message")))
        elif kind == "error":
            self._error(snorky_error_of(said.get("message")))
        elif name == "gateway":
            self._emitter.tell("message", said, size)
        elif name in self._services and isinstance(said, dict):
            self._services[name].notify(said, size)

    async def _say(self, service: str, command: str, params: Any, ttl: Optional[float], idempotent: bool) -> Any:
        head, text = encoded({"command": command, "params": params})[:-1], encoded(service)

        def make(id: str) -> Callable[[int], str]:
            return lambda _: f'{{"service":{text},"message":{head},"callId":"{id}"}}}}'
        return await self._call(make, ttl, idempotent, len(head))


class _Channel:
    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.listeners: List[Listener[Any]] = []
        self.on = False
        self.ready: "Optional[asyncio.Task[Any]]" = None


class ChannelSubscription:
    """What `Service.subscribe` gives: ends it."""

    def __init__(self, service: "Service", key: str, listener: Listener[Any]) -> None:
        self._service, self._key, self._listener = service, key, listener

    async def end(self) -> None:
        await self._service._leave(self._key, self._listener)

    async def __aenter__(self) -> "ChannelSubscription":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.end()


class Service:
    """Made by Snorky.service()."""

    def __init__(self, snorky: Snorky, name: str) -> None:
        self.snorky, self.name = snorky, name
        self._channels: Dict[str, _Channel] = {}
        self._listeners: List[Listener[Any]] = []
        self._asking = Tasks()

    @property
    def busy(self) -> bool:
        return bool(self._channels)

    async def call(self, command: str, params: Optional[Dict[str, Any]] = None, *, ttl: Optional[float] = None, idempotent: bool = False) -> Any:
        """Any command of the service."""
        return await self.snorky._say(self.name, command, {} if params is None else params, ttl, idempotent)

    async def publish(self, channel: Any, message: Any, *, ttl: Optional[float] = None, idempotent: bool = False) -> None:
        await self.call("publish", {"channel": channel, "message": message}, ttl=ttl, idempotent=idempotent)

    async def subscribe(self, channel: Any, listener: Callback[Any], *, ttl: Optional[float] = None) -> ChannelSubscription:
        """The listener gets what is published to the channel, over lost sockets too, until the subscription is ended. What is
        published while there is no socket is missed."""
        key = _key_of(channel)
        mine = self._listener_of(listener, f"channel {key}")
        entry = self._channels.get(key)
        if entry is None:
            entry = self._channels[key] = _Channel(channel)
            entry.ready = self._asking.start(self._first(key, entry, ttl))
        entry.listeners.append(mine)
        ready = entry.ready
        if ready is not None:
            try:
                error = await asyncio.shield(ready)
            except asyncio.CancelledError:
                if self._remove(key, entry, mine) and not ready.cancelled():
                    self._asking.start(self._unsubscribe(channel))
                raise
            if error is not None:
                raise error
        return ChannelSubscription(self, key, mine)

    def on(self, listener: Callback[Any]) -> Callable[[], None]:
        """Notifications of every kind: message, presence, read. The function that is returned ends it."""
        mine = self._listener_of(listener, f"service {self.name}")
        self._listeners.append(mine)

        def off() -> None:
            if mine in self._listeners:
                self._listeners.remove(mine)
                mine.end()
        return off

    def _listener_of(self, listener: Callback[Any], name: str) -> Listener[Any]:
        return Listener(listener, Buffer(f"listener of {name}", self.snorky.settings), self.snorky._tasks, lambda item, _: item)

    async def _first(self, key: str, entry: _Channel, ttl: Optional[float]) -> Optional[Exception]:
        try:
            await self._subscribe(entry.channel, ttl)
        except Exception as error:
            if self._channels.get(key) is entry:
                del self._channels[key]
            return error
        entry.on, entry.ready = True, None
        return None

    async def _subscribe(self, channel: Any, ttl: Optional[float] = None) -> None:
        try:
            await self.call("subscribe", {"channel": channel}, ttl=ttl, idempotent=True)
        except GatewayError as error:
            if error.description != ALREADY:
                raise

    async def _leave(self, key: str, listener: Listener[Any]) -> None:
        listener.end()
        entry = self._channels.get(key)
        # Without a socket there is no subscription either: it was the socket's.
        if entry is not None and self._remove(key, entry, listener) and self.snorky.state == "open":
            await asyncio.wait({self._asking.start(self._unsubscribe(entry.channel))}, timeout=self.snorky.settings.close_timeout)

    def _remove(self, key: str, entry: _Channel, listener: Listener[Any]) -> bool:
        """Whether it was the channel's last."""
        if listener not in entry.listeners:
            return False
        entry.listeners.remove(listener)
        if entry.listeners or self._channels.get(key) is not entry:
            return False
        del self._channels[key]
        return True

    async def _unsubscribe(self, channel: Any) -> None:
        try:
            await self.call("unsubscribe", {"channel": channel})
        except GatewayError:
            pass  # it has ended with its socket

    def notify(self, said: Dict[str, Any], size: int) -> None:
        if said.get("type") == "message" and "channel" in said:
            entry = self._channels.get(_key_of(said["channel"]))
            for listener in list(entry.listeners) if entry is not None else ():
                listener.tell(said.get("message"), size)
        for listener in list(self._listeners):
            listener.tell(said, size)

    def renew(self) -> None:
        for key, entry in self._channels.items():
            if entry.on:  # else its first call is still to be answered, and goes again by itself
                self.snorky._tasks.start(self._renew(key, entry))

    async def _renew(self, key: str, entry: _Channel) -> None:
        try:
            await self._subscribe(entry.channel)
        except GatewayError as error:
            if error.unknown_outcome or error.retryable or self._channels.get(key) is not entry:
                return  # the next socket tries again
            del self._channels[key]
            self.snorky._error(error)

    def finish(self) -> None:
        for entry in self._channels.values():
            for listener in entry.listeners:
                listener.end()
        self._channels = {}


def _key_of(channel: Any) -> str:
    """Channels are equal by value, whatever the order of their members, and 1.0 is 1."""
    return json.dumps(_plain(channel), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def connect_snorky(url: str, token: Token = None, settings: Optional[Settings] = None) -> Snorky:
    """A Snorky that is opened already."""
    return Snorky(url, token, settings).open()
