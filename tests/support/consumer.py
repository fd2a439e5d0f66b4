"""A client of the gateway, like a browser or an app."""

import asyncio
import itertools
import json
import socket
import struct

import websockets

from . import streams
from .websocket import connect, is_open

HELLO_TIMEOUT = 30.0
ANSWER_TIMEOUT = 45.0
_MISSING = object()


class Closed(AssertionError):
    """The socket closed while an answer was awaited."""


class Consumer:
    """One WebSocket. Answers go to the request that waits for them by trace_id; everything else is in `others`."""

    _numbers = itertools.count(1)

    def __init__(self, ws):
        self.ws = ws
        self.answers = {}        # trace_id → list of payloads, so that a second answer is seen
        self.others = asyncio.Queue()
        self.hello = None
        self._waiting = {}
        self._reader = None

    @classmethod
    async def open(cls, url, token="secret-ann", headers=None, hello=True, **options):
        extra = dict(headers or {})
        if token is not None:
            extra["Authorization"] = f"Bearer {token}"
        options = {"compression": None, "ping_interval": None, "max_size": None, "open_timeout": HELLO_TIMEOUT, "close_timeout": 3, **options}
        ws = await connect(url, extra, **options)
        self = cls(ws)
        self._reader = asyncio.create_task(self._read())
        if hello:
            self.hello = await self.other(HELLO_TIMEOUT)
            assert self.hello.get("payload", {}).get("topic") == "hello", self.hello
        return self

    async def _read(self):
        try:
            async for text in self.ws:
                message = json.loads(text)
                payload = message.get("payload") if isinstance(message, dict) else None
                trace = payload.get("trace_id") if isinstance(payload, dict) and message.get("type") == "response" else None
                if isinstance(trace, str) and (trace in self._waiting or trace in self.answers):
                    self.answers.setdefault(trace, []).append(payload)
                    future = self._waiting.pop(trace, None)
                    if future and not future.done():
                        future.set_result(payload)
                else:
                    await self.others.put(message)
        except websockets.ConnectionClosed:
            pass
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(Closed(f"closed with {self.ws.close_code} {self.ws.close_reason!r}"))
                    future.exception()  # marks it as retrieved: the test no longer waits for the answer
            await self.others.put(None)

    @property
    def session_id(self):
        return self.hello["payload"]["event"]["session_id"]

    async def other(self, timeout=ANSWER_TIMEOUT):
        """The next message that is not an awaited answer; None when the socket has closed."""
        return await asyncio.wait_for(self.others.get(), timeout)

    async def send(self, message):
        await self.ws.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    async def begin_verb(self, verb, trace_id=None, **members):
        """Sends a message of any type and returns a future for its answer's payload."""
        trace_id = trace_id or f"t-{next(self._numbers)}"
        future = asyncio.get_running_loop().create_future()
        self._waiting[trace_id] = future
        await self.send({"type": verb, "payload": {**members, "trace_id": trace_id}})
        return future

    async def begin(self, service, method, params=_MISSING, trace_id=None, **members):
        """Sends a request and returns a future for its answer's payload."""
        return await self.begin_verb("request", trace_id, service=service, method=method, params={} if params is _MISSING else params, **members)

    async def request(self, service, method, params=_MISSING, timeout=ANSWER_TIMEOUT, **members):
        """Sends a request and waits for its answer's payload."""
        return await asyncio.wait_for(await self.begin(service, method, params, **members), timeout)

    async def result(self, service, method, params=_MISSING, timeout=ANSWER_TIMEOUT, **members):
        """The result of a request that has to succeed."""
        answer = await self.request(service, method, params, timeout, **members)
        assert answer["error"] is None, answer
        return answer["result"]

    async def done(self, verb, timeout=ANSWER_TIMEOUT, **members):
        """The result of a command, event, describe, subscribe or unsubscribe that has to succeed."""
        answer = await asyncio.wait_for(await self.begin_verb(verb, **members), timeout)
        assert answer["error"] is None, answer
        return answer["result"]

    async def refused(self, verb, timeout=ANSWER_TIMEOUT, **members):
        """The name of the error of a call that has to fail."""
        answer = await asyncio.wait_for(await self.begin_verb(verb, **members), timeout)
        assert answer["result"] is None and answer["error"], answer
        return answer["error"]["error"]

    async def event(self, timeout=ANSWER_TIMEOUT):
        """The payload of the next event."""
        message = await self.other(timeout)
        assert message and message["type"] == "event", message
        return message["payload"]

    async def closed(self, timeout=ANSWER_TIMEOUT):
        """Waits for the close and returns (code, reason)."""
        await asyncio.wait_for(self.ws.wait_closed(), timeout)
        return self.ws.close_code, self.ws.close_reason

    @property
    def open_still(self):
        return is_open(self.ws)

    def reset(self):
        """Disconnects like a phone that loses its network: a TCP reset, no close frame."""
        raw = self.ws.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.ws.transport.abort()

    async def close(self):
        await self.ws.close()
        if self._reader:
            await self._reader

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()


class RawSocket:
    """A raw WebSocket, for what a client library does not do: send right after the handshake without waiting,
    stop reading, break rules."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.status = None
        self.headers = {}
        self.body = b""

    @classmethod
    async def connect(cls, host, port, receive_buffer=None, limit=2**16, local_address=None):
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if local_address:
            raw.bind((local_address, 0))
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, (host, port))
        return cls(*await asyncio.open_connection(sock=raw, limit=limit))

    @staticmethod
    def upgrade(path="/websocket", host="gateway.test", without=(), **headers):
        """The bytes of an upgrade request; headers by name with _ for -."""
        lines = {
            "Host": host, "Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
        }
        lines.update({name.replace("_", "-"): value for name, value in headers.items()})
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if name not in without)
        return f"GET {path} HTTP/1.1\r\n{text}\r\n".encode()

    @staticmethod
    def frame(payload, opcode=1, fin=True):
        """One masked frame."""
        if isinstance(payload, str):
            payload = payload.encode()
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", fin << 7 | opcode, 0x80 | size)
        elif size < 65536:
            head = struct.pack("!BBH", fin << 7 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", fin << 7 | opcode, 0x80 | 127, size)
        return head + b"\0\0\0\0" + payload  # masked with zeros, which leaves the bytes unchanged

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def response(self, timeout=HELLO_TIMEOUT):
        """Reads the HTTP answer to an upgrade: its status."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), timeout)
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
        if self.status != 101:
            size = self.headers.get("content-length")
            self.body = await asyncio.wait_for(self.reader.readexactly(int(size)) if size else self.reader.read(65536), timeout)
        return self.status

    async def read_frame(self, timeout=ANSWER_TIMEOUT):
        """(opcode, payload) of the next frame."""
        async def read():
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(size)
        return await asyncio.wait_for(read(), timeout)

    async def read_close(self, timeout=ANSWER_TIMEOUT):
        """Reads up to the close frame: (code, reason)."""
        async def read():
            while True:
                opcode, payload = await self.read_frame(timeout)
                if opcode == 8:
                    return (struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005), payload[2:].decode()
        return await asyncio.wait_for(read(), timeout)

    async def close(self):
        await streams.close(self.writer)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()
