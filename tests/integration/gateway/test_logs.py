"""Logs never contain a token or a password, whatever the level, the format and the place in the handshake."""

import asyncio
import json

import pytest

from support.broker import with_parts
from support.consumer import Consumer, RawSocket
from support.services import demo_service

USER, PASSWORD = "gateway-user", "s3cret-broker-pass"
SECRETS = {
    "secret-of-a-header": {"user_id": "ann", "username": "Ann"},
    "secret-of-a-cookie": {"user_id": "bob", "username": "Bob"},
}


@pytest.fixture
def named_user(private_broker):
    """A broker account with a password that is not also its name."""
    private_broker.ctl("add_user", USER, PASSWORD)
    private_broker.ctl("set_permissions", USER, ".*", ".*", ".*")
    yield with_parts(private_broker.url, user=USER, password=PASSWORD)
    private_broker.ctl("delete_user", USER)


@pytest.mark.parametrize("form", ["text", "json"])
async def test_no_secret_in_any_log(named_user, gateways, folder, form):
    gateway = gateways(named_user, tokens=SECRETS, settings={"log": {"level": "debug", "format": form}})
    gateway.secrets |= {PASSWORD, "secret-that-is-wrong", "secret-in-a-query", "secret-in-params"}
    with demo_service(named_user, folder) as demo:
        async with await Consumer.open(gateway.url, "secret-of-a-header") as consumer:
            await consumer.result(demo.service, "echo", {"value": "secret-in-params"})
            await consumer.request(demo.service, "fail", {"value": "secret-in-params"})
            await consumer.send('{"type":"request","payload":"secret-in-params"')
            assert "error" in await consumer.other()
        async with await Consumer.open(gateway.url, None, {"Cookie": "Authorization=secret-of-a-cookie"}):
            pass
        refused = await Consumer.open(gateway.url, "secret-that-is-wrong", hello=False)
        assert (await refused.closed())[0] == 4501
        for upgrade in (RawSocket.upgrade(path="/websocket?token=secret-in-a-query"), RawSocket.upgrade(path="/secret-in-a-query"),
                        RawSocket.upgrade(Authorization="Bearer secret-of-a-header", without=("Sec-WebSocket-Key",)),
                        RawSocket.upgrade(Authorization="Bearer secret-of-a-header", Origin="https://stranger.test")):
            raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port)
            await raw.send(upgrade)
            assert await raw.response() >= 400
            await raw.close()
        assert PASSWORD not in demo.log()
    # meshd's and the edges' ends and failures are part of it: a broker that refuses, and a death.
    await asyncio.to_thread(gateway.meshd.stop)
    gateway.start_meshd()
    await asyncio.to_thread(gateway.until_ready)
    assert gateway.leaked_secrets() == []
    await asyncio.to_thread(gateway.stop)  # so that no line is half written
    lines = [line for text in gateway.logs().values() for line in text.splitlines()]
    assert lines, "there are logs to search"
    if form == "json":
        for line in lines:
            assert set(json.loads(line)) >= {"time", "level", "process", "message"}, line
