"""Nobody takes what all need: one user, or one address, that takes as much as it can of what an edge or meshd shares among all
loses its own sockets and requests, and the others go on (docs/tasks/limits.md)."""

import asyncio
import json
import struct
import time
import urllib.request

import pika
import pytest

from support.authorities import AuthorizationServer
from support.consumer import Consumer, RawSocket
from support.paths import binary
from support.services import unique
from support.snorky import KEY, envelope, options, post
from support.waiting import eventually, wait_until
from test_metrics import value

MIB = 1024 * 1024


def refused(gateway, limit):
    return value(gateway, f'refused_by_limit_total{{limit="{limit}"}}')


def log_of(edge):
    return edge.process.tail(1000)


async def logged(edge, *words):
    """Another process writes the log, so a line appears a moment after its event."""
    await eventually(lambda: all(word in log_of(edge) for word in words), lambda: f"{words} in the log:\n{log_of(edge)}")


async def raw_session(edge, token="secret-bob", receive_buffer=None):
    """A raw session after its hello."""
    raw = await RawSocket.connect("127.0.0.1", edge.port, receive_buffer=receive_buffer, limit=4096 if receive_buffer else 2**16)
    await raw.send(raw.upgrade(Authorization=f"Bearer {token}"))
    assert await raw.response() == 101
    await raw.read_frame()
    return raw


async def close_code(raw):
    """The gateway's close code; 0: the connection ended without a close frame."""
    try:
        while True:
            opcode, payload = await raw.read_frame()
            if opcode == 8:
                return struct.unpack("!H", payload[:2])[0]
    except (asyncio.IncompleteReadError, ConnectionError):
        return 0


@pytest.mark.parametrize("fragments", [1, 40])
async def test_messages_that_are_never_finished(gateways, demo, fragments):  # provokes: 1009
    gateway = gateways(settings={"limits": {"memory_bytes": 12 * MIB}})
    edge = gateway.edges[0]
    ann = await Consumer.open(edge.url)
    attackers = [await raw_session(edge) for _ in range(30)]
    part = 1_900_000 // fragments
    for raw in attackers:
        for number in range(fragments - 1):
            await raw.send(raw.frame(b"x" * part, opcode=0 if number else 1, fin=False))
        await raw.send(raw.frame(b"x" * part, opcode=0 if fragments > 1 else 1)[:-1])
    await eventually(lambda: refused(gateway, "memory_bytes") >= 24, lambda: f"{refused(gateway, 'memory_bytes')} were closed")
    # Those who take little are not concerned, even with a large message of their own.
    text = "y" * (1 * MIB)
    assert await ann.result(demo, "echo", {"text": text}) == {"text": text}
    ends = [asyncio.create_task(close_code(raw)) for raw in attackers]
    await eventually(lambda: sum(end.done() for end in ends) >= 24, "they are told")
    assert {end.result() for end in ends if end.done()} == {1009}
    for end in ends:
        end.cancel()
    await asyncio.gather(*ends, return_exceptions=True)
    await logged(edge, "127.0.0.1", "limits.memory_bytes")
    assert edge.process.running() and ann.open_still
    for raw in attackers:
        await raw.close()
    await ann.close()


async def test_answers_that_nobody_reads(gateways, demo):  # provokes: 4001
    gateway = gateways(settings={"limits": {"memory_bytes": 12 * MIB}})
    edge = gateway.edges[0]
    ann = await Consumer.open(edge.url)
    slow = [await raw_session(edge, receive_buffer=4096) for _ in range(8)]
    request = {"type": "request", "payload": {"service": demo, "method": "echo", "params": {"text": "z" * MIB}}}
    for raw in slow:
        for number in range(4):
            request["payload"]["trace_id"] = str(number)
            await raw.send(raw.frame(json.dumps(request)))
    await eventually(lambda: refused(gateway, "memory_bytes") >= 4, lambda: f"{refused(gateway, 'memory_bytes')} were closed")
    assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
    assert await ann.result(demo, "echo", {"text": "y" * MIB}) == {"text": "y" * MIB}
    await eventually(lambda: value(gateway, 'closes_total{code="4001"}') >= 4, "closed as slow readers")
    assert ann.open_still
    for raw in slow:
        await raw.close()
    await ann.close()


