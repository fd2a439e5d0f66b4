"""What an application may choose. Times are in seconds."""

from __future__ import annotations

import math
import ssl as tls
from dataclasses import dataclass, field, fields
from typing import Any, Mapping, Optional
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Settings:
    ttl: float = 60.0
    """How long a call may take, waiting for a connection included, where the call does not say."""
    grace: float = 3.0
    """How much longer the gateway's own word on a call that was sent may take."""
    queue: int = 1000
    """How many calls may wait for a connection."""
    min_delay: float = 0.2
    max_delay: float = 20.0
    """Pauses between two connects are random, up to min_delay at first, doubled each time up to max_delay."""
    max_retry_after: float = 300.0
    """The longest Retry-After that is believed."""
    connect_timeout: float = 15.0
    """For an attempt to become a session, the token included."""
    close_timeout: float = 1.0
    """For the closing handshake."""
    heartbeat: Optional[float] = 20.0
    """After so long without a word the gateway is pinged, and the socket given up if it says nothing for as long again."""
    resume: bool = True
    """False: a lost socket is a lost session."""
    token_in_message: bool = False
    """The token goes in the first message (the gateway's auth.first_message), not in a header."""
    buffer: int = 1000
    """How many events wait for one slow listener or stream. Beyond, the oldest are left out, counted and logged."""
    buffer_bytes: int = 16 * 2**20
    """The same in bytes of their messages."""
    max_message_bytes: int = 16 * 2**20
    """The longest message that is taken."""
    ssl: Optional[tls.SSLContext] = field(default=None, repr=False)
    """For wss:// with an authority of one's own; without it, the system's authorities count."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """More headers for the handshake."""
    websocket_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """More arguments for websockets.connect, of the version that is installed: proxy=…, for example."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in _TIMES and not _is_time(value):
                if not (one.name == "heartbeat" and value is None):
                    raise ValueError(f"{one.name} is not a number of seconds above 0: {value!r}")
            elif one.name in _COUNTS and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise ValueError(f"{one.name} is not a whole number above 0: {value!r}")
            elif one.name in _SWITCHES and not isinstance(value, bool):
                raise ValueError(f"{one.name} is neither True nor False: {value!r}")
        if self.max_delay < self.min_delay:
            raise ValueError(f"max_delay {self.max_delay!r} is below min_delay {self.min_delay!r}")


_TIMES = ("ttl", "grace", "min_delay", "max_delay", "max_retry_after", "connect_timeout", "close_timeout", "heartbeat")
_COUNTS = ("queue", "buffer", "buffer_bytes", "max_message_bytes")
_SWITCHES = ("resume", "token_in_message")


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def checked_ttl(ttl: Optional[float], default: float) -> float:
    if ttl is None:
        return default
    if not _is_time(ttl):
        raise ValueError(f"ttl is not a number of seconds above 0: {ttl!r}")
    return float(ttl)


def checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError(f"neither a ws:// nor a wss:// address: {url!r}")
    if parts.username is not None or parts.fragment:
        raise ValueError("the address of a gateway has neither a user nor a fragment; the token is an argument of its own")
    return url
