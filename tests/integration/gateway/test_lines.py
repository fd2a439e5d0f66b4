"""Consumers that speak JSON lines, with real parts: they get what WebSockets get, and each kind only its own messages."""

import asyncio
import json
import signal
import ssl
from pathlib import Path

import pytest

from support.certificates import Certificates
from support.consumer import Consumer
from support.ctl import ctl
from support.hand_caller import HandCaller
from support.lines import LineConsumer, LineSocket
from support.manual_service import ManualService
from support.services import unique
from support.waiting import eventually

POLICY = 'default = ["request", "command", "describe", "event", "subscribe"]\n[[controller]]\nmethods = ["*"]\nusers = ["ops"]\n'


def settings(name, **more):
    out = {"lines": {"enabled": True, "port": 0, "service_name": name}, "auth": {"policy_file": "policy.toml"}}
    for section, keys in more.items():
        out.setdefault(section, {}).update(keys)
    return out


@pytest.fixture
def lines(gateways):
    """Starts a gateway with lines for one test: lines(limits={…}, edges=…)."""
    def start(edges=1, tokens=None, url=None, wait_ready=True, **more):
        name = unique("lines")
        options = {"edges": edges, "tokens": tokens, "settings": settings(name, **more), "files": {"policy.toml": POLICY}, "wait_ready": wait_ready}
        gateway = gateways(url, **options) if url else gateways(**options)
        gateway.lines_name = name
        return gateway
    return start


async def raw(edge, data, tls=None, end=False):
    """Sends bytes, ends our side if asked to, and returns every line until the end."""
    socket = await LineSocket.connect(edge.lines_port, tls=tls)
    socket.writer.write(data)
    if end:
        socket.writer.write_eof()
    lines = [json.loads(line) async for line in socket]
    closed = socket.close_code, socket.close_reason
    await socket.close()
    return lines, closed


async def asked(broker_url, service, method, params):
    """A controller's answer to a handmade message."""
    def ask():
        with HandCaller(broker_url, service) as caller:
            return caller.ask(method, params, context={"user_id": "ops"}).body
    body = await asyncio.to_thread(ask)
    assert body["error"] is None, body
    return body["result"]


async def test_all_verbs(lines, demo):
    gateway = lines()
    async with await LineConsumer.open(gateway.edges[0]) as consumer:
        assert consumer.hello["payload"]["event"]["user_id"] == "ann"
        assert await consumer.result(demo, "echo", {"value": "ö"}) == {"value": "ö"}
        assert "methods" in (await consumer.done("describe", service=demo))
        await consumer.done("subscribe", topic="weather.*")
        assert await consumer.done("command", service=demo, method="echo", params={"value": 2}) is None
        await consumer.done("event", topic="weather.rain", event={"mm": 3})
        event = await consumer.event()
        assert (event["topic"], event["event"]) == ("weather.rain", {"mm": 3})
        assert await consumer.done("unsubscribe", topic="weather.*") is None
        assert (await consumer.done("authorize", token="secret-ann"))["user_id"] == "ann"
        assert await consumer.refused("authorize", token="secret-bob") == "NuropbAuthorizationError"
        # What can't be read is answered as on a WebSocket, and the connection goes on.
        await consumer.send("not json")
        assert (await consumer.other())["error"]
        assert await consumer.result(demo, "echo", {"value": 3}) == {"value": 3}


async def test_tokens_and_lines_in_every_shape(lines, demo):
    edge = lines().edges[0]
    authorize = json.dumps({"type": "authorize", "payload": {"token": "secret-ann"}})
    request = json.dumps({"type": "request", "payload": {"service": demo, "method": "echo", "params": {"n": 1}, "trace_id": "t"}})
    for first in ("secret-ann", "Bearer secret-ann", authorize):
        for end in ("\n", "\r\n", "\n\n \r\n"):
            # The last line may lack its end; what the peer asks before its own end is answered.
            data = (end + first + end + request + end + request).encode()
            got, closed = await raw(edge, data, end=True)
            assert [line["type"] for line in got] == ["event", "response", "response"], got
            assert got[2]["payload"]["result"] == {"n": 1} and closed == (None, None)
    socket = await LineSocket.connect(edge.lines_port)
    for byte in (authorize + "\n" + request + "\n").encode():
        socket.writer.write(bytes([byte]))
        await socket.writer.drain()
    assert json.loads(await socket.reader.readline())["payload"]["topic"] == "hello"
    assert json.loads(await socket.reader.readline())["payload"]["result"] == {"n": 1}
    await socket.close()