async def test_a_message_that_takes_too_long(gateways, demo):  # provokes: 4004
    gateway = gateways(settings={"limits": {"message_ms": 500}})
    edge = gateway.edges[0]
    ann = await Consumer.open(edge.url)
    raw = await raw_session(edge)
    await raw.send(raw.frame("x" * 50_000)[:-1])
    assert await asyncio.wait_for(close_code(raw), 30) == 4004
    assert refused(gateway, "message_ms") == 1
    await logged(edge, "limits.message_ms")
    assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
    await raw.close()
    await ann.close()


@pytest.mark.parametrize("flood", ["pings", "empty parts", "parts of a byte"])
async def test_frames_that_are_no_messages(gateways, demo, flood):  # provokes: 4005
    gateway = gateways()
    edge = gateway.edges[0]
    ann = await Consumer.open(edge.url)
    raw = await raw_session(edge)
    one = raw.frame(b"", opcode=9) if flood == "pings" else raw.frame(b"" if flood == "empty parts" else b"x", opcode=0, fin=False)
    if flood != "pings":
        await raw.send(raw.frame(b'{"', opcode=1, fin=False))

    async def write():
        for _ in range(1000):
            await raw.send(one * 100)

    writer = asyncio.create_task(write())
    assert await asyncio.wait_for(close_code(raw), 30) == 4005
    writer.cancel()
    await asyncio.gather(writer, return_exceptions=True)
    assert refused(gateway, "control_frames_per_s") == 1
    await logged(edge, "limits.control_frames_per_s")
    assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
    await raw.close()
    await ann.close()


