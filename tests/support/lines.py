"""A client that speaks JSON lines: a Consumer with another socket."""

import asyncio
import json
import socket

from . import streams
from .consumer import ANSWER_TIMEOUT, HELLO_TIMEOUT, Consumer


class LineSocket:
    """The part of a WebSocket's interface that Consumer uses, over a stream of lines. The close line is not among the messages."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.close_code = self.close_reason = None
        self.open = True
        self._ended = asyncio.Event()

    @classmethod
    async def connect(cls, port, tls=None, receive_buffer=None, limit=2**26, **options):
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
        return cls(*await asyncio.open_connection(sock=raw, ssl=tls, server_hostname="localhost" if tls else None, limit=limit, **options))

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            line = await self.reader.readline()
        except (ConnectionError, OSError):
            line = b""
        if line:
            assert line.endswith(b"\n"), f"{len(line)} bytes of a line that was cut off"
            message = json.loads(line)
            if isinstance(message, dict) and message.get("type") == "close":
                self.close_code, self.close_reason = message["payload"]["code"], message["payload"]["reason"]
                assert await self.reader.read() == b"", "nothing comes behind the close line"
                line = b""
        if not line:
            self.open = False
            self._ended.set()
            raise StopAsyncIteration
        return line

    async def recv(self):
        return await self.__anext__()

    async def send(self, message):
        self.writer.write((message if isinstance(message, bytes) else message.encode()) + b"\n")
        await self.writer.drain()

    async def wait_closed(self):
        await self._ended.wait()

    async def close(self):
        await streams.close(self.writer)
        self.open = False
        self._ended.set()

    @property
    def transport(self):
        return self.writer.transport


class LineConsumer(Consumer):
    @classmethod
    async def open(cls, edge, token="secret-ann", hello=True, first=None, **options):
        """Connects to the edge's port of lines and sends the token; `first`: that line in place of it."""
        self = cls(await LineSocket.connect(edge.lines_port, **options))
        self._reader = asyncio.create_task(self._read())
        if first is not None:
            await self.ws.send(first)
        elif token is not None:
            await self.send({"type": "authorize", "payload": {"token": token}})
        if hello:
            self.hello = await self.other(HELLO_TIMEOUT)
            assert self.hello and self.hello.get("payload", {}).get("topic") == "hello", (self.hello, self.ws.close_code, self.ws.close_reason)
        return self

    def end(self):
        """Ends our side; pending answers are still awaited."""
        self.ws.writer.write_eof()

    async def closed(self, timeout=ANSWER_TIMEOUT):
        await asyncio.wait_for(self.ws.wait_closed(), timeout)
        return self.ws.close_code, self.ws.close_reason
