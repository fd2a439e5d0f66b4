"""One WebSocket, by whichever version of the package `websockets` is installed: from version 14 on its client is another
one, with other names for headers and refusals."""

from __future__ import annotations

import asyncio
import base64
import inspect
import logging
import re
import time
from collections import deque
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Deque, Dict, NamedTuple, Optional, Union

import websockets
from websockets import exceptions

from .errors import Malformed
from .settings import Settings
from .waiting import text_of, within

log = logging.getLogger("nuropb_gateway_client")
_base: Any = websockets.connect
_FROM_14_ON = "additional_headers" in inspect.signature(_base).parameters
_HEADER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750's b64token
ABNORMAL = 1006
TOO_BIG = 1009
PAYLOAD_SHOWN = 200
TURNS = 5

Outgoing = Union[str, Callable[[], Optional[str]]]
"""A text, or what makes one just before it is sent (None: nothing is to be sent any more)."""


class Lost(NamedTuple):
    """How a socket, or the attempt at one, has ended."""

    code: int
    """The gateway's close code, 1006 where it said none, 0 where there was no socket at all."""
    reason: str
    retry_after: Optional[float] = None
    status: Optional[int] = None
    """Of HTTP, where the handshake was refused."""
    too_big: bool = False
    """What came was longer than max_message_bytes, so it would come again in a session that is resumed."""


class DialFailed(Exception):
    def __init__(self, lost: Lost) -> None:
        super().__init__(lost.reason)
        self.lost = lost


def _refuse_redirect(*_: Any) -> Any:
    raise exceptions.SecurityError("the address redirects to another one, which would be shown the token: name the final one")


def _no_redirect(_self: Any, error: Exception) -> Exception:
    return error


# Redirects are not followed: some versions show the Authorization header to whatever host is named.
_connect: Any = type("Connect", (_base,), {"process_redirect": _no_redirect} if _FROM_14_ON else {"handle_redirect": _refuse_redirect})


class _WithoutDebug(logging.LoggerAdapter):  # type: ignore[type-arg]  # Python 3.9 has it without
    """The package logs each header when it debugs, tokens too."""

    def isEnabledFor(self, level: int) -> bool:
        return level > logging.DEBUG and super().isEnabledFor(level)