def address_space(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize:"))


def restart_with(edge, most):
    """Restarts the edge with at most this many bytes of address space."""
    edge.process.stop()
    wrapper = edge.gateway.folder / "edge-with-less-memory"
    wrapper.write_text(f"#!/bin/sh\nulimit -v {most // 1024}\nexec {binary('nuropb-edge')} \"$@\"\n")
    wrapper.chmod(0o755)
    edge.gateway.instead["nuropb-edge"] = (wrapper, None)
    edge.start()


async def test_an_edge_without_memory_loses_a_socket_and_not_itself(gateways, demo):
    gateway = gateways()
    edge = gateway.edges[0]
    restart_with(edge, address_space(edge.process.pid) + 16 * MIB)
    gateway.until_ready()
    ann = await Consumer.open(edge.url)
    attackers = [await raw_session(edge) for _ in range(30)]
    for raw in attackers:
        try:
            await raw.send(raw.frame("x" * 1_900_000)[:-1])
        except ConnectionError:
            pass  # it has lost its connection over it
    await eventually(lambda: refused(gateway, "memory_bytes") > 0, lambda: f"some are closed for want of memory:\n{log_of(edge)}")
    assert edge.process.running() and ann.open_still
    assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
    for raw in attackers:
        await raw.close()
    await ann.close()


# Tokens

class SlowAuthorizationServer(AuthorizationServer):
    """Authenticates one token at a time, slowly."""

    def __init__(self, each):
        self.each = each
        super().__init__()

    def _introspect(self, handler, body):
        time.sleep(self.each)
        return super()._introspect(handler, body)


def judged_by(server, folder, **limits):
    secret = folder / "client-secret"
    secret.write_text(server.client[1] + "\n")
    return {
        "auth": {"authorizers": ["introspection"], "verdict_timeout_ms": 5000, "first_message": True},
        "limits": limits,
        "introspection": {"url": server.url + "/introspect", "client_id": server.client[0], "client_secret_file": str(secret), "threads": 2, "timeout_ms": 15_000},
    }


async def shows(edge, token):
    """The status of a handshake with this token; the connection is then left open."""
    raw = await RawSocket.connect("127.0.0.1", edge.port)
    await raw.send(raw.upgrade(Authorization=f"Bearer {token}"))
    await raw.response()
    return raw


async def test_made_up_tokens_of_one_address(gateways, folder):
    """The flood comes from where the honest clients come from, which is the worst case: it is held back, and those who were
    here lately go on."""
    with SlowAuthorizationServer(0.05) as server:
        server.tokens = {f"honest-{n}": {"sub": f"user-{n}", "username": "U"} for n in range(20)}
        gateway = gateways(settings=judged_by(server, folder, refused_tokens_per_s=1))
        edge = gateway.edges[0]
        async with await Consumer.open(edge.url, "honest-0"):
            flood = [await shows(edge, f"made-up-{n}") for n in range(150)]
            held = [raw for raw in flood if raw.status == 429]
            assert len(held) > 20 and all(raw.headers["retry-after"] for raw in held)
            assert server.requests < 120, "nobody is asked about those"
            async with await Consumer.open(edge.url, "honest-0"):
                pass  # it is known
        assert refused(gateway, "refused_tokens_per_s") >= len(held)
        await logged(edge, "127.0.0.1", "limits.refused_tokens_per_s")
        # A first message is a token, too.
        codes = []
        while 4006 not in codes and len(codes) < 50:  # one a second may be asked about
            raw = await RawSocket.connect("127.0.0.1", edge.port)
            await raw.send(raw.upgrade() + raw.frame(json.dumps({"type": "authorize", "payload": {"token": f"made-up-too-{len(codes)}"}})))
            assert await raw.response() == 101
            codes.append(await close_code(raw))
            await raw.close()
        assert set(codes) <= {4501, 4006} and 4006 in codes, codes
        for one in flood:
            await one.close()


async def test_fresh_tokens_while_another_address_floods(gateways, folder):
    """Addresses are what a proxy tells. 400 made-up tokens at 10 a second are 40 seconds' work; a fresh token from elsewhere is
    not the 401st."""
    with SlowAuthorizationServer(0.2) as server:
        server.tokens = {f"honest-{n}": {"sub": f"user-{n}", "username": "U"} for n in range(10)}
        settings = judged_by(server, folder)
        settings["listen"] = {"trusted_proxies": ["127.0.0.1"]}
        gateway = gateways(settings=settings)
        edge = gateway.edges[0]

        async def guess(number):
            raw = await RawSocket.connect("127.0.0.1", edge.port)
            await raw.send(raw.upgrade(Authorization=f"Bearer made-up-{number}", X_Forwarded_For="192.0.2.1"))
            await raw.response()
            return raw
        flood = [await guess(n) for n in range(400)]
        for n in range(10):
            async with await Consumer.open(edge.url, f"honest-{n}", headers={"X-Forwarded-For": "192.0.2.2"}):
                pass
        assert server.requests < 350, "they have not waited for the flood"
        # Those who leave are not asked about.
        for raw in flood:
            await raw.close()
        await eventually(lambda: value(gateway, "sessions") == 0, "all have left")
        asked = server.requests
        async with await Consumer.open(edge.url, "honest-0", headers={"X-Forwarded-For": "192.0.2.2"}):
            pass
        assert server.requests <= asked + 8, "no more than was under way"


# Subscriptions

async def test_no_user_has_all_patterns(gateways, folder):
    (folder / "policy.toml").write_text('default = ["request", "event", "subscribe"]\n')
    gateway = gateways(edges=2, settings={
        "auth": {"policy_file": str(folder / "policy.toml")}, "events": {"subscriptions_per_session": 10, "subscriptions_per_user": 15}})
    sockets = [await Consumer.open(edge.url, "secret-bob") for edge in gateway.edges]
    for n in range(10):
        await sockets[0].done("subscribe", topic=f"bob.{n}")
        await sockets[1].done("subscribe", topic=f"bob.{n}")  # the same ones: they count once
    more = await Consumer.open(gateway.edges[1].url, "secret-bob")
    for n in range(10, 15):
        await more.done("subscribe", topic=f"bob.{n}")
    answer = await asyncio.wait_for(await more.begin_verb("subscribe", topic="bob.15"), 30)
    assert "events.subscriptions_per_user" in answer["error"]["description"], answer
    assert refused(gateway, "subscriptions_per_user") == 1
    assert "bob" in gateway.meshd.tail(1000) and "events.subscriptions_per_user" in gateway.meshd.tail(1000)
    async with await Consumer.open(gateway.url) as ann:
        await ann.done("subscribe", topic="ann.1")
    # What a socket had is free once it has left.
    await more.close()
    async def room():
        answer = await asyncio.wait_for(await sockets[0].begin_verb("unsubscribe", topic="bob.0"), 30)
        await asyncio.wait_for(await sockets[1].begin_verb("unsubscribe", topic="bob.0"), 30)
        answer = await asyncio.wait_for(await sockets[0].begin_verb("subscribe", topic="bob.16"), 30)
        return answer["error"] is None
    await eventually(room, "there is room again")
    for one in sockets:
        await one.close()


# Connections

async def test_silent_connections_take_no_place_of_other_addresses(gateways):
    gateway = gateways(settings={
        "limits": {"connections": 20, "handshake_ms": 60_000}, "listen": {"trusted_proxies": ["127.0.0.0/8"], "proxy_protocol": True}}, wait_ready=False)
    edge = gateway.edges[0]

    async def arrive(address, rest=b""):
        raw = await RawSocket.connect("127.0.0.1", edge.port)
        await raw.send(f"PROXY TCP4 {address} 192.0.2.99 4711 80\r\n".encode() + rest)
        return raw
    hello = RawSocket.upgrade(Authorization="Bearer secret-ann")
    await eventually(lambda: value(gateway, "workers") == 1, "the edge is attached")
    silent = [await arrive("192.0.2.1") for _ in range(60)]
    honest = []
    for n in range(5):
        one = await arrive(f"192.0.2.{n + 10}", hello)
        assert await one.response() == 101
        honest.append(one)
    await eventually(lambda: refused(gateway, "handshakes") >= 5, "it is counted")
    for raw in silent + honest:
        await raw.close()


async def test_silent_sockets_take_no_place_of_other_addresses(gateways):
    gateway = gateways(settings={"auth": {"first_message": True, "first_message_waiting": 10, "first_message_ms": 60_000}, "listen": {"trusted_proxies": ["127.0.0.1"]}})
    edge = gateway.edges[0]

    async def arrive(address):
        raw = await RawSocket.connect("127.0.0.1", edge.port)
        await raw.send(raw.upgrade(X_Forwarded_For=address))
        await raw.response()
        return raw
    silent = [await arrive("192.0.2.1") for _ in range(12)]
    assert [raw.status for raw in silent] == [101] * 10 + [503] * 2
    honest = await arrive("192.0.2.2")
    assert honest.status == 101
    assert await close_code(silent[0]) == 4402
    await honest.send(honest.frame(json.dumps({"type": "authorize", "payload": {"token": "secret-ann"}})))
    assert b"hello" in (await honest.read_frame())[1]
    for raw in [*silent, honest]:
        await raw.close()


# HTTP

def page(gateway, path="/metrics"):
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.metrics_port}{path}", timeout=20) as answer:
        return answer.status


