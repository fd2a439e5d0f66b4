"""POST /backend: keys, status codes, publishing, and hostile clients."""

import asyncio
import json
import signal

import pytest

from support import metrics
from support.consumer import RawSocket
from support.gateway import Gateway
from support.snorky import KEY, OTHER_KEY, SnorkyClient, envelope, options, post
from support.waiting import eventually, wait_until

PUBLISH = envelope("news_backend", "publish", 7, channel="x", message={"a": 1})


@pytest.fixture(scope="module")
def backed(broker_url):
    with Gateway(broker_url, **options(edges=4)) as running:
        yield running


async def on_thread(*arguments, **more):
    return await asyncio.get_running_loop().run_in_executor(None, lambda: post(*arguments, **more))


async def test_publishing_reaches_subscribers_on_every_edge(backed):
    sockets = [await SnorkyClient.open(edge.snorky_url) for edge in backed.edges]
    for one in sockets:
        await one.call("news", "subscribe", channel="x")
    for key in (KEY, OTHER_KEY):
        status, body, headers = await on_thread(backed.edges[2], PUBLISH, key)
        assert (status, body) == (200, {"service": "news_backend", "message": {"type": "response", "callId": 7, "data": None}})
        assert headers["Content-Type"] == "application/json"
        for one in sockets:
            assert await one.notification("news") == {"type": "message", "channel": "x", "message": {"a": 1}}
    for one in sockets:
        await one.close()


def test_keys(backed):
    edge = backed.edges[0]
    assert post(edge, PUBLISH, None)[:2] == (401, {"error": "NuropbAuthenticationError", "description": "Missing X-Backend-Key header"})
    for wrong in ("wrong", KEY[:-1], KEY + "x", KEY.upper(), "k" * 1024, "k" * 5000, "secret-ann"):
        assert post(edge, PUBLISH, wrong)[:2] == (401, {"error": "NuropbAuthenticationError", "description": "Invalid API key"}), wrong
    assert post(edge, b"nonsense", "wrong")[0] == 401, "what else is wrong, only a backend is told"
    assert post(edge, PUBLISH)[0] == 200


@pytest.mark.parametrize("body, status, description", [
    (b"nonsense", 400, "Invalid JSON"),
    (b"", 400, "Invalid JSON"),
    (b"\xff\xfe{}", 400, "Invalid JSON"),
    (b"[" * 100_000, 400, "Invalid JSON"),
    (b"[]", 400, "Invalid message: not an object"),
    (b"{}", 400, "Invalid message: no 'service'"),
    (b'{"service":"news_backend"}', 400, "Invalid message: no 'message'"),
    (b'{"service":"news_backend","message":{"command":"publish"}}', 400, "Invalid message: no 'params'"),
    (json.dumps(envelope("nowhere", "publish")), 404, "Unknown service nowhere"),
    (json.dumps(envelope("news", "publish", channel=1, message=1)), 404, "Unknown service news"),
])
def test_a_body_that_is_no_call(backed, body, status, description):
    found, answer, _ = post(backed.edges[0], body)
    assert found == status and answer["description"].startswith(description) and set(answer) == {"error", "description"}


@pytest.mark.parametrize("call, error", [
    (envelope("news_backend", "nonsense", "c"), "Unknown command"),
    (envelope("news_backend", "publish", "c", channel=1), "Invalid params"),
    (envelope("news_backend", "publish", "c", channel=1, message=1, more=1), "Invalid params"),
    (envelope("news_backend", "publish", "c", channel="x" * 2000, message=1), "The channel is longer than 1024 bytes"),
])
def test_a_failure_of_the_service_is_still_200(backed, call, error):
    assert post(backed.edges[0], call)[:2] == (200, {"service": "news_backend", "message": {"type": "error", "callId": "c", "message": error}})


def test_what_is_no_request(backed):
    edge = backed.edges[0]
    assert post(edge, PUBLISH, path="/nowhere")[0] == 404
    assert post(edge, PUBLISH, path="/backend/x")[0] == 404
    assert post(edge, PUBLISH, path="/backend?x=1")[0] == 200
    status, _, headers = post(edge, b"", method="GET")
    assert (status, headers["Allow"]) == (405, "POST")
    status, body, _ = post(edge, b"x" * (2 * 1024 * 1024 + 1))
    assert status == 413 and "limits.message_bytes" in body["description"]
    assert post(edge, PUBLISH, headers={"X-Filler": "x" * 20_000})[0] == 431
    assert post(edge, json.dumps(PUBLISH).encode(), headers={"Expect": "100-continue"})[0] == 200


async def talk(edge, data, timeout=20):
    """Sends these bytes and returns everything that is received until the connection ends."""
    async with await RawSocket.connect("127.0.0.1", edge.backend_port) as raw:
        await raw.send(data)
        return await asyncio.wait_for(raw.reader.read(), timeout)


