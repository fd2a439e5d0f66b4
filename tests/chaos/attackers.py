"""Attackers, one for each kind that the threat model names: what a client writes costs the broker, services and other clients;
addresses and ids are guessed; one user or address takes what all clients share. Each attack lasts as long as the scheduler says,
and `Fault.note` says what the gateway did about it. No attack excuses any outcome of another client's request."""

import asyncio
import contextlib
import json
import time
from collections import Counter

import pika
import websockets

from chaos.world import ATTACKERS_TOKEN
from support.broker import connection
from support.consumer import Closed, Consumer, RawSocket
from support.manual_service import ManualService
from support.services import unique

ENDS = (OSError, EOFError, asyncio.TimeoutError, websockets.WebSocketException, Closed, AssertionError)  # also: its edge was killed
WAIT = 60.0  # seconds for an answer; the gateway's own limits are far below
ATTACKERS_ADDRESS = "127.0.0.66"
# One attack pauses so long between two rounds: on a machine with two cores, the attacker itself must not be the load.
PAUSE = 0.05

# Each is refused by name: too many words, too many "#", a number that Python does not read, more users than an edge looks up.
COSTLY = [
    ("subscribe", {"topic": "#.a.#.b.#"}),
    ("subscribe", {"topic": ".".join(["a"] * 21)}),
    ("subscribe", {"topic": "#.*.x.#.#.*.y.#"}),
    ("event", {"topic": ".".join(["a"] * 33), "event": 1}),
    ("event", {"topic": "attack.targets", "event": 1, "target": ["x"] * 20_001}),
]
LONG_NUMBER = '{"type":"request","payload":{"service":"%s","method":"plain","params":{"id":"attack","n":' + "9" * 5000 + '},"trace_id":"long"}}'
DEEP = '{"type":"request","payload":{"service":"%s","method":"plain","params":{"id":"attack","n":' + "[" * 2000 + "]" * 2000 + '},"trace_id":"deep"}}'


class Attackers:
    def __init__(self, world):
        self.world = world

    async def cost_others(self, fault, planned):
        """Patterns, events and numbers that cost their reader more than their writer. Expected: each is refused by name."""
        until, seen = time.monotonic() + planned.lasts, Counter()
        with contextlib.suppress(*ENDS):
            async with await Consumer.open(self.world.url, ATTACKERS_TOKEN) as attacker:
                number = 0
                while time.monotonic() < until:
                    sent = [await attacker.begin_verb(verb, **members) for verb, members in COSTLY]
                    # These are allowed, and equal for the broker: one binding, whatever the spelling.
                    number += 1
                    sent.append(await attacker.begin_verb("subscribe", topic="#." * (number % 60 + 1) + self.world.topic + "-attack"))
                    for text in (LONG_NUMBER, DEEP):
                        await attacker.send(text % self.world.service_name)
                        await asyncio.sleep(0)
                    for answer in await asyncio.wait_for(asyncio.gather(*sent), WAIT):
                        seen[answer["error"]["error"] if answer["error"] else "taken"] += 1
                    while not attacker.others.empty():
                        message = attacker.others.get_nowait()
                        seen[(message or {}).get("error", "other")] += 1
                    attacker.answers.clear()
                    await asyncio.sleep(PAUSE)
        fault.note = noted(seen)

    async def guess_addresses(self, fault, planned):
        """A service that was asked once answers what it was not asked, and sends to the gateway's queues as another gateway would.
        Expected: the gateway drops every such message."""
        until, sent = time.monotonic() + planned.lasts, 0
        with contextlib.suppress(*ENDS, pika.exceptions.AMQPError):
            async with ManualService(self.world.broker.url, unique("attacker")) as service, await Consumer.open(self.world.url, ATTACKERS_TOKEN) as attacker:
                await attacker.begin(service.name, "anything", ttl=5000)
                known = await service.next_call(10)
                while time.monotonic() < until:
                    sent += await asyncio.to_thread(self._forge, known, sent)
                    await asyncio.sleep(PAUSE)
        fault.note = f"{sent} forged messages"

    def _forge(self, known, from_number):
        """The gateway's queue, an id that was right, and the way in which addresses count are known."""
        seen, queue, messages = known.properties.correlation_id, known.properties.reply_to, 0
        address = int(seen[:32], 16)
        with connection(self.world.broker.url) as link:
            channel = link.channel()
            for number in range(from_number, from_number + 40):
                for guess in (f"{address + number:032x}{seen[32:]}", f"{address - number:032x}", seen):
                    answer = {"tag": "response", "result": "forged", "error": None, "correlation_id": guess, "trace_id": "", "warning": None, "reply_to": ""}
                    event = {"tag": "event", "topic": "hello", "event": "forged", "correlation_id": guess, "trace_id": "", "context": {}, "target": None}
                    request = {"tag": "request", "service": self.world.name, "method": "send", "params": {"user": "ann", "event": "forged"}, "correlation_id": guess, "trace_id": "", "context": {}}
                    for body in (answer, event, request):
                        headers = {"nuropb_protocol": "0.1.1", "nuropb_version": "0.1.8", "nuropb_type": body["tag"], "trace_id": "t", "encrypted": ""}
                        channel.basic_publish("", queue, json.dumps(body).encode(), pika.BasicProperties(correlation_id=guess, headers=headers, content_type="application/json"))
                        messages += 1
        return messages

    async def take_shares(self, fault, planned):
        """One address opens connections that say nothing, guesses tokens, sends pings, messages that never end, and reads nothing.
        Expected: its own sockets are refused or closed."""
        until, seen = time.monotonic() + planned.lasts, Counter()

        async def go_on(attack):
            while time.monotonic() < until:
                try:
                    seen[await asyncio.wait_for(attack(), planned.lasts + 10)] += 1
                except ENDS as end:
                    seen[type(end).__name__] += 1
                await asyncio.sleep(PAUSE)
        await asyncio.gather(*(go_on(attack) for attack in (self._guess_token, self._ping, self._never_finish, self._say_nothing)))
        fault.note = noted(seen)

    async def _arrive(self, token=None):
        raw = await RawSocket.connect("127.0.0.1", self.world.port, local_address=ATTACKERS_ADDRESS)
        if token:
            await raw.send(raw.upgrade(Authorization=f"Bearer {token}"))
            await raw.response(10)
        return raw

    async def _guess_token(self):
        async with await self._arrive("made-up") as raw:
            # As nuropb-gw does, the gateway refuses a token after the handshake; too many from one address are refused before it.
            return f"closed with {(await raw.read_close(10))[0]}" if raw.status == 101 else f"status {raw.status}"

    async def _ping(self):
        async with await self._arrive(ATTACKERS_TOKEN) as raw:
            await raw.read_frame(10)
            for _ in range(50):
                await raw.send(raw.frame(b"", opcode=9) * 100)
            return f"closed with {(await raw.read_close(10))[0]}"

    async def _never_finish(self):
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(5):
                raw = await stack.enter_async_context(await self._arrive(ATTACKERS_TOKEN))
                await raw.send(raw.frame("x" * 1_000_000)[:-1])
            await asyncio.sleep(4 * PAUSE)
            return "left without finishing its messages"

    async def _say_nothing(self):
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(50):
                await stack.enter_async_context(await self._arrive())
            await asyncio.sleep(4 * PAUSE)
            return "left without a word"


def noted(counts):
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