async def test_half_requests_keep_no_probe_out(gateways):
    from support.ports import free_port
    port = free_port()
    gateway = gateways(settings={"metrics": {"listen": f"127.0.0.1:{port}"}, "console": {"enabled": True, "port": 0, "users": ["ann"]}})
    gateway.metrics_port = port
    half = {
        port: b"GET /metrics HTTP/1.1\r\nHost: x\r\n",
        gateway.edges[0].console_port: b"POST /api/kill HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer made-up\r\nContent-Length: 10\r\n\r\n",
    }
    for at, bytes_sent in half.items():
        waiting = [await RawSocket.connect("127.0.0.1", at) for _ in range(40)]
        for raw in waiting:
            try:
                await raw.send(bytes_sent)
            except ConnectionError:
                pass  # it has given way
        for _ in range(3):
            status = await asyncio.to_thread(
                lambda at=at: urllib.request.urlopen(f"http://127.0.0.1:{at}/{'metrics' if at == port else ''}", timeout=20).status)
            assert status == 200
        for raw in waiting:
            await raw.close()


async def test_no_body_is_read_for_a_wrong_key(gateways):
    gateway = gateways(**options(backend={"timeout_ms": 60_000}))
    edge = gateway.edges[0]
    head = b"POST /backend HTTP/1.1\r\nHost: x\r\nX-Backend-Key: wrong\r\nContent-Length: 2000000\r\n\r\n"
    flood = [await RawSocket.connect("127.0.0.1", edge.backend_port) for _ in range(10)]
    for raw in flood:
        await raw.send(head + b"x" * 100_000)  # and no more: the answer does not wait for the rest
    assert {await raw.response(20) for raw in flood} == {401}
    publish = envelope("news_backend", "publish", 7, channel="x", message=1)
    assert (await asyncio.to_thread(post, edge, publish, KEY))[0] == 200
    large = envelope("news_backend", "publish", 7, channel="x", message="y" * MIB)
    assert (await asyncio.to_thread(post, edge, large, KEY))[0] == 200
    for raw in flood:
        await raw.close()


