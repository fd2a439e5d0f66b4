"""A client that calls over HTTP, one call after the other on a connection that stays open."""

import asyncio
import json
import time

from chaos.clients import KINDS, TTL, Client
from chaos.ledger import ANSWERED, REFUSED, SOCKET_LOST, TIMEOUT, UNKNOWN, WRONG, Request, Socket
from support.http_link import HttpLink


class Caller(Client):
    role = "caller"

    async def run(self):
        while not self.stopping:
            try:
                self.link = await HttpLink.connect(self.world.port, self.token)
            except OSError as refusal:
                self.ledger.refused_connects[type(refusal).__name__] += 1
                await asyncio.sleep(0.05 + 0.2 * self.chance.random())
                continue
            self.socket = Socket(self.number, self.role, time.monotonic(), self.link.local_address[1])
            self.ledger.sockets.append(self.socket)
            closes = False
            try:
                while not (self.stopping or closes) and self.link.open:
                    closes = (await self.ask()).closes
                    await self.pause(self.world.pace)
                self.socket.ours = closes or self.link.open
            except OSError:
                pass
            finally:
                await self.link.close()
                self.socket.closed, self.socket.close = time.monotonic(), "the end of its connection"

    async def ask(self):
        kind = self.chance.choices(list(KINDS), KINDS.values())[0]
        kind = "plain" if kind == "idempotent" else kind  # which a call over HTTP can't be yet
        request = Request(self.name(), kind, self.socket, time.monotonic())
        self.ledger.requests[request.id] = request
        service = self.world.nobody if kind == "nobody" else self.world.service_name
        verb = "command" if kind == "command" else "call"
        body = json.dumps({"id": request.id, "ms": self.chance.randint(50, 900)}).encode()
        call = self.link.call(verb, service, kind, body=body, headers={"X-Request-Id": request.id}, ttl=1500 if kind == "hold" else int(TTL * 1000))
        try:
            # Longer than it may take: an answer that never comes is what we look for.
            response = await asyncio.wait_for(call, 3 * TTL)
        except asyncio.TimeoutError:
            raise OSError("no answer") from None  # no outcome: lost
        except OSError:
            request.end(SOCKET_LOST)
            request.answers = 0
            raise
        request.end(*outcome_of(response, request.id if verb == "call" else None))
        if response.headers["x-request-id"] != request.id:
            request.outcome, request.detail = WRONG, f"the response to {response.headers['x-request-id']}"
        return response


def outcome_of(response, expected):
    if response.status in (200, 202):
        result = response.json() if response.body else None
        return (ANSWERED, "") if result == expected else (WRONG, f"the result is {result!r}")
    problem = response.json()
    detail = f"{response.status} {problem['error']}: {problem['detail']}"
    if response.status == 504 or (response.status == 424 and problem["error"] == "NuropbTimeoutError"):
        return TIMEOUT, detail
    if response.status == 424:
        return UNKNOWN, detail
    return (REFUSED if response.status in (404, 429, 503) else WRONG), detail
