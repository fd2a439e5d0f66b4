"""Consumers of the benchmarks answer pings at every moment, so that no figure depends on how long the machine takes: the gateway
closes a socket that does not answer. The real programs against a server that pings when the test says so."""

import asyncio
import json
import struct
import sys

import pytest

from support.paths import BIN, ROOT, binary
from support.waiting import eventually

pytestmark = pytest.mark.skipif(not (BIN / "bench_fanout").exists(), reason="the benchmarks are not built (NUROPB_BENCH)")

HELLO = '{"type":"event","payload":{"topic":"hello","event":{}}}'
MESSAGE = '"' + "m" * 198 + '"'


def frame(opcode, payload):
    payload = payload.encode() if isinstance(payload, str) else payload
    return bytes([0x80 | opcode]) + (bytes([len(payload)]) if len(payload) < 126 else bytes([126]) + struct.pack("!H", len(payload))) + payload


class Server:
    def __init__(self, first=frame(1, HELLO), opens=None):
        """`first`: what every socket is sent behind the upgrade. `opens`: how many sockets are let in before `gate` is set."""
        self.first, self.opens, self.gate = first, opens, asyncio.Event()
        self.writers, self.pongs, self.asked, self.answers = [], [], [], True

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._come, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()

    async def _come(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        if self.opens is not None and len(self.writers) >= self.opens:
            await self.gate.wait()
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + self.first)
        self.writers.append(writer)
        try:
            while True:
                first, second = await reader.readexactly(2)
                size = second & 0x7F
                if size == 126:
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                await reader.readexactly(4)  # a mask of zeros
                payload = await reader.readexactly(size)
                if first & 0x0F == 10:
                    self.pongs.append(payload)
                elif first & 0x0F == 1:
                    self.asked.append((writer, json.loads(payload)["payload"]["trace_id"]))
                    if self.answers:
                        self.answer()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass

    def answer(self):
        for writer, trace_id in self.asked:
            writer.write(frame(1, json.dumps({"type": "response", "payload": {"trace_id": trace_id, "result": 1, "error": None}}, separators=(",", ":"))))
        self.asked.clear()

    def say(self, data):
        for writer in self.writers:
            writer.write(data)

    async def pings(self, text, pieces=1):
        """Sends pings to every socket and waits for each pong. A ping may come in pieces, and with 0 to 125 bytes."""
        data = frame(9, text)
        size = -(-len(data) // pieces)
        for at in range(0, len(data), size):
            self.say(data[at:at + size])
            await asyncio.sleep(0.01)  # so that it is not read in one go
        await eventually(lambda: self.pongs.count(text.encode()) == len(self.writers), lambda: f"{len(self.pongs)} pongs of {len(self.writers)} sockets")


class Program:
    def __init__(self, *words):
        self.words = words

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(*map(str, self.words), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        return self

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def say(self, line):
        self.process.stdin.write(line.encode())

    async def read(self):
        return json.loads(await asyncio.wait_for(self.process.stdout.readline(), 60))

    async def ends(self):
        self.process.stdin.close()
        assert await asyncio.wait_for(self.process.wait(), 60) == 0


def generator(server, *words):
    return Program(binary("nuropb-loadgen"), "--url", server.url, *words)


async def test_a_generator_that_waits_for_its_turn_and_for_its_end():
    async with Server() as server, generator(server, "--connections", 5, "--requests", 10, "--outstanding", 1, "--seconds", 60, "--wait") as program:
        assert await program.read() == {"open": 5}
        await server.pings("before")
        program.say("\n")
        assert (await program.read())["answered"] == 10
        await server.pings("after")
        await program.ends()


async def test_a_generator_that_opens_sockets():
    """The sockets that are open are pinged while the next one waits for its upgrade."""
    async with Server(opens=128) as server, generator(server, "--connections", 130, "--wait") as program:
        await eventually(lambda: len(server.writers) == 128, "the first are open")
        server.say(frame(9, "early"))
        server.gate.set()
        assert await program.read() == {"open": 130}
        await eventually(lambda: len(server.pongs) == 128, lambda: f"{len(server.pongs)} pongs")
        await program.ends()


@pytest.mark.parametrize("loop", [["--outstanding", 1], ["--rate", 100]], ids=["closed", "open"])
async def test_a_generator_whose_last_answers_are_late(loop):
    async with Server() as server, generator(server, "--connections", 2, "--requests", 2, "--seconds", 0.05, *loop) as program:
        server.answers = False
        await eventually(lambda: len(server.asked) == 2, "both were asked")
        await asyncio.sleep(0.1)  # its seconds are over
        await server.pings("late")
        server.answer()
        assert (await program.read())["answered"] == 2
        await program.ends()


@pytest.mark.parametrize("words", [["--hold"], ["--wait"]], ids=["hold", "load"])
async def test_a_ping_before_the_hello(words):
    async with Server(first=frame(9, "first") + frame(1, HELLO) + frame(9, "second")) as server, generator(server, "--connections", 3, *words) as program:
        assert await program.read() == {"open": 3}
        await eventually(lambda: sorted(server.pongs) == [b"first"] * 3 + [b"second"] * 3, lambda: server.pongs)
        await server.pings("x" * 125, pieces=5)
        await program.ends()


async def test_the_consumers_of_fan_out():
    """Before the first text, while a line is awaited, between two messages, in pieces, while messages are awaited."""
    async with Server(first=frame(9, "first") + frame(1, HELLO)) as server, Program(binary("bench_fanout"), "hold", "--url", server.url, "--token", "t", "--connections", 300, "--bytes", 200) as program:
        assert (await program.read())["open"] == 300
        assert server.pongs == [b"first"] * 300
        await server.pings("idle")
        await server.pings("", pieces=2)
        server.say(frame(1, MESSAGE) + frame(9, "between") + frame(1, MESSAGE))
        program.say("wait 2\n")
        assert (await program.read())["messages"] == 2
        await eventually(lambda: server.pongs.count(b"between") == 300, "a ping between two messages")
        program.say("wait 3\n")
        await server.pings("y" * 125, pieces=7)
        server.say(frame(1, MESSAGE))
        assert (await program.read())["messages"] == 3
        await program.ends()


@pytest.mark.parametrize("wrong", [frame(1, MESSAGE.replace("m", "n")), frame(2, "bytes"), frame(1, MESSAGE[:-2])], ids=["other text", "bytes", "shorter"])
async def test_what_is_no_ping_is_still_compared(wrong):
    async with Server() as server, Program(binary("bench_fanout"), "hold", "--url", server.url, "--token", "t", "--connections", 1, "--bytes", 200) as program:
        await program.read()
        server.say(frame(9, "p") + wrong + frame(1, MESSAGE))
        assert await asyncio.wait_for(program.process.wait(), 60) == 1


def test_the_consumer_of_web_stomp(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "bench" / "peers"))
    sys.modules.pop("stomp", None)
    import stomp

    sent = []
    consumer = stomp.Consumer.__new__(stomp.Consumer)
    monkeypatch.setattr(consumer, "socket", type("Socket", (), {"sendall": staticmethod(sent.append)}), raising=False)
    consumer.buffer = frame(9, "are you there") + frame(1, "MESSAGE\n\n\0") + frame(10, "") + frame(9, "")[:1]
    assert list(consumer.frames()) == [b"MESSAGE\n\n\0"] and consumer.buffer == b"\x89"
    assert sent == [b"\x8a\x8d\0\0\0\0are you there"]
    consumer.buffer = frame(8, struct.pack("!H", 1001) + b"idle")
    with pytest.raises(RuntimeError, match="1001 idle"):
        list(consumer.frames())
