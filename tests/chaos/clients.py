"""The clients: 200 sockets of three roles, each client drawing what it does from the run's seed. A client whose socket
ends opens another, as an app would, and writes down what became of everything."""

import asyncio
import random
import time

import websockets

from chaos.ledger import ANSWERED, REFUSED, SOCKET_LOST, TIMEOUT, UNKNOWN, WRONG, Event, Request, Socket
from support.consumer import Closed, Consumer
from support.snorky import SnorkyClient
from support.websocket import is_open

# What is asked, and how often.
KINDS = {"plain": 60, "slow": 12, "idempotent": 14, "command": 10, "hold": 1, "nobody": 3}
TOPICS = 4
TTL = 10.0  # seconds that an answer may take


class Client:
    role = None

    def __init__(self, number, world, ledger):
        self.number, self.world, self.ledger = number, world, ledger
        self.chance = random.Random(f"{world.seed}/{number}")
        self.count = 0
        self.stopping = False
        self.ended = asyncio.Event()  # the socket, or the run
        self.socket = self.link = None

    @property
    def token(self):
        return ("secret-ann", "secret-bob")[self.number % 2]

    def stop(self):
        self.stopping = True
        self.ended.set()

    async def run(self):
        while not self.stopping:
            try:
                self.link = await self.connect()
            except (OSError, asyncio.TimeoutError, websockets.WebSocketException, AssertionError) as refusal:
                self.ledger.refused_connects[type(refusal).__name__] += 1
                await asyncio.sleep(0.05 + 0.2 * self.chance.random())
                continue
            self.socket = Socket(self.number, self.role, time.monotonic(), self.link.ws.local_address[1])
            self.ledger.sockets.append(self.socket)
            self.ended.clear()
            reading = asyncio.create_task(self.read())
            try:
                await self.live()
                await self.linger()
                self.socket.ours = is_open(self.link.ws)
            except (Closed, websockets.ConnectionClosed):
                pass
            finally:
                await self.link.close()
                self.socket.closed, self.socket.close = time.monotonic(), (self.link.ws.close_code, self.link.ws.close_reason)
                await reading
                self.gone()

    async def pause(self, mean):
        try:
            await asyncio.wait_for(self.ended.wait(), min(3 * mean, self.chance.expovariate(1 / mean)))
        except asyncio.TimeoutError:
            pass

    async def linger(self):
        """Waits for messages that are still in flight: a late event, or a second answer, which would be an error."""
        await asyncio.sleep(1.0)

    def gone(self):
        """Waits until the socket has ended and everything received has been handled."""

    async def read(self):
        """Handles all messages that are not answers, until the socket ends."""
        while (message := await self.link.others.get()) is not None:
            event = self.event_in(message)
            if event is not None:
                self.socket.seen.append((event, time.monotonic()))
        self.ended.set()

    def name(self):
        self.count += 1
        return f"{self.number}/{self.count}"

    async def asked(self, kind, begin, judge):
        """Records a request: `begin(id)` sends it, and `judge(answer)` returns its outcome. False if it did not succeed."""
        request = Request(self.name(), kind, self.socket, time.monotonic())
        self.ledger.requests[request.id] = request
        try:
            # Longer than it may take: an answer that never comes is what we look for.
            answer = await asyncio.wait_for(asyncio.shield(await begin(request.id)), 3 * TTL)
        except (Closed, websockets.ConnectionClosed):
            request.end(SOCKET_LOST)
            request.answers = 0
            raise
        except asyncio.TimeoutError:
            return False  # no outcome: lost
        request.end(*judge(answer))
        return request.outcome == ANSWERED


class Asker(Client):
    """Sends one request after another, sometimes several at once."""

    role = "asker"

    async def connect(self):
        return await Consumer.open(self.world.url, self.token)

    def event_in(self, message):
        self.ledger.requests.setdefault(f"unasked-{self.number}-{time.monotonic()}", Request("unasked", "plain", self.socket, 0.0, WRONG, str(message), 0.0))

    async def live(self):
        waiting = set()
        try:
            while not self.stopping and is_open(self.link.ws):
                for _ in range(self.chance.choice((1, 1, 1, 4))):
                    waiting.add(asyncio.create_task(self.ask()))
                await self.pause(self.world.pace)
                waiting = {task for task in waiting if not task.done()}
                if len(waiting) > 8:
                    _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await asyncio.gather(*waiting)

    async def ask(self):
        kind = self.chance.choices(list(KINDS), KINDS.values())[0]
        service = self.world.nobody if kind == "nobody" else self.world.service_name
        more = {"idempotent": True} if kind == "idempotent" else {}
        ttl = 1500 if kind == "hold" else int(TTL * 1000)
        verb = "command" if kind == "command" else "request"
        params = {"ms": self.chance.randint(50, 900)}
        id_of = []

        def begin(id):
            id_of.append(id)
            return self.link.begin_verb(verb, id, service=service, method=kind, params={"id": id, **params}, ttl=ttl, **more)
        try:
            await self.asked(kind, begin, lambda answer: outcome_of(answer, None if kind == "command" else id_of[0]))
        except (Closed, websockets.ConnectionClosed):
            pass  # live() sees it

    def gone(self):
        for id, answers in self.link.answers.items():
            self.ledger.requests[id].answers = len(answers)