async def test_not_http(backed):
    assert (await talk(backed.edges[0], b"\x16\x03\x01\x02\x00\x01\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
    assert (await talk(backed.edges[0], b"POST /backend HTTP/9.9\r\n\r\n")).startswith(b"HTTP/1.1 505 ")
    assert (await talk(backed.edges[0], b"POST /backend HTTP/1.1\r\nX-Backend-Key: k\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_many_requests_on_one_connection(backed):
    body = json.dumps(PUBLISH).encode()
    request = b"POST /backend HTTP/1.1\r\nHost: x\r\nX-Backend-Key: " + KEY.encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with await RawSocket.connect("127.0.0.1", backed.edges[0].backend_port) as raw:
        await raw.send(request * 20)  # pipelined
        for _ in range(20):
            assert await raw.response() == 200
            assert json.loads(raw.body)["message"]["callId"] == 7
        await raw.send(request.replace(b"POST /backend", b"POST /nowhere"))
        assert await raw.response() == 404
        assert raw.headers["connection"] == "close"


async def test_the_slow_are_let_go(gateways):
    gateway = gateways(**options(backend={"timeout_ms": 300}))
    edge = gateway.edges[0]
    head = b"POST /backend HTTP/1.1\r\nHost: x\r\nX-Backend-Key: " + KEY.encode() + b"\r\nContent-Length: 100\r\n"
    assert (await talk(edge, head)).startswith(b"HTTP/1.1 408 ")
    assert (await talk(edge, head + b"\r\n{")).startswith(b"HTTP/1.1 408 ")
    assert await talk(edge, b"") == b"", "who says nothing gets no answer"

    async def byte_by_byte():
        async with await RawSocket.connect("127.0.0.1", edge.backend_port) as raw:
            answer = asyncio.create_task(raw.reader.read())
            for byte in head * 100:
                if answer.done():
                    return answer.result()
                raw.writer.write(bytes([byte]))
                await asyncio.sleep(0.02)
            raise AssertionError("never closed")
    assert (await byte_by_byte()).startswith(b"HTTP/1.1 408 ")
    assert post(edge, PUBLISH)[0] == 200


async def test_connections_are_bounded(gateways):
    gateway = gateways(**options(backend={"connections": 2}))
    edge = gateway.edges[0]
    half = f"POST /backend HTTP/1.1\r\nHost: x\r\nX-Backend-Key: {KEY}\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n".encode()
    busy = []
    for _ in range(2):
        busy.append(await RawSocket.connect("127.0.0.1", edge.backend_port))
        await busy[-1].send(half)
        # Its key is good, and its body is waited for. Before that, the next connection may replace it.
        assert (await asyncio.wait_for(busy[-1].reader.readuntil(b"\r\n\r\n"), 30)).startswith(b"HTTP/1.1 100 ")

    async def refused():
        try:
            status, body, headers = await on_thread(edge, PUBLISH)
        except OSError:
            return False
        return status == 503 and headers["Retry-After"] == "1" and "backend.connections" in body["description"]
    await eventually(refused, "a third one is refused")
    flood = [await RawSocket.connect("127.0.0.1", edge.backend_port) for _ in range(60)]
    for raw in flood + busy:
        await raw.close()

    async def taken():
        try:
            return (await on_thread(edge, PUBLISH))[0] == 200
        except OSError:
            return False
    await eventually(taken, "there is room again")
    idle = [await RawSocket.connect("127.0.0.1", edge.backend_port) for _ in range(2)]
    await idle[0].send(half[:30])
    await eventually(taken, "who only idles, or dawdles over a head, has to go for one who works")
    for raw in idle:
        await raw.close()


def reload(gateway, line):
    before = len(gateway.meshd.log())
    gateway.meshd.signal(signal.SIGHUP)
    wait_until(lambda: line in gateway.meshd.log()[before:], line)


def test_keys_are_replaced_without_a_restart(gateways):
    gateway = gateways(**options())
    edge, file = gateway.edges[0], gateway.folder / "keys.toml"
    assert post(edge, PUBLISH)[0] == 200
    file.write_text(f'[keys]\nnew = "backend-key-the-third"\nshop = "{OTHER_KEY}"\n')
    gateway.secrets.add("backend-key-the-third")
    reload(gateway, "backend keys reloaded")
    assert [post(edge, PUBLISH, key)[0] for key in (KEY, OTHER_KEY, "backend-key-the-third")] == [401, 200, 200]
    file.write_text('[keys]\nshort = "short"\n')
    reload(gateway, "backend keys not reloaded")
    assert post(edge, PUBLISH, OTHER_KEY)[0] == 200


def test_without_meshd_a_backend_is_told_to_come_again(gateways):
    gateway = gateways(**options())
    edge = gateway.edges[0]
    gateway.meshd.kill()
    wait_until(lambda: edge.health("readyz")[0] == 503, "the edge has lost meshd")
    status, body, headers = post(edge, PUBLISH)
    assert status == 503 and headers["Retry-After"] and "nothing was done" in body["description"]
    gateway.start_meshd()
    gateway.until_ready()
    assert post(edge, PUBLISH)[0] == 200


async def test_a_call_that_meshd_did_not_answer(gateways):
    gateway = gateways(**options(backend={"timeout_ms": 500}))
    edge = gateway.edges[0]
    gateway.meshd.signal(signal.SIGSTOP)
    status, body, _ = await on_thread(edge, PUBLISH)
    assert status == 504 and body["outcome"] == "unknown"
    gateway.meshd.kill()  # which ends what waits with 502 (edge_backend_test)
    gateway.start_meshd()
    gateway.until_ready()

    async def answered():
        return (await on_thread(edge, PUBLISH))[0] == 200  # within the half second of this gateway
    await eventually(answered, "the next meshd answers")


@pytest.mark.parametrize("keys, wrong", [
    ('[keys]\nbilling = "short-key"\n', "shorter than 16 bytes"),
    ("[keys]\n", "no [keys] table"),
    ('[keys]\na = 7\n', "not a string"),
    ('[key]\na = "0123456789abcdef"\n', "unknown key 'key'"),
])
def test_a_bad_key_file_keeps_meshd_from_starting(broker_url, keys, wrong):
    gateway = Gateway(broker_url, **{**options(), "files": {**options()["files"], "keys.toml": keys}})
    gateway.write_config()
    process = gateway.run("meshd", "nuropb-meshd")
    process.wait_for_log("can't start", may_end=True)
    assert process.popen.wait(30) == 78
    assert wrong in process.log() and "short-key" not in process.log()


REPORTS, TEAM = "key-of-the-reports-backend", "key-of-the-backend-of-a-team"
SCOPED = f"""[keys]
billing = "{KEY}"

[keys.reports]
key = "{REPORTS}"
may = ["publish"]
channels = ["reports.*"]

[keys.team]
key = "{TEAM}"
may = ["send", "list"]
users = ["ann"]
"""


async def test_a_key_may_do_what_its_table_says_and_no_more(broker_url):
    wanted = options()
    wanted["files"]["keys.toml"] = SCOPED
    with Gateway(broker_url, **{**wanted, "secrets": {KEY, REPORTS, TEAM}}) as gateway:
        edge = gateway.edges[0]
        listener = await SnorkyClient.open(edge.snorky_url)
        for channel in ("reports.eu", "orders"):
            await listener.call("news", "subscribe", channel=channel)
        forbidden = [
            (REPORTS, envelope("news_backend", "publish", 1, channel="orders", message=1)), (REPORTS, envelope("gateway", "send_to_all", 1, message=1)),
            (REPORTS, envelope("gateway", "close_all", 1)), (REPORTS, envelope("gateway", "sessions", 1)),
            (TEAM, envelope("news_backend", "publish", 1, channel="reports.eu", message=1)), (TEAM, envelope("gateway", "send_to_all", 1, message=1)),
            (TEAM, envelope("gateway", "send_to_users", 1, user_ids=["ann", "bob"], message=1)), (TEAM, envelope("gateway", "close_users", 1, user_ids=["ann"])),
            (TEAM, envelope("gateway", "send_to_session", 1, session_id="0" * 32, message=1)), (TEAM, envelope("gateway", "sessions", 1)), (TEAM, envelope("gateway", "no_such", 1)),
        ]
        for key, call in forbidden:
            status, body, _ = await on_thread(edge, call, key)
            assert status == 403 and body["error"] == "NuropbAuthorizationError" and body["description"].startswith("this key may "), (call, status, body)
        assert metrics.value(gateway, 'backend_refused_total{reason="scope"}') == len(forbidden)
        gateway.meshd.wait_for_log("a backend's call was refused key=reports reason=.*this key may not publish to this channel")
        assert (await on_thread(edge, envelope("news_backend", "publish", 1, channel="reports.eu", message="genuine"), REPORTS))[0] == 200
        assert await listener.notification("news") == {"type": "message", "channel": "reports.eu", "message": "genuine"}, "and nothing before it"
        sent = await on_thread(edge, envelope("gateway", "send_to_users", 1, user_ids=["ann"], message="hello"), TEAM)
        assert sent[0] == 200 and sent[1]["message"]["data"]["connections"] == 1
        assert (await on_thread(edge, envelope("gateway", "sessions", 1, user_id="ann"), TEAM))[1]["message"]["data"]["sessions"][0]["user_id"] == "ann"
        assert (await on_thread(edge, envelope("gateway", "send_to_all", 1, message=1), KEY))[0] == 200, "a key that is a text may do everything"
        # A key's table is read again with the file, and one with a mistake changes nothing.
        (gateway.folder / "keys.toml").write_text(SCOPED.replace('may = ["publish"]', 'may = ["fly"]'))
        gateway.meshd.signal(signal.SIGHUP)
        await eventually(lambda: "'fly' is not an operation" in gateway.meshd.log(), gateway.meshd.tail)
        assert (await on_thread(edge, forbidden[0][1], REPORTS))[0] == 403
        (gateway.folder / "keys.toml").write_text(SCOPED.replace("reports.*", "*"))
        gateway.meshd.signal(signal.SIGHUP)
        await eventually(lambda: "backend keys reloaded" in gateway.meshd.log(), gateway.meshd.tail)
        assert (await on_thread(edge, forbidden[0][1], REPORTS))[0] == 200
        await listener.close()
