"""Snorky's clients: a client on /ws, and a backend's POST."""

import asyncio
import http.client
import itertools
import json

import websockets

from .consumer import ANSWER_TIMEOUT, HELLO_TIMEOUT, Closed
from .websocket import connect

KEY = "backend-key-of-the-tests"
OTHER_KEY = "backend-key-number-two"
KEYS = f'[keys]\nbilling = "{KEY}"\nshop = "{OTHER_KEY}"\n'
SERVICES = """
[frontend.pubsub]
kind = "pubsub"
publish = "all"
[frontend.news]
kind = "pubsub"
publish = "backend"
[frontend.ruled]
kind = "pubsub"
publish = "policy"
[frontend.messaging]
kind = "messaging"
[frontend.names]
kind = "messaging"
names = "any"
[frontend.chat]
kind = "chat"
[backend.news_backend]
kind = "pubsub"
frontend = "news"
"""
POLICY = """
default = ["request"]
[[allow]]
verbs = ["publish"]
users = ["ann"]
services = ["ruled"]
channels = ["open*"]
"""


def options(edges=1, **sections):
    """Arguments for a Gateway with all of Snorky."""
    settings = {
        "snorky": {"path": "/ws", "services_file": "services.toml"},
        "backend": {"port": 0, "key_file": "keys.toml"},
        "auth": {"policy_file": "policy.toml"},
    }
    for section, keys in sections.items():
        settings.setdefault(section, {}).update(keys)
    return {"edges": edges, "settings": settings, "files": {"services.toml": SERVICES, "keys.toml": KEYS, "policy.toml": POLICY}, "secrets": {KEY, OTHER_KEY}}


class SnorkyError(Exception):
    pass


class SnorkyClient:
    """One socket on /ws. Answers go to the call that waits for them by callId; everything else is in `others`."""

    def __init__(self, ws):
        self.ws = ws
        self.others = asyncio.Queue()
        self._numbers = itertools.count()
        self._waiting = {}
        self._reader = None

    @classmethod
    async def open(cls, url, token="secret-ann", headers=None, **options):
        headers = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token is not None else {})}
        options = {"compression": None, "ping_interval": None, "max_size": None, "open_timeout": HELLO_TIMEOUT, "close_timeout": 3, **options}
        self = cls(await connect(url, headers, **options))
        self._reader = asyncio.create_task(self._read())
        return self

    async def _read(self):
        try:
            async for text in self.ws:
                frame = json.loads(text)
                message = frame["message"]
                # What the gateway itself sends is no call's, and may be anything.
                is_answer = isinstance(message, dict) and message.get("type") in ("response", "error")
                future = self._waiting.pop(message.get("callId"), None) if is_answer else None
                if future:
                    future.set_result(frame)
                else:
                    await self.others.put(frame)
        except websockets.ConnectionClosed:
            pass
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(Closed(f"closed with {self.ws.close_code} {self.ws.close_reason!r}"))
                    future.exception()
            await self.others.put(None)

    async def send(self, message):
        await self.ws.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    async def begin(self, service, command, **params):
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self.send({"service": service, "message": {"command": command, "params": params, "callId": number}})
        return self._waiting[number]

    async def call(self, service, command, **params):
        """The data of a call; SnorkyError if it fails."""
        frame = await asyncio.wait_for(await self.begin(service, command, **params), ANSWER_TIMEOUT)
        assert frame["service"] == service
        message = frame["message"]
        if message["type"] == "error":
            assert set(message) == {"type", "callId", "message"}, message
            raise SnorkyError(message["message"])
        assert set(message) == {"type", "callId", "data"}, message
        return message["data"]

    async def refused(self, service, command, **params):
        """The error text of a call that must fail."""
        try:
            data = await self.call(service, command, **params)
        except SnorkyError as error:
            return str(error)
        raise AssertionError(f"it succeeded: {data}")

    async def other(self, timeout=ANSWER_TIMEOUT):
        """The next frame that is not an awaited answer; None when the socket has closed."""
        return await asyncio.wait_for(self.others.get(), timeout)

    async def notification(self, service):
        """The next notification, which must be from this service."""
        frame = await self.other()
        assert frame and frame["service"] == service, frame
        return frame["message"]

    def quiet(self):
        return self.others.empty()

    async def closed(self):
        """The code with which the socket has closed."""
        await asyncio.wait_for(asyncio.shield(self._reader), ANSWER_TIMEOUT)
        return self.ws.close_code

    async def close(self):
        await self.ws.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()


def post(edge, body, key=KEY, path="/backend", method="POST", headers=None):
    """(status, JSON body, headers) of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", edge.backend_port, timeout=40)
    try:
        content = body if isinstance(body, (bytes, str)) else json.dumps(body)
        connection.request(method, path, content, {**({"X-Backend-Key": key} if key is not None else {}), **(headers or {})})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text.strip() else None, dict(answer.getheaders())
    finally:
        connection.close()


def envelope(service, command, call_id=None, **params):
    message = {"command": command, "params": params}
    if call_id is not None:
        message["callId"] = call_id
    return {"service": service, "message": message}