async def test_refusals_say_why(lines, demo):  # provokes: 1007, 1009, 4402, 4501
    edge = lines(limits={"message_bytes": 65536}).edges[0]
    for data, code in (
        (b"wrong\n", 4501),
        (b"Bearer\n", 4501),
        (b'{"type":"request","payload":{}}\n', 4501),
        (b'{"type":"authorize"\n', 4501),
        (b"x" * 40_000 + b"\n", 1009),                       # the first line is shorter than the others
        (b"secret-ann\n" + b"x" * 70_000, 1009),             # without an end
        (b"secret-ann\n" + b"x" * 70_000 + b"\n", 1009),
        (b"\xff\xfe\n", 1007),
        (b"secret-ann\n" + b'"\xed\xa0\x80"\n', 1007),
        (b"GET / HTTP/1.1\r\n", 4501),
    ):
        _, closed = await raw(edge, data)
        assert closed[0] == code and closed[1], (data[:40], closed)
    async with await LineConsumer.open(edge) as consumer:
        assert await consumer.result(demo, "echo", {"value": "x" * 60_000})
    edge = lines(lines={"first_line_ms": 300}).edges[0]
    for quiet in (b"", b"sec", b"\n\n"):
        socket = await LineSocket.connect(edge.lines_port)
        socket.writer.write(quiet)
        assert [line async for line in socket] == [] and socket.close_code == 4402
        await socket.close()


async def let_in(edge, **options):
    """A client that is admitted once the edge has noticed the end of earlier connections, also of health checks."""
    async def attempt():
        consumer = await LineConsumer.open(edge, hello=False, **options)
        if await consumer.other():
            return consumer
        await consumer.close()
        return None
    return await eventually(attempt, "there is room")


async def test_limits_are_counted_with_websockets(lines):  # provokes: 4006
    gateway = lines(limits={"connections": 3, "connections_per_user": 2})
    edge = gateway.edges[0]
    async with await let_in(edge) as second, await Consumer.open(edge.url) as first:
        async def refused():
            third = await LineConsumer.open(edge, hello=False)
            said = await third.closed()
            await third.close()
            assert said[0] == 4006
            return said[1] == "too many connections of this user"
        await eventually(refused, "once no health check takes the third place, it is the user's limit")
        async with await let_in(edge, token="secret-bob"):
            _, closed = await raw(edge, b"")
            assert closed[0] == 4006 and "try again" in closed[1]
        assert first.open_still and second.open_still
    gateway = lines(limits={"connections_per_ip": 1})
    edge = gateway.edges[0]
    async with await let_in(edge):
        _, closed = await raw(edge, b"")
        assert closed[0] == 4006

    async def taken_in():
        socket = await LineSocket.connect(edge.lines_port)
        await socket.send("secret-ann")
        first = await socket.reader.readline()
        await socket.close()
        return json.loads(first)["type"] == "event"
    await eventually(taken_in, "the edge has seen the end of the other one")