class WebSocket:
    """Belongs to one event loop. What is written is sent in order by a task of its own, so that nobody waits who only says
    something; `receive` is for one reader."""

    def __init__(self, connection: Any, settings: Settings, clock: Callable[[], float]) -> None:
        self._connection, self._settings, self._clock = connection, settings, clock
        self._outgoing: Deque[Outgoing] = deque()
        self._more = asyncio.Event()
        self._dropped: Optional[str] = None
        self.heard = clock()
        """When something was heard, a pong included."""
        self.paused = False
        """The reader waits for a slow application, so silence says nothing."""
        self._tasks = [asyncio.ensure_future(self._write())]
        if settings.heartbeat is not None:
            self._tasks.append(asyncio.ensure_future(self._beat(settings.heartbeat)))

    @classmethod
    async def dial(cls, url: str, token: Optional[str], settings: Settings) -> "WebSocket":
        """DialFailed says why not. The caller bounds the time."""
        options: Dict[str, Any] = {
            "subprotocols": ["nuropb"], "max_size": settings.max_message_bytes, "open_timeout": None,
            "ping_interval": None, "logger": _WithoutDebug(log, {}), "close_timeout": settings.close_timeout, **settings.websocket_options,
        }
        headers = dict(settings.headers)
        if token and not settings.token_in_message:
            if _HEADER_TOKEN.fullmatch(token):
                headers["Authorization"] = f"Bearer {token}"
            else:
                encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
                options["subprotocols"] = ["nuropb", f"base64url.bearer.authorization.nuropb.{encoded}"]
        if settings.ssl is not None and url.startswith("wss:"):
            options["ssl"] = settings.ssl
        options["additional_headers" if _FROM_14_ON else "extra_headers"] = headers
        try:
            connection = await _connect(url, **options)
        except asyncio.CancelledError:
            # It has aborted its transport, which is closed in one of the loop's next turns: also where the loop is ending.
            for _ in range(TURNS):
                await asyncio.sleep(0)
            raise
        except Exception as error:
            raise DialFailed(_why_not(error)) from error
        return cls(connection, settings, asyncio.get_running_loop().time)

    def write(self, message: Outgoing) -> None:
        """It goes out, or is lost with the socket."""
        self._outgoing.append(message)
        self._more.set()

    async def receive(self) -> Union[str, Lost]:
        """The next message, or how the socket has ended."""
        try:
            text = await self._connection.recv()
        except exceptions.ConnectionClosed as closed:
            return self._lost(closed)
        except Exception as error:  # the transport's, in some versions
            return Lost(ABNORMAL, self._dropped or text_of(error))
        self.heard = self._clock()
        if isinstance(text, bytes):
            raise Malformed(f"a binary message: {text[:PAYLOAD_SHOWN]!r}")
        return str(text)

    def _lost(self, closed: Any) -> Lost:
        if self._dropped is not None:
            return Lost(ABNORMAL, self._dropped)
        received = getattr(closed, "rcvd", None)
        if received is not None:
            return Lost(int(received.code), str(received.reason))
        sent = getattr(closed, "sent", None)
        if sent is not None and sent.code == TOO_BIG:
            return Lost(ABNORMAL, f"a message longer than max_message_bytes ({self._settings.max_message_bytes})", too_big=True)
        return Lost(ABNORMAL, str(sent.reason) if sent is not None and sent.reason else "the connection was lost")

    def drop(self, reason: str) -> None:
        """As if the network had lost it: `receive` ends with 1006 and this reason."""
        if self._dropped is None:
            self._dropped = reason
        self._abort()

    def _abort(self) -> None:
        transport = getattr(self._connection, "transport", None)
        if transport is not None:
            transport.abort()

    def abandon(self) -> None:
        """At once, for one that came when nobody wanted it any more."""
        for task in self._tasks:
            task.cancel()
        self._abort()

    async def end(self, code: int) -> None:
        """Says goodbye and waits for the answer, but not for long. Leaves nothing behind."""
        for task in self._tasks:
            task.cancel()
        closing = asyncio.ensure_future(self._close(code))
        await asyncio.wait({closing}, timeout=self._settings.close_timeout)
        if not closing.done():
            self._abort()
            await asyncio.wait({closing}, timeout=self._settings.close_timeout)
            closing.cancel()
        await asyncio.wait(self._tasks, timeout=self._settings.close_timeout)

    async def _close(self, code: int) -> None:
        try:
            await self._connection.close(code)
        except Exception:  # it could not be told; it is over all the same
            self._abort()

    async def _write(self) -> None:
        try:
            while True:
                while self._outgoing:
                    message = self._outgoing.popleft()
                    text = message if isinstance(message, str) else message()
                    if text is not None:
                        await self._connection.send(text)
                self._more.clear()
                await self._more.wait()
        except exceptions.ConnectionClosed:
            pass  # the reader is told by its own
        except Exception as error:
            self.drop(f"it can't be written to: {text_of(error)}")

    async def _beat(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            asked = self._clock()
            if self.paused or asked - self.heard < seconds:
                continue
            try:
                await within(seconds, self._ping())
                self.heard = self._clock()
            except asyncio.TimeoutError:
                # An application that held the loop up has left no time to read the answer.
                await asyncio.sleep(min(1.0, seconds / 10))
                if self.heard <= asked and not self.paused:
                    self.drop(f"nothing was heard for {2 * seconds:g} s, not even an answer to a ping")
                    return
            except Exception:
                return  # it is closed, which the reader is told

    async def _ping(self) -> None:
        await (await self._connection.ping())
        self.heard = self._clock()


def _why_not(error: Exception) -> Lost:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None) or getattr(error, "status_code", None)
    if not isinstance(status, int):
        return Lost(0, f"no connection: {type(error).__name__}: {text_of(error)}")
    headers = getattr(response, "headers", None) or getattr(error, "headers", None) or {}
    body = getattr(response, "body", None)
    said = bytes(body[:PAYLOAD_SHOWN]).decode("utf-8", "replace").strip() if body else ""
    redirect = ", a redirect, which is not followed" if 300 <= status < 400 else ""
    return Lost(0, f"refused with HTTP {status}{redirect}{': ' if said else ''}{said}", _retry_after(headers.get("Retry-After")), status)


def _retry_after(text: Optional[str], now: Callable[[], float] = time.time) -> Optional[float]:
    """RFC 9110, 10.2.3: seconds, or a date."""
    if not text:
        return None
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now())
    except (TypeError, ValueError, OverflowError):
        return None