def outcome_of(payload, expected):
    error = payload["error"]
    if error is None:
        return (ANSWERED, "") if payload["result"] == expected else (WRONG, f"the result is {payload['result']!r}")
    detail = f"{error['error']}: {error['description']}"
    if error["error"] == "NuropbTimeoutError":
        return TIMEOUT, detail
    if error.get("outcome") == "unknown":
        return UNKNOWN, detail
    if error["error"] in ("NuropbTransportError", "NuropbNotDeliveredError"):
        return REFUSED, detail
    return WRONG, detail


class MeshListener(Client):
    """Subscribes to topics of the mesh, and publishes to them, one event after the other."""

    role = "mesh"

    async def connect(self):
        return await Consumer.open(self.world.url, self.token)

    def event_in(self, message):
        return message["payload"]["event"]["id"] if message.get("type") == "event" else None

    async def live(self):
        topics = [f"{self.world.topic}.{n}" for n in range(TOPICS)]
        for topic in self.chance.sample(topics, 2):
            # Refused, or not known: then it is tried again, which is idempotent.
            while not self.stopping and not await self.verb("subscribe", topic=topic):
                pass
            self.socket.subscribed[topic] = time.monotonic()
        while not self.stopping and is_open(self.link.ws):
            event = Event(self.name(), self.chance.choice(topics), time.monotonic())
            self.ledger.events[event.id] = event
            if await self.verb("event", topic=event.topic, event={"id": event.id}):
                event.done = time.monotonic()
            await self.pause(4 * self.world.pace)

    async def verb(self, verb, **members):
        return await self.asked(verb, lambda id: self.link.begin_verb(verb, id, ttl=int(TTL * 1000), **members), lambda answer: outcome_of(answer, None))


class SnorkyListener(Client):
    """The same over Snorky's channels, which the gateway implements itself."""

    role = "snorky"

    async def connect(self):
        return await SnorkyClient.open(self.world.snorky_url, self.token)

    def event_in(self, message):
        note = message.get("message")
        return note["message"] if isinstance(note, dict) and note.get("type") == "message" else None

    async def live(self):
        channels = [f"channel-{n}" for n in range(TOPICS)]
        for channel in self.chance.sample(channels, 2):
            while not self.stopping and not await self.call("subscribe", channel=channel):
                pass
            self.socket.subscribed[channel] = time.monotonic()
        while not self.stopping and is_open(self.link.ws):
            event = Event(self.name(), self.chance.choice(channels), time.monotonic())
            self.ledger.events[event.id] = event
            if await self.call("publish", channel=event.topic, message=event.id):
                event.done = time.monotonic()
            await self.pause(4 * self.world.pace)

    async def call(self, command, **params):
        return await self.asked("channel", lambda id: self.link.begin("pubsub", command, **params), outcome_of_call)


def outcome_of_call(frame):
    message = frame["message"]
    if message["type"] == "response" or message["message"] == "Already subscribed":  # by a call whose answer was not known
        return ANSWERED, ""
    known = {"The gateway was interrupted": UNKNOWN, "No answer in time": TIMEOUT}
    return next((outcome for text, outcome in known.items() if text in message["message"]), WRONG), message["message"]


def clients(world, ledger, count=200):
    """Of ten clients five send requests, one of them over HTTP; two subscribe on the mesh, two use Snorky, and one resumes its session."""
    from chaos.caller import Caller
    from chaos.resumer import Resumer

    roles = (Asker, Asker, MeshListener, Asker, SnorkyListener, Asker, Resumer, MeshListener, Caller, SnorkyListener)
    return [roles[n % len(roles)](n, world, ledger) for n in range(count)]
