"""connectors/python, against a real gateway: what it returns, what it raises, and what it must not do twice."""

import asyncio
import os
import resource
import socket
import sys

import pytest

from support.gateway import Gateway
from support.paths import ROOT
from support.ports import free_port
from support.snorky import KEY, SnorkyClient, options
from support.waiting import eventually

sys.path.insert(0, str(ROOT / "connectors" / "python"))
import nuropb_gateway_backend  # noqa: E402
from nuropb_gateway_backend import GatewayError, SnorkyBackend, SnorkyError  # noqa: E402


@pytest.fixture(scope="module")
def backed(broker_url):
    with Gateway(broker_url, **options(edges=4)) as running:
        yield running


def on_thread(call, *arguments, **params):
    return asyncio.get_running_loop().run_in_executor(None, lambda: call(*arguments, **params))


async def test_publish_and_errors(backed):
    async with await SnorkyClient.open(backed.edges[3].snorky_url) as one:
        await one.call("news", "subscribe", channel="c")
        with SnorkyBackend(backed.edges[0].backend_url, KEY) as backend:
            assert await on_thread(backend.call, "news_backend", "publish", channel="c", message={"a": "é"}) is None
            assert (await one.notification("news"))["message"] == {"a": "é"}
            with pytest.raises(SnorkyError, match="^Invalid params$"):
                await on_thread(backend.call, "news_backend", "publish", channel="c")
            with pytest.raises(RuntimeError, match="404 Not Found: Unknown service nowhere") as raised:
                await on_thread(backend.call, "nowhere", "publish")
            assert raised.value.status == 404 and not raised.value.unknown
            await on_thread(backend.call, "news_backend", "publish", channel="c", message="on the same connection")
            assert (await one.notification("news"))["message"] == "on the same connection"


def test_keys_and_addresses(backed):
    with pytest.raises(GatewayError, match="401 Unauthorized: Invalid API key"):
        SnorkyBackend(backed.edges[0].backend_url, "wrong").call("news_backend", "publish", channel=1, message=1)
    with pytest.raises(GatewayError, match="failed") as raised:
        SnorkyBackend(f"http://127.0.0.1:{free_port()}/backend", KEY).call("news_backend", "publish", channel=1, message=1)
    assert raised.value.status is None and not raised.value.unknown, "nothing was sent"
    with pytest.raises(ValueError):
        SnorkyBackend("127.0.0.1:5801", KEY)


@pytest.fixture
def many_descriptors():
    """Opens so many descriptors that the next number is above 1,023, the last that select() supports."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    opened = [os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC) for _ in range(1100)]
    assert max(opened) > 1024
    yield
    for descriptor in opened:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_backend_with_many_descriptors(backed, many_descriptors):
    """The first call opens the connection; later calls check whether it is still open."""
    with SnorkyBackend(backed.edges[0].backend_url, KEY) as backend:
        for number in range(3):
            assert backend.call("news_backend", "publish", channel="c", message=number) is None
        assert backend._connection.sock.fileno() > 1024
        before = backend._connection.sock
        with pytest.raises(SnorkyError, match="^Invalid params$"):
            backend.call("news_backend", "publish", channel="c")
        assert backend._connection.sock is before


def test_a_connection_with_a_high_number_that_the_other_end_has_closed(many_descriptors):
    near, far = socket.socketpair()
    with near, far:
        assert near.fileno() > 1024 and not nuropb_gateway_backend._has_news(near)
        far.close()
        assert nuropb_gateway_backend._has_news(near)


async def test_a_connection_that_the_gateway_has_let_go_is_opened_again(gateways):
    backend = SnorkyBackend(gateways(**options(backend={"timeout_ms": 2000})).edges[0].backend_url, KEY)
    await on_thread(backend.call, "news_backend", "publish", channel="c", message=1)
    connection = backend._connection.sock
    connection.settimeout(45)
    assert await on_thread(connection.recv, 1, 2) == b"", "it ends after backend.timeout_ms"  # MSG_PEEK
    await on_thread(backend.call, "news_backend", "publish", channel="c", message=2)
    backend.close()


async def test_the_gateways_own_service(backed):
    sockets = [await SnorkyClient.open(edge.snorky_url, token) for edge, token in zip(backed.edges, ("secret-ann", "secret-ann", "secret-bob", "secret-bob"))]
    with SnorkyBackend(backed.edges[2].backend_url, KEY) as backend:
        async def are(count):
            async def counted():
                return (await on_thread(backend.call, "gateway", "sessions", limit=0))["count"]["sessions"] == count
            await eventually(counted, f"{count} sessions are known")
        await are(4)
        assert (await on_thread(backend.call, "gateway", "send_to_all", message="all"))["connections"] == 4
        assert (await on_thread(backend.call, "gateway", "send_to_users", user_ids=["ann", "ann", "nobody"], message="ann"))["connections"] == 2
        page = (await on_thread(backend.call, "gateway", "sessions", user_id="bob"))["sessions"]
        assert {entry["user_id"] for entry in page} == {"bob"} and len(page) == 2
        assert (await on_thread(backend.call, "gateway", "send_to_session", session_id=page[0]["session_id"], message="one"))["connections"] == 1
        assert (await on_thread(backend.call, "gateway", "close_users", user_ids=["bob"], code=4700, reason="go"))["connections"] == 2
        for one, expected in zip(sockets, (["all", "ann"], ["all", "ann"], None, None)):
            if expected:
                assert [await one.notification("gateway") for _ in expected] == expected
                assert one.quiet()
            else:
                assert await one.closed() == 4700
        await are(2)
        assert (await on_thread(backend.call, "gateway", "close_all", reason="bye"))["connections"] == 2
        assert [await one.closed() for one in sockets] == [1000, 1000, 4700, 4700]
        with pytest.raises(SnorkyError, match="'user_ids' is not a list"):
            await on_thread(backend.call, "gateway", "send_to_users", user_ids="ann", message=1)
