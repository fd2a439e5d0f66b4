"""What happens before the first message: refusals with an HTTP status, refusals by meshd, and clients that don't
wait for either."""

import asyncio
import json

import pytest

from support.consumer import Consumer, RawSocket
from support.gateway import health
from support.manual_service import ManualService
from support.ports import free_port
from support.services import unique
from support.waiting import eventually
from support.websocket import Refusal

TOKEN = {"Authorization": "Bearer secret-ann"}


async def attempt(gateway, data):
    """Sends these bytes to the edge and returns the answer's socket, whose `status` is set."""
    raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port)
    await raw.send(data)
    await raw.response()
    return raw


@pytest.mark.parametrize("name, status, data", [
    ("no token", 401, RawSocket.upgrade()),
    ("empty token", 401, RawSocket.upgrade(Authorization="Bearer ")),
    ("another scheme without a token", 401, RawSocket.upgrade(Authorization="")),
    ("no browser is allowed by default", 403, RawSocket.upgrade(Origin="https://example.com", **TOKEN)),
    ("another path", 404, RawSocket.upgrade(path="/nowhere", **TOKEN)),
    ("a path below", 404, RawSocket.upgrade(path="/websocket/x", **TOKEN)),
    ("no key", 400, RawSocket.upgrade(without=("Sec-WebSocket-Key",), **TOKEN)),
    ("no upgrade", 400, RawSocket.upgrade(without=("Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"), **TOKEN)),
    ("not HTTP", 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
])
async def test_refused_with_a_status(gateway, name, status, data):
    raw = await attempt(gateway, data)
    async with raw:
        assert raw.status == status, (name, raw.status, raw.body)


async def test_a_refusal_says_why(gateway):
    async with await attempt(gateway, RawSocket.upgrade()) as raw:
        assert raw.body.strip(), raw.headers
        assert b"secret" not in raw.body


@pytest.mark.parametrize("version", ["", "0", "7", "8", "12", "14", "99", "thirteen"])
async def test_another_protocol_version(gateway, version):
    """RFC 6455 section 4.4: only 13. The drafts before it have other rules of framing and closing."""
    async with await attempt(gateway, RawSocket.upgrade(Sec_WebSocket_Version=version, **TOKEN)) as raw:
        assert raw.status >= 400


async def test_over_the_limit_of_connections(gateways):
    gateway = gateways(settings={"limits": {"connections": 2}})

    async def let_in():
        try:
            return await Consumer.open(gateway.url)
        except Refusal:
            return None  # the health check that found the gateway ready has not left yet
    one, two = [await eventually(let_in, "there is room for two") for _ in range(2)]
    async with await attempt(gateway, RawSocket.upgrade(**TOKEN)) as raw:
        assert raw.status == 503
    await one.close()

    async def room():
        async with await attempt(gateway, RawSocket.upgrade(**TOKEN)) as again:
            return again.status == 101
    await eventually(room, "there is room again after one has left")
    await two.close()


async def test_endless_headers_are_refused(gateway):
    raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port)
    async with raw:
        try:
            await raw.send(b"GET /websocket HTTP/1.1\r\n" + b"X-Filler: " + b"x" * 256 * 1024 + b"\r\n\r\n")
            assert await raw.response() in (400, 431)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it hung up without reading to the end: a refusal too
    assert health(gateway.edges[0].port)[0] == 200


async def test_one_who_never_finishes_the_handshake_is_let_go(gateways):
    gateway = gateways(settings={"limits": {"handshake_ms": 300}})
    raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port)
    async with raw:
        await raw.send(b"GET /websocket HTTP/1.1\r\nHost: x\r\n")
        assert await asyncio.wait_for(raw.reader.read(), 45) is not None  # returns only at the end of the connection


async def test_a_refused_token_closes_before_any_hello(gateway):
    async with await attempt(gateway, RawSocket.upgrade(Authorization="Bearer secret-of-nobody")) as raw:
        assert raw.status == 101
        opcode, payload = await raw.read_frame()
        assert opcode == 8 and int.from_bytes(payload[:2], "big") == 4501, (opcode, payload)
        assert payload[2:] and b"secret" not in payload


