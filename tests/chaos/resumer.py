"""A client that resumes its session (docs/tasks/resume.md) whenever its socket ends: its requests and subscriptions
must go on as if nothing had happened, each event and each answer in order and once. Only a meshd that was killed while it
had no socket is a reason to lose a session."""

import asyncio
import time

import websockets

from chaos.clients import KINDS, TOPICS, TTL, Client, outcome_of
from chaos.ledger import SOCKET_LOST, WRONG, Request, Socket
from support.resuming import ResumeFailed, Resuming
from support.websocket import is_open

GONE = (OSError, asyncio.TimeoutError, websockets.WebSocketException, AssertionError)


class Resumer(Client):
    role = "resuming"

    async def run(self):
        while not self.stopping:
            try:
                self.session = await Resuming.open(self.world.url, self.token)
            except GONE as refusal:
                self.ledger.refused_connects[type(refusal).__name__] += 1
                await asyncio.sleep(0.05 + 0.2 * self.chance.random())
                continue
            self.link, self.waiting = self.session, {}
            self.session.ack_every = 20
            self.socket = Socket(self.number, self.role, time.monotonic(), self.session.ws.local_address[1])
            self.ledger.sockets.append(self.socket)
            lost = await self.live()
            self.socket.closed, self.socket.close, self.socket.ours = time.monotonic(), lost, lost is None
            await self.session.close()
            self.write_down(lost)

    async def live(self):
        """None at the run's end; else the reason for which the session was not resumed."""
        for topic in self.chance.sample([f"{self.world.topic}.{n}" for n in range(TOPICS)], 2):
            self.send("subscribe", topic=topic, ttl=int(TTL * 1000))
        while not (self.stopping and not self.waiting):
            if not is_open(self.session.ws):
                lost = await self.resume()
                if lost:
                    return lost
            if not self.stopping and len(self.waiting) < 8:
                self.ask()
            await self.flush()
            await self.pause(self.world.pace / 2 if not self.stopping else 0.02)
            self.look()
        await asyncio.sleep(1.0)
        self.look()
        return None

    def send(self, verb, kind=None, **members):
        request = Request(self.name(), kind or verb, self.socket, time.monotonic())
        self.ledger.requests[request.id] = request
        # `sent`: on which socket it went; None: on none that could have taken it.
        self.waiting[request.id] = [request, verb, members, None]
        return request

    def ask(self):
        kind = self.chance.choices([k for k in KINDS if k != "nobody"], [w for k, w in KINDS.items() if k != "nobody"])[0]
        more = {"idempotent": True} if kind == "idempotent" else {}
        params = {"ms": self.chance.randint(50, 900)}
        request = self.send("command" if kind == "command" else "request", kind, service=self.world.service_name, method=kind, params=params, ttl=1500 if kind == "hold" else int(TTL * 1000), **more)
        params["id"] = request.id

    async def flush(self):
        """Sends the messages that have not been sent on any socket yet."""
        try:
            for entry in list(self.waiting.values()):
                request, verb, members, sent = entry
                if sent is None:
                    entry[3] = self.session.ws
                    await self.session.send(verb, request.id, **members)
        except websockets.ConnectionClosed:
            pass

    async def resume(self):
        self.look()
        while True:
            try:
                await self.session.resume(self.world.url)
                break
            except ResumeFailed as failed:
                return failed.reason
            except GONE:
                await asyncio.sleep(0.05 + 0.1 * self.chance.random())
        session = self.session
        self.socket.port, self.socket.connected = session.ws.local_address[1], time.monotonic()
        # Only behind the messages that were kept can be told what was never taken: that goes again, and has not run.
        while is_open(session.ws) and session.seq < session.last_of_log:
            await asyncio.sleep(0.02)
        if is_open(session.ws):
            self.look()
            for id, entry in self.waiting.items():
                if id not in session.pending:
                    entry[3] = None
        return None

    def look(self):
        """Handles answers and events."""
        now = time.monotonic()
        for id in [id for id in self.waiting if self.session.answers.get(id)]:
            request, verb, members, _ = self.waiting.pop(id)
            answer = self.session.answers[id][0]
            expected = id if verb == "request" else None
            request.end(*outcome_of(answer, expected))
            if verb == "subscribe":
                if answer["error"] is None:
                    self.socket.subscribed[members["topic"]] = now
                else:
                    self.send(verb, **members)
        seen = self.session.events[len(self.socket.seen):]
        self.socket.seen += [(event["id"], now) for _, event in seen]

    def write_down(self, lost):
        self.look()
        for request, *_ in self.waiting.values():
            if lost:
                request.end(SOCKET_LOST)
                request.answers = 0
        for id, answers in self.session.answers.items():
            if id in self.ledger.requests:
                self.ledger.requests[id].answers = len(answers)
        for mistake in [*self.session.mistakes, *map(str, self.session.others)]:
            wrong = Request(self.name(), "resume", self.socket, time.monotonic())
            wrong.end(WRONG, mistake)
            self.ledger.requests[wrong.id] = wrong