async def test_each_kind_has_only_what_is_its_own(lines, broker_url):
    gateway = lines(edges=2)
    webs = [await Consumer.open(edge.url) for edge in gateway.edges]
    ours = [await LineConsumer.open(edge) for edge in gateway.edges]
    everybody = webs + ours
    for consumer in everybody:
        await consumer.done("subscribe", topic="both.#")
    # Both mesh identities send to "all", and to a user who is there as both kinds.
    for name, to, others in ((gateway.lines_name, ours, webs), (gateway.name, webs, ours)):
        assert (await asked(broker_url, name, "send_to_all", {"message": f"all of {name}"}))["connections"] == 2
        assert (await asked(broker_url, name, "send_to_users", {"user_ids": ["ann"], "message": f"ann of {name}"}))["connections"] == 2
        for consumer in to:
            assert await consumer.other() == f"all of {name}" and await consumer.other() == f"ann of {name}"
        assert (await asked(broker_url, name, "send_to_session", {"session_id": others[0].session_id, "message": 1}))["connections"] == 0
        listed = await asked(broker_url, name, "sessions", {})
        assert {one["session_id"] for one in listed["sessions"]} == {consumer.session_id for consumer in to}
        assert listed["count"]["sessions"] == 2
        described = await asked(broker_url, name, "nuropb_describe", {})
        assert described["service_name"] == name and "send_to_all" in described["methods"]
    assert ctl(gateway, "sessions", "--count")["count"]["sessions"] == 2
    assert ctl(gateway, "sessions", "--handler", "lines", "--count")["count"]["sessions"] == 2
    assert ctl(gateway, "send", "--handler", "lines", "--all", '"by ctl"')["connections"] == 2
    for consumer in ours:
        assert await consumer.other() == "by ctl"
    # One event, two queues, two bindings: each consumer has it once.
    await ours[0].done("event", topic="both.one", event=1)
    for consumer in everybody:
        assert (await consumer.event())["topic"] == "both.one"
    assert (await asked(broker_url, gateway.lines_name, "close_all", {"code": 4100, "reason": "enough"}))["connections"] == 2
    for consumer in ours:
        assert await consumer.closed() == (4100, "enough")
    for consumer in webs:
        await consumer.done("event", topic="both.two", event=2)
    for consumer in webs:
        assert [(await consumer.event())["topic"] for _ in webs] == ["both.two"] * 2 and consumer.others.empty()
    for consumer in everybody:
        await consumer.close()


async def test_requests_carry_the_identity_of_their_kind(lines, broker_url):
    gateway = lines()
    edge = gateway.edges[0]
    async with ManualService(broker_url, unique("held")) as service, await LineConsumer.open(edge) as ours, await Consumer.open(edge.url) as web:
        for consumer, name in ((ours, gateway.lines_name), (web, gateway.name)):
            answer = await consumer.begin(service.name, "m")
            call = await service.next_call()
            assert call.properties.reply_to.startswith(f"nuropb-{name}-") and call.properties.reply_to.endswith("-rq")
            assert call.body["context"]["user_id"] == "ann"
            service.answer(call, result=name)
            assert (await answer)["result"] == name
        # A message is one line, however its author wrote it.
        answer = await ours.begin(service.name, "m")
        call = await service.next_call()
        body = {"tag": "response", "result": {"a": [1, "x\ny"]}, "error": None, "correlation_id": call.properties.correlation_id, "trace_id": "t",
                "context": {}, "warning": None, "reply_to": call.properties.reply_to}
        service.answer_raw(call, json.dumps(body, indent=2).replace("\n", "\r\n").encode())
        assert (await answer)["result"] == {"a": [1, "x\ny"]}


async def test_one_connection_with_both_participants(lines, private_broker):
    gateway = lines(url=private_broker.url)
    async with await LineConsumer.open(gateway.edges[0]) as ours, await Consumer.open(gateway.edges[0].url) as web:
        for consumer in (ours, web):
            await consumer.done("subscribe", topic="t")
    def listed(*words):
        return [line.split("\t") for line in private_broker.ctl("-q", *words, "--no-table-headers").splitlines() if line.strip()]
    channels = []

    def as_expected():  # nobody else is connected to this broker, once those of other tests have left
        channels[:] = listed("list_channels", "number", "connection")
        return len({connection for _, connection in channels}) == 1 and sorted(int(number) for number, _ in channels) == list(range(1, 13))
    await eventually(as_expected, lambda: f"one connection, twelve channels: {channels}")
    queues = [name for (name,) in listed("list_queues", "name")]
    for name in (gateway.name, gateway.lines_name):
        assert sum(queue.startswith(f"nuropb-{name}-") and queue.endswith("-rq") for queue in queues) == 1, queues
        assert f"nuropb-{name}-sq" in queues


async def test_each_identity_elects_its_own_leader(lines, etcd, demo):
    gateway = lines(etcd={"urls": [etcd.url], "lease_s": 30})
    leaders = []

    def both_have_one():
        leaders[:] = [etcd.get(f"/nuropb/{name}/leader") for name in (gateway.name, gateway.lines_name)]
        return all(leaders)
    await eventually(both_have_one, lambda: f"each has a leader: {leaders}")
    assert leaders[0] != leaders[1]
    async with await LineConsumer.open(gateway.edges[0]) as consumer:
        assert await consumer.result(demo, "echo", {"value": 1}) == {"value": 1}


