"""When the Python client comes back, and when it does not: how long it waits, what its methods raise. What every client does is in
tests/clients."""

import asyncio
import logging

import pytest

from support.ctl import ctl
from support.ports import free_port
from support.python_client import Watched, raised

from nuropb_gateway_client import Gateway, NotDelivered, Settings, TimeoutNotSent


@pytest.fixture
def half(monkeypatch):
    """Chance that is none: every random pause is half of the longest."""
    monkeypatch.setattr("nuropb_gateway_client.client.Backoff", lambda settings: _backoff(settings, lambda: 0.5))


from nuropb_gateway_client.backoff import Backoff as _backoff  # noqa: E402


async def test_each_close_code_says_when(half, opened, demo):
    gateway = opened()
    async with Watched(gateway.url) as client:
        # At once, after a pause, or, if the client has nothing to do, not before it has.
        codes = {4001: 0.01, 4002: 1, 4003: 0.01, 4005: 1, 4006: 1, 4200: 0.01, 4401: 0.01, 4402: 0.01}
        for number, (code, delay) in enumerate(codes.items(), 1):
            await client.seen("open", number)
            ctl(gateway, "kick", "--user", "ann", "--code", str(code), "--reason", "why")
            down = (await client.seen("down", number))[-1]
            assert (down["code"], down["reason"]) == (code, "why") and down["delay"] == pytest.approx(delay), down
        await client.seen("open", len(codes) + 1)
        ctl(gateway, "kick", "--user", "ann", "--code", "4004")
        assert "delay" not in (await client.seen("down", len(codes) + 1))[-1] and client.state == "idle"
        assert await client.request(demo, "echo", {"n": 1}) == {"n": 1}
        await client.subscribe("a.b", print)
        ctl(gateway, "kick", "--user", "ann", "--code", "4004")
        await client.seen("open", len(codes) + 3)


async def test_a_code_that_ends_it(opened):
    code = 4500
    gateway = opened()
    async with Watched(gateway.url) as client:
        await client.seen("open")
        waiting = asyncio.ensure_future(client.ready())
        await waiting
        ctl(gateway, "kick", "--user", "ann", "--code", str(code), "--reason", "enough")
        [why] = await client.seen("close")
        assert (why.code, why.reason, client.state, client.failure) == (code, "enough", "closed", why)
        assert await raised(client.ready()) is why
        assert isinstance(await raised(client.request("a", "b")), NotDelivered)


async def test_nobody_listens(opened):
    async with Watched(f"ws://127.0.0.1:{free_port()}/websocket") as client:
        error = await raised(client.ready(0.3))
        assert type(error) is TimeoutNotSent and "no connection" in error.description
        assert {down["code"] for down in await client.seen("down", 2)} == {0}


class Answers:
    """A server that gives the handshake these answers, one after the other, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._come, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/websocket"
        return self

    async def _come(self, reader, writer):
        try:
            self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write((self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]).encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()


@pytest.mark.parametrize("header, least, most", [("0", 0, 0.2), ("7", 7, 14), ("9999999", 300, 600), ("soon", 0, 0.2), ("Fri, 01 Jan 2100 00:00:00 GMT", 300, 600)])
async def test_retry_after_is_honoured(header, least, most):
    async with Answers(f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {header}\r\nContent-Length: 4\r\n\r\nfull") as server:
        async with Watched(server.url, min_delay=0.1) as client:
            [down] = (await client.seen("down"))[:1]
            assert "HTTP 503" in down["reason"] and least <= down["delay"] <= most, down


async def test_a_redirect_is_not_shown_the_token():
    async with Answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as elsewhere:
        where = elsewhere.url.replace("ws:", "http:")
        async with Answers(f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n") as server:
            async with Watched(server.url) as client:
                [down] = (await client.seen("down"))[:1]
                assert "redirect" in down["reason"], down
        assert elsewhere.asked == []


async def test_no_token_in_a_log(opened, caplog):
    """Whatever level the application sets."""
    caplog.set_level(logging.DEBUG)
    gateway = opened()
    async with Watched(gateway.url, "secret-ann") as client, Watched(gateway.url, "wrong-and-secret") as other:
        await client.ready()
        await other.seen("close")
    assert not [record for record in caplog.records if "secret" in record.getMessage()]


async def test_settings_that_can_not_be():
    for wrong in ({"ttl": 0}, {"queue": 0}, {"heartbeat": -1}, {"resume": 1}, {"min_delay": 30}, {"buffer": 1.5}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Settings(**wrong)
    for url in ("http://a/b", "ws://", "ws://user:secret@host/", "a"):
        with pytest.raises(ValueError):
            Gateway(url)
    with pytest.raises(TypeError):
        Gateway("ws://a/", 5)
