"""Admission: limits on new connections, proxies that are trusted or not, and clients that never finish a request.
The peer that meshd logs for a refused token would be no address to test by; a limit per address is."""

import asyncio
import socket
import struct

import pytest

from support.consumer import Consumer, RawSocket
from support.gateway import health
from support.waiting import eventually
from support.websocket import Refusal

TOKEN = {"Authorization": "Bearer secret-ann"}


async def connect(gateway):
    return await RawSocket.connect("127.0.0.1", gateway.edges[0].port)


async def ended(raw, timeout=45):
    """The data that was received before the end of the connection."""
    try:
        return await asyncio.wait_for(raw.reader.read(), timeout)
    except ConnectionError:
        return b""


async def first(gateway, **options):
    """A client that is admitted once the health check that found the gateway ready has disconnected."""
    async def try_it():
        try:
            return await Consumer.open(gateway.url, **options)
        except Refusal:
            return None
    return await eventually(try_it, "there is room for the first one")


async def asked(gateway, before=b"", **headers):
    """The status of the response to an upgrade; None if the connection is closed instead."""
    raw = await connect(gateway)
    try:
        await raw.send(before + RawSocket.upgrade(**{**TOKEN, **headers}))
        await raw.response()
    except (ConnectionError, asyncio.IncompleteReadError):
        raw.status = None
    return raw


# Limits at the door

async def test_over_the_limit_health_is_still_told(gateways):
    gateway = gateways(settings={"limits": {"connections": 1}})
    async with await first(gateway):
        refused = await asked(gateway)
        assert refused.status == 503 and refused.headers["retry-after"] and b"try again" in refused.body
        assert health(gateway.edges[0].port)[0] == 200
        await refused.close()


async def test_those_who_only_connect_count_too(gateways):
    """A limit that counted only WebSockets could be bypassed by connections without an upgrade."""
    gateway = gateways(settings={"limits": {"connections": 3, "handshake_ms": 60_000}})
    silent = [await connect(gateway) for _ in range(3)]

    async def refused():
        raw = await asked(gateway)
        await raw.close()
        return raw.status == 503
    await eventually(refused, "the fourth is refused")
    for raw in silent:
        await raw.close()

    async def welcome():
        raw = await asked(gateway)
        await raw.close()
        return raw.status == 101
    await eventually(welcome, "there is room again")


async def test_a_crowd_over_the_limit_is_refused_quickly_and_leaves_nothing(gateways):
    gateway = gateways(settings={"limits": {"connections": 1}})
    edge = gateway.edges[0]
    async with await first(gateway):
        before = edge.open_sockets()
        crowd = [await connect(gateway) for _ in range(600)]  # who say nothing at all
        await asyncio.gather(*(ended(raw) for raw in crowd))
        for raw in crowd:
            await raw.close()
        await eventually(lambda: edge.open_sockets() <= before, lambda: f"{edge.open_sockets()} sockets, {before} before")


async def test_connections_per_address(gateways):
    gateway = gateways(settings={"limits": {"connections_per_ip": 2}})
    async with await first(gateway) as one, await first(gateway):
        refused = await asked(gateway)
        assert refused.status == 503 and refused.headers["retry-after"]
        await refused.close()
        await one.close()

        async def room():
            raw = await asked(gateway)
            await raw.close()
            return raw.status == 101
        await eventually(room, "there is room again after one has left")


async def test_new_connections_per_second(gateways):
    gateway = gateways(settings={"limits": {"new_connections_per_s": 5}})
    crowd = await asyncio.gather(*(asked(gateway) for _ in range(80)))  # at once, or a slow machine would keep the limit by itself
    refused = [raw for raw in crowd if raw.status == 503]
    assert refused and all(raw.headers["retry-after"] for raw in refused)
    for raw in crowd:
        await raw.close()

    async def welcome():
        raw = await asked(gateway)
        await raw.close()
        return raw.status == 101
    await eventually(welcome, "after a moment one is taken again")