async def test_messages_behind_a_refused_token_are_not_taken(gateway, broker_url):
    """The request waits in the socket's buffer during the authentication and is never read after the refusal."""
    async with ManualService(broker_url, unique("guarded")) as service:
        request = json.dumps({"type": "request", "payload": {"service": service.name, "method": "m", "params": {}, "trace_id": "t"}})
        async with await attempt(gateway, RawSocket.upgrade(Authorization="Bearer secret-of-nobody") + RawSocket.frame(request)) as raw:
            opcode, payload = await raw.read_frame()
            assert opcode == 8 and int.from_bytes(payload[:2], "big") == 4501
        async with await Consumer.open(gateway.url) as consumer:
            fence = await consumer.begin(service.name, "fence")
            call = await service.next_call()
            assert call.method == "fence"
            service.answer(call)
            await fence


async def test_messages_right_behind_the_handshake_are_answered_after_hello(gateway, demo):
    frames = b"".join(
        RawSocket.frame(json.dumps({"type": "request", "payload": {"service": demo, "method": "echo", "params": {"n": n}, "trace_id": f"t{n}"}}))
        for n in range(20)
    )
    async with await attempt(gateway, RawSocket.upgrade(**TOKEN) + frames) as raw:
        assert raw.status == 101
        messages = [json.loads((await raw.read_frame())[1]) for _ in range(21)]
    assert messages[0]["payload"]["topic"] == "hello"
    assert sorted(m["payload"]["result"]["n"] for m in messages[1:]) == list(range(20))


async def context_of(service, consumer, **members):
    """The context that a service receives with this client's request."""
    answer = await consumer.begin(service.name, "whoami", trace_id="t", **members)
    call = await service.next_call()
    service.answer(call)
    await answer
    return call.body["context"]


async def test_two_users_are_told_apart(gateway, broker_url):
    """meshd sets the identity: the service sees the user of the socket's token."""
    async with ManualService(broker_url, unique("whoami")) as service:
        async with await Consumer.open(gateway.url, "secret-ann") as ann, await Consumer.open(gateway.url, "secret-bob") as bob:
            assert (ann.hello["payload"]["event"]["user_id"], bob.hello["payload"]["event"]["user_id"]) == ("ann", "bob")
            assert await context_of(service, ann) == {"user_id": "ann", "Authorisation": "secret-ann", "trace_id": "t"}
            assert await context_of(service, bob) == {"user_id": "bob", "Authorisation": "secret-bob", "trace_id": "t"}


async def test_context_from_a_consumer_is_not_taken(gateway, broker_url):
    """A client can't act as another user by sending its own context."""
    forged = {"context": {"user_id": "bob", "Authorisation": "secret-bob"}, "user_id": "bob", "Authorisation": "secret-bob"}
    async with ManualService(broker_url, unique("whoami")) as service, await Consumer.open(gateway.url, "secret-ann") as ann:
        assert await context_of(service, ann, **forged) == {"user_id": "ann", "Authorisation": "secret-ann", "trace_id": "t"}


async def test_alive_is_one_thing_and_ready_another(gateways):
    gateway = gateways(settings={"listen": {"ready_with_broker": True}})
    edge = gateway.edges[0]
    assert edge.health("healthz")[0] == 200
    status, body = edge.health("readyz")
    assert status == 200 and (body["status"], body["ready"], body["attached"], body["broker"]) == ("ok", True, True, "ready")
    gateway.meshd.kill()
    await eventually(lambda: edge.health("readyz")[0] == 503, "it takes no consumers without meshd")
    status, body = edge.health("healthz")
    assert status == 200 and (body["status"], body["ready"], body["attached"]) == ("unattached", False, False)


@pytest.mark.parametrize("asked", [False, True])
async def test_whether_ready_means_the_broker_too_is_for_the_config(gateways, asked):
    nobody = f"amqp://guest:guest@127.0.0.1:{free_port()}/"
    gateway = gateways(url=nobody, settings={"listen": {"ready_with_broker": asked}}, wait_ready=False)
    await eventually(lambda: gateway.edges[0].health()[1].get("attached"), "the edge has found meshd")
    status, body = gateway.edges[0].health("readyz")
    assert body["broker"] == "away" and status == (503 if asked else 200)
