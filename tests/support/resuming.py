"""A client with a resumable session (docs/tasks/resume.md)."""

import asyncio
import itertools
import json
import socket
import struct
from collections import defaultdict

import websockets

from .consumer import ANSWER_TIMEOUT, HELLO_TIMEOUT
from .lines import LineSocket
from .websocket import connect


class ResumeFailed(Exception):
    def __init__(self, error):
        super().__init__(error["reason"])
        self.reason, self.error = error["reason"], error


class Resuming:
    """One session over any number of sockets. Messages are checked on arrival: numbers without gaps and duplicates."""

    _numbers = itertools.count(1)

    def __init__(self, token="secret-ann"):
        self.bearer = token
        self.ws = self.reader = None
        self.session_id = self.token = None
        self.seq = 0
        self.events = []                  # (topic, event), in order
        self.answers = defaultdict(list)  # trace_id → payloads
        self.others = []                  # all other messages
        self.messages = []                # all numbered messages in order, without their numbers
        self.unnumbered = []              # after the session was kept
        self.pending = None               # of the last `resumed`
        self.mistakes = []
        self.changed = asyncio.Event()
        self.ack_every = 0

    @classmethod
    async def open(cls, url, token="secret-ann", keep=True):
        self = cls(token)
        await self.connect(url)
        if keep:
            await self.keep()
        return self

    async def connect(self, url):
        """A socket that still has a new session."""
        self.ws = await self.dial(url)
        hello = json.loads(await asyncio.wait_for(self.ws.recv(), HELLO_TIMEOUT))["payload"]["event"]
        if not self.token:
            self.session_id, self.token = hello["session_id"], hello["resume"]["token"]
        return hello

    async def dial(self, url):
        return await connect(url, {"Authorization": f"Bearer {self.bearer}"}, compression=None, ping_interval=None, max_size=None, open_timeout=HELLO_TIMEOUT, close_timeout=3)

    async def keep(self):
        self.reader = asyncio.create_task(self.read())
        answer = await self.answer(await self.send("resume"))
        assert answer["error"] is None and answer["result"]["session_id"] == self.session_id, answer

    async def resume(self, url, token=None, seq=None):
        """Resumes the session on a new socket. On ResumeFailed the socket goes on with its new session."""
        await self.connect(url)
        await self.take_up(token, seq)

    async def take_up(self, token=None, seq=None):
        while True:
            trace_id = f"r-{next(self._numbers)}"
            await self.ws.send(json.dumps({"type": "resume", "payload": {"token": token or self.token, "seq": self.seq if seq is None else seq, "trace_id": trace_id}}))
            message = json.loads(await asyncio.wait_for(self.ws.recv(), HELLO_TIMEOUT))
            if message["type"] == "event":
                break
            assert message["payload"]["trace_id"] == trace_id and message["payload"]["error"]["error"] == "NuropbResumeFailed", message
            if message["payload"]["error"]["reason"] != "in_use" or token:
                raise ResumeFailed(message["payload"]["error"])
            await asyncio.sleep(0.02)  # the gateway has not noticed yet that the last socket is gone
        assert message["payload"]["topic"] == "resumed", message
        event = message["payload"]["event"]
        assert event["session_id"] == self.session_id, event
        self.last_of_log = event["seq"]
        self.token, self.pending = event["resume"]["token"], event["pending"]
        self.reader = asyncio.create_task(self.read())
        return event

    async def read(self):
        ws = self.ws
        try:
            async for text in ws:
                self.take(json.loads(text))
                if self.ack_every and self.seq % self.ack_every == 0:
                    await self.ack()
        except websockets.ConnectionClosed:
            pass
        finally:
            self.changed.set()

    def take(self, message):
        seq = message.get("seq")
        if seq is None:
            self.unnumbered.append(message)
        elif seq != self.seq + 1:
            self.mistakes.append(f"seq {seq} after {self.seq}")
        self.seq = seq or self.seq
        if seq is not None:
            self.messages.append({name: value for name, value in message.items() if name != "seq"})
        payload = message.get("payload")
        if message.get("type") == "response":
            self.answers[payload["trace_id"]].append(payload)
        elif message.get("type") == "event":
            self.events.append((payload["topic"], payload["event"]))
        else:
            self.others.append(message)
        self.changed.set()

    async def send(self, verb, trace_id=None, **members):
        trace_id = trace_id or f"t-{next(self._numbers)}"
        await self.ws.send(json.dumps({"type": verb, "payload": {**members, "trace_id": trace_id}}))
        return trace_id

    async def request(self, service, method, params=None, **members):
        return await self.send("request", service=service, method=method, params=params or {}, **members)

    async def done(self, verb, **members):
        answer = await self.answer(await self.send(verb, **members))
        assert answer["error"] is None, answer
        return answer["result"]

    async def ack(self):
        await self.ws.send(json.dumps({"type": "ack", "payload": {"seq": self.seq}}))

    async def until(self, condition, what, timeout=ANSWER_TIMEOUT):
        async def wait():
            while not condition():
                self.changed.clear()
                await self.changed.wait()
        try:
            await asyncio.wait_for(wait(), timeout)
        except asyncio.TimeoutError:
            raise AssertionError(f"in vain: {what if isinstance(what, str) else what()}; closed with {self.ws.close_code}") from None

    async def answer(self, trace_id, timeout=ANSWER_TIMEOUT):
        await self.until(lambda: self.answers.get(trace_id), f"an answer to {trace_id}", timeout)
        return self.answers[trace_id][0]

    async def lost(self):
        """Disconnects like a phone that loses its network."""
        if self.ws.transport:
            self.ws.transport.abort()
        if self.reader:
            await self.reader

    async def closed(self, timeout=ANSWER_TIMEOUT):
        await asyncio.wait_for(self.ws.wait_closed(), timeout)
        await self.reader
        return self.ws.close_code

    async def close(self):
        await self.ws.close()
        if self.reader:
            await self.reader

    def check(self):
        assert not self.mistakes, self.mistakes
        assert all(len(seen) == 1 for seen in self.answers.values()), {trace: seen for trace, seen in self.answers.items() if len(seen) != 1}

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()


class LineResuming(Resuming):
    """The same over JSON lines; it gets the edge instead of a URL."""

    async def dial(self, edge):
        ws = await LineSocket.connect(edge.lines_port)
        await ws.send(self.bearer)
        return ws

    async def lost(self):
        """Resets the connection: otherwise the gateway would see an orderly end and wait for pending answers."""
        self.ws.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await super().lost()

    def end(self):
        """Ends the sending side and waits for pending answers."""
        self.ws.writer.write_eof()