async def test_wrong_keys_are_slowed_down(gateways):
    gateway = gateways(**options())
    edge = gateway.edges[0]
    publish = envelope("news_backend", "publish", 7, channel="x", message=1)
    assert (await asyncio.to_thread(post, edge, publish, KEY))[0] == 200

    def guess():
        return [post(edge, publish, f"wrong-{n}")[0] for n in range(150)]
    codes = await asyncio.to_thread(guess)
    assert codes[0] == 401 and 429 in codes and set(codes) == {401, 429}
    assert (await asyncio.to_thread(post, edge, publish, KEY))[0] == 200, "a key that was good goes on"
    assert refused(gateway, "refused_tokens_per_s") == codes.count(429)
    await logged(edge, "127.0.0.1")


# What waits in queues

async def test_what_one_user_leaves_in_the_queue_of_a_dead_service(gateways, broker_url):
    name = unique("dead")
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        channel = connection.channel()
        queue = f"nuropb-{name}-sq"
        channel.queue_declare(queue)
        channel.queue_bind(queue, "nuropb-rpc-exchange", routing_key=name)
        gateway = gateways(settings={"limits": {"pending_per_user": 30}, "request": {"max_ttl_ms": 120_000, "encryption": False}})

        def left():
            return channel.queue_declare(queue, passive=True).method.message_count
        for wanted in (20, 30, 30):  # sockets one after the other
            bob = await Consumer.open(gateway.url, "secret-bob")
            for n in range(20):
                await bob.send({"type": "request", "payload": {"service": name, "method": "m", "params": {}, "ttl": 43_200_000, "trace_id": str(n)}})
            assert await bob.refused("event", topic="no.right", event=1) == "NuropbAuthorizationError"  # meshd has read all before it
            await eventually(lambda wanted=wanted: left() == wanted, lambda: f"{left()} are left")
            await bob.close()
        await eventually(lambda: left() == 30 and refused(gateway, "pending_per_user") == 30, lambda: f"{left()} are left, {refused(gateway, 'pending_per_user')} were refused")
        # Neither of them lies there for longer than the longest ttl.
        _, properties, _ = channel.basic_get(queue)
        assert int(properties.expiration) <= 120_000
        async with await Consumer.open(gateway.url) as ann:
            assert await ann.refused("request", service=unique("nowhere"), method="m", params={}) == "NuropbNotDeliveredError"
        channel.queue_delete(queue)


# Operators' mistakes

async def test_secrets_that_others_can_read_are_warned_of(gateways):
    gateway = gateways(**options())
    (gateway.folder / "tokens.toml").chmod(0o644)
    gateway.meshd.stop()
    gateway.start_meshd()
    log = gateway.meshd.tail(1000)
    assert "auth.token_file" in log and "chmod o-r" in log, log


async def test_an_edge_that_cannot_map_its_segments_ends(gateways):
    gateway = gateways()
    edge = gateway.edges[0]
    restart_with(edge, address_space(edge.process.pid) - 12 * MIB)  # both rings have 16
    wait_until(lambda: not edge.process.running(), lambda: f"it ends:\n{log_of(edge)}")
    assert edge.process.popen.returncode == 1
    edge.process.killed = True  # so this is no disorder at the end
    wait_until(lambda: "can't be mapped" in log_of(edge), lambda: log_of(edge))