# Those who never finish, or ask in strange ways

@pytest.fixture(scope="module")
def impatient(broker_url):
    from support.gateway import Gateway
    with Gateway(broker_url, settings={"limits": {"handshake_ms": 500}}) as running:
        yield running


@pytest.mark.parametrize("first", [b"", b"GET /websocket HTTP/1.1\r\n", b"GET /websocket HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_byte_now_and_then_buys_no_time(impatient, first):
    """The time is for the handshake as a whole, not for each read."""
    async with await connect(impatient) as raw:
        await raw.send(first)
        answer = asyncio.create_task(ended(raw))
        while not answer.done():  # fails by the test's own limit
            raw.writer.write(b"x" if first else b"G")
            await asyncio.sleep(0.05)
        assert not (await answer).startswith(b"HTTP/1.1 101")


@pytest.mark.parametrize("status, data", [
    (414, b"GET /" + b"x" * 20_000),
    (414, b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    (431, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Many: 1\r\n" * 200 + b"\r\n"),
    (431, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 100_000),
    (413, b"POST /websocket HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789"),
    (413, b"GET /websocket HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    (400, b"GET /websocket HTTP/1.1\r\n\r\n"),
    (400, b"GET /websocket HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    (400, b"GET /websocket HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n"),
    (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    (400, b"\x16\x03\x01\x02\x00"),
    (400, b"\x00" * 100),
])
async def test_what_no_honest_client_asks(gateway, status, data):
    async with await connect(gateway) as raw:
        await raw.send(data)
        assert await raw.response() == status
        assert raw.headers["connection"] == "close" and b"error" in raw.body


@pytest.mark.parametrize("key", ["", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=!", "x" * 4000])
async def test_a_key_that_is_none(gateway, key):
    raw = await asked(gateway, Sec_WebSocket_Key=key)
    async with raw:
        assert raw.status == 400


async def test_rubbish_behind_the_handshake_is_a_protocol_error(gateway):
    async with await connect(gateway) as raw:
        await raw.send(RawSocket.upgrade(**TOKEN) + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        assert await raw.response() == 101
        assert (await raw.read_close())[0] == 1002


async def test_a_second_request_behind_a_refused_one_is_not_answered(gateway):
    async with await connect(gateway) as raw:
        await raw.send(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" + RawSocket.upgrade(**TOKEN))
        assert await raw.response() == 404
        assert b"101" not in await ended(raw)


# Names and origins

async def test_hosts(gateways):
    gateway = gateways(settings={"listen": {"hosts": ["gw.test", ".sub.test"]}})
    for host, status in [("gw.test", 101), ("GW.TEST:80", 101), ("a.sub.test", 101), ("rebound.evil.test", 421), ("evilgw.test", 421), ("127.0.0.1", 421)]:
        raw = await asked(gateway, host=host)
        async with raw:
            assert raw.status == status, host
    assert health(gateway.edges[0].port)[0] == 200, "a health check knows no name"


async def test_origins(gateways):
    gateway = gateways(settings={"listen": {"origins": ["example.com", "https://app.test:8443"]}})
    for origin, status in [
        ("https://example.com", 101), ("https://www.EXAMPLE.com:444", 101), ("https://evilexample.com", 403), ("https://example.com.evil.test", 403),
        ("https://app.test:8443", 101), ("https://app.test", 403), ("http://app.test:8443", 403), ("null", 403), ("file://", 403),
    ]:
        raw = await asked(gateway, Origin=origin)
        async with raw:
            assert raw.status == status, origin


# Proxies

def proxy_v2(address, command=1):
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH4s4sHH", 0x20 | command, 0x11, 12, socket.inet_aton(address), socket.inet_aton("10.0.0.1"), 4711, 443)


async def test_the_proxy_header_tells_who_it_is(gateways):
    """By the limit per address: two addresses may connect once each, although the proxy is the same."""
    gateway = gateways(wait_ready=False, settings={"listen": {"proxy_protocol": True, "trusted_proxies": ["127.0.0.0/8"]}, "limits": {"connections_per_ip": 1, "handshake_ms": 1000}})

    async def up():
        raw = await connect(gateway)
        async with raw:
            await raw.send(proxy_v2("0.0.0.0", command=0) + b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            return await raw.response() == 200
    await eventually(up, "it tells the proxy itself that it is ready")

    one = await asked(gateway, proxy_v2("203.0.113.1"))
    other = await asked(gateway, b"PROXY TCP4 203.0.113.2 10.0.0.1 4711 443\r\n")
    again = await asked(gateway, proxy_v2("203.0.113.1"))
    assert (one.status, other.status, again.status) == (101, 101, 503)

    for data in (b"", b"PROXY TCP4 203.0.113.3 10.0.0.1", proxy_v2("203.0.113.3")[:20], b"PROXY " + b"x" * 500, b"\r\n\r\n\0\r\nQUIT\n\xff\xff\xff\xff" + b"x" * 5000):
        async with await connect(gateway) as raw:
            await raw.send(data)
            assert await ended(raw) == b"", data
    without = await asked(gateway)
    assert without.status is None
    for raw in (one, other, again, without):
        await raw.close()


async def test_the_proxy_header_is_for_trusted_proxies(gateways):
    gateway = gateways(wait_ready=False, settings={"listen": {"proxy_protocol": True, "trusted_proxies": ["10.0.0.0/8"]}})
    raw = await asked(gateway, proxy_v2("203.0.113.1"))
    async with raw:
        assert raw.status is None


async def test_a_proxy_header_where_none_is_expected(gateway):
    async with await connect(gateway) as raw:
        await raw.send(proxy_v2("203.0.113.1") + RawSocket.upgrade(**TOKEN))
        assert await raw.response() == 400


async def test_x_forwarded_for(gateways):
    gateway = gateways(settings={"listen": {"trusted_proxies": ["127.0.0.1", "10.0.0.0/8"]}, "limits": {"connections_per_ip": 1}})
    opened = [
        await asked(gateway, X_Forwarded_For="203.0.113.1"),
        await asked(gateway, X_Forwarded_For="203.0.113.2, 10.0.0.7"),
        await asked(gateway, X_Forwarded_For="203.0.113.1, 203.0.113.3"),  # the first is the consumer's own invention
        await asked(gateway, X_Forwarded_For="203.0.113.9, 203.0.113.2"),
        await asked(gateway, X_Forwarded_For="nonsense"),
        await asked(gateway, Forwarded="for=203.0.113.3", X_Forwarded_For="203.0.113.4"),
    ]
    assert [raw.status for raw in opened] == [101, 101, 101, 503, 400, 101]
    for raw in opened:
        await raw.close()


async def test_forwarded(gateways):
    gateway = gateways(settings={"listen": {"trusted_proxies": ["127.0.0.1"], "forwarded_header": "forwarded"}, "limits": {"connections_per_ip": 1}})
    opened = [
        await asked(gateway, Forwarded='for="[2001:db8::1]:4711";proto=https'),
        await asked(gateway, Forwarded="for=203.0.113.1", X_Forwarded_For="203.0.113.9"),
        await asked(gateway, Forwarded="for=6.6.6.6, for=203.0.113.1", X_Forwarded_For="203.0.113.8"),
        await asked(gateway, Forwarded='for="[2001:db8::2]"'),  # the same /64
    ]
    assert [raw.status for raw in opened] == [101, 101, 503, 503]
    for raw in opened:
        await raw.close()


async def test_nobody_is_believed_by_default(gateways):
    gateway = gateways(settings={"limits": {"connections_per_ip": 1}})
    async with await first(gateway):
        raw = await asked(gateway, X_Forwarded_For="203.0.113.1", Forwarded="for=203.0.113.1")
        async with raw:
            assert raw.status == 503