async def test_half_close_waits_for_answers(lines, broker_url):
    gateway = lines()
    async with ManualService(broker_url, unique("held")) as service:
        consumer = await LineConsumer.open(gateway.edges[0])
        answers = [await consumer.begin(service.name, "m") for _ in range(3)]
        calls = await service.next_calls(3)
        service.answer(calls[0], result=0)
        assert (await answers[0])["result"] == 0
        consumer.end()
        service.answer(calls[1], result=1)
        assert (await answers[1])["result"] == 1 and consumer.open_still
        service.answer(calls[2], result=2)
        assert (await answers[2])["result"] == 2
        assert await consumer.closed() == (None, None), "there is nothing to be said"
        await consumer.close()
    gone = await LineConsumer.open(gateway.edges[0])
    await gone.close()
    await eventually(lambda: gateway.edges[0].health()[1]["connections"] == 0, "who asks nothing and goes is gone")


def keepalive(port):
    """Whether the kernel watches the open connections of this port: /proc/net/tcp, `tr` 2 is the keepalive timer."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[5].split(":")[0] == "02" for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == "01"]


async def test_idle_lines(lines):  # provokes: 4004
    edge = lines(listen={"idle_timeout_s": 3}).edges[0]
    async with await LineConsumer.open(edge) as busy, await LineConsumer.open(edge) as idle:
        await eventually(lambda: keepalive(edge.lines_port) == [True, True], lambda: f"both are watched: {keepalive(edge.lines_port)}")

        async def closed():
            await busy.begin("nobody", "m")  # whose answer is not waited for: it may take longer than the time
            return not idle.open_still
        await eventually(closed, "who says nothing is closed")
        assert await idle.closed() == (4004, "no message for too long") and busy.open_still


async def test_tls_with_the_gateways_certificates(lines, folder):
    made = Certificates(folder / "certificates")
    client, key = made.issue("client", "cid", issuer="ca")
    gateway = lines(tls={"certificate_files": [str(made.certificate)], "key_files": [str(made.key)], "client_certificates": "optional", "client_ca_file": str(made.ca)},
                    lines={"tls": True}, auth={"authorizers": ["tokens", "client_certificate"]})
    edge = gateway.edges[0]
    tls = ssl.create_default_context(cafile=made.ca)
    async with await LineConsumer.open(edge, tls=tls) as consumer:
        await consumer.done("subscribe", topic="t")
    certified = ssl.create_default_context(cafile=made.ca)
    certified.load_cert_chain(client, key)
    async with await LineConsumer.open(edge, tls=certified, token=None) as consumer:
        assert consumer.hello["payload"]["event"]["user_id"] == "cid", "who shows a certificate needs no first line"
    _, closed = await raw(edge, b"wrong\n", tls)
    assert closed[0] == 4501
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError, asyncio.TimeoutError)):
        await LineConsumer.open(edge)  # without TLS


@pytest.mark.parametrize("answered", ["while meshd is away", "after it is back"])
async def test_meshd_is_killed_and_no_line_drops(lines, broker_url, demo, answered):
    gateway = lines(edges=2)
    async with ManualService(broker_url, unique("held")) as service:
        consumers = [await LineConsumer.open(edge) for edge in gateway.edges for _ in range(2)]
        for consumer in consumers:
            await consumer.done("subscribe", topic=f"{service.name}.t")
        held = [await consumer.begin(service.name, "hold", {"n": n}) for n, consumer in enumerate(consumers)]
        calls = await service.next_calls(len(consumers))
        for consumer in consumers:
            await consumer.result(demo, "echo", {"value": 1})  # the broker has confirmed what went before it
            await consumer.result(demo, "echo", {"value": 2})  # and meshd has noted that, which it does after the answer
        gateway.meshd.kill()
        await eventually(lambda: not any(edge.attached() for edge in gateway.edges), "the edges know that meshd is away")
        if answered == "while meshd is away":
            for call in calls:
                service.answer(call, result=call.params["n"])
        waiting = [await consumer.begin(demo, "echo", {"value": 2}) for consumer in consumers]
        gateway.start_meshd()
        gateway.until_ready()
        if answered == "after it is back":
            for call in calls:
                service.answer(call, result=call.params["n"])
        for n, future in enumerate(held):
            answer = await asyncio.wait_for(future, 45)
            assert (answer["result"], answer["error"]) == (n, None)
        for future in waiting:
            assert (await asyncio.wait_for(future, 45))["result"] == {"value": 2}
        # Its subscriptions and its place in the books are back as well.
        assert (await asked(broker_url, gateway.lines_name, "send_to_all", {"message": "back"}))["connections"] == len(consumers)
        for consumer in consumers:
            assert await consumer.other() == "back"

        async def heard():
            await consumers[0].done("event", topic=f"{service.name}.t", event=1)
            return all(not consumer.others.empty() for consumer in consumers)
        await eventually(heard, "events come again")
        for consumer in consumers:
            assert (await consumer.event())["topic"] == f"{service.name}.t"
            assert all(len(seen) == 1 for seen in consumer.answers.values())
            await consumer.close()


async def test_a_meshd_with_other_settings_costs_only_the_lines(lines, demo):  # provokes: 4002
    """A new meshd whose settings have no lines any more, with edges that still have them."""
    gateway = lines()
    web, line = await Consumer.open(gateway.edges[0].url), await LineConsumer.open(gateway.edges[0])
    gateway.settings["lines"]["enabled"] = False
    gateway.write_config()
    gateway.meshd.kill()
    gateway.start_meshd()
    assert (await line.closed())[0] == 4002
    gateway.until_ready()
    assert await web.result(demo, "echo", {"value": 1}) == {"value": 1}
    await web.close()
    await line.close()


async def test_the_broker_goes_and_comes(lines, private_broker):
    gateway = lines(url=private_broker.url)
    async with ManualService(private_broker.url, unique("held")) as service:
        consumer = await LineConsumer.open(gateway.edges[0])
        answer = await consumer.begin(service.name, "m", {"n": 1})
        service.answer(await service.next_call(), result=1)
        assert (await answer)["result"] == 1
    private_broker.kill()
    await eventually(lambda: gateway.edges[0].health()[1].get("broker") == "away", "the edge knows")
    held = await consumer.begin("nobody-" + service.name, "m", ttl=150_000)
    private_broker.start()
    gateway.until_ready()
    assert (await asyncio.wait_for(held, 60))["error"]["error"] == "NuropbNotDeliveredError"
    assert (await asked(private_broker.url, gateway.lines_name, "send_to_all", {"message": 1}))["connections"] == 1
    assert await consumer.other() == 1
    await consumer.close()


async def test_drain_ends_with_the_close_line(lines, broker_url):  # provokes: 1001
    gateway = lines(drain={"limit_ms": 120_000})
    async with ManualService(broker_url, unique("held")) as service:
        busy, idle = await LineConsumer.open(gateway.edges[0]), await LineConsumer.open(gateway.edges[0])
        answer = await busy.begin(service.name, "m")
        call = await service.next_call()
        gateway.edges[0].process.signal(signal.SIGTERM)
        assert await idle.closed() == (1001, "the gateway is stopping")
        service.answer(call, result=1)
        assert (await answer)["result"] == 1, "what is pending is answered first"
        assert await busy.closed() == (1001, "the gateway is stopping")
        await busy.close()
        await idle.close()


async def test_who_does_not_read_is_closed(lines, broker_url):  # provokes: 4001
    bound = 256 * 1024
    gateway = lines(limits={"send_queue_bytes": bound})
    edge = gateway.edges[0]
    slow = await LineSocket.connect(edge.lines_port, receive_buffer=4096, limit=128 * 1024)
    slow.writer.write(b"secret-bob\n")
    async with await LineConsumer.open(edge) as other:
        await eventually(lambda: ctl(gateway, "sessions", "--handler", "lines", "--count")["count"]["sessions"] == 2, "both are there")
        message = json.dumps("x" * 60_000)
        for _ in range(200):
            if ctl(gateway, "send", "--handler", "lines", "--user", "bob", "-", stdin=message, code=None)["connections"] == 0:
                break
        else:
            raise AssertionError("it was sent to without end")
        came = [line async for line in slow]
        assert slow.close_code == 4001 and all(line == (message + "\n").encode() for line in came[1:]), len(came)
        await slow.close()
        await eventually(lambda: edge.health()[1]["connections"] == 1, "the slow one is gone")
        assert other.open_still
