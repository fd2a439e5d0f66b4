"""The JavaScript client in Node on the package `ws`, whose `error` event ends the process if there is no listener."""

from support.cut import Cut
from support.waiting import eventually

from .test_javascript import CLOSE, CONNECT, seen

ON_WS = """
  globalThis.ws = await import("file:///usr/share/nodejs/ws/wrapper.mjs");
  globalThis.more = {WebSocket: ws.WebSocket, connectTimeout: 300};
"""  # Debian's node-ws


async def alive(node):
    """Waits until ws has done its deferred work."""
    return await node.run("await new Promise((done) => setImmediate(done)); return client.state")


async def test_closed_before_it_was_open(node, opened):
    gateway = opened()
    async with node, Cut("127.0.0.1", gateway.edges[0].port) as way:
        way.hang()
        await node.run(ON_WS + CONNECT, url=f"ws://127.0.0.1:{way.port}/websocket")

        async def it_has_a_socket():
            return await node.run("return !!client._socket")
        await eventually(it_has_a_socket, "it connects")
        await node.run(CLOSE)
        assert await alive(node) == "closed"
        assert await node.run("return client.open().close()") is None, "closed before there was a socket"
        assert await alive(node) == "closed"


async def test_a_port_where_nobody_listens(node):
    async with node:
        await node.run(ON_WS + CONNECT, url="ws://127.0.0.1:1/websocket")
        assert [down["reason"] for down in (await seen(node, "down", 2))[:2]] == ["no connection"] * 2
        await node.run(CLOSE)
        assert await alive(node) == "closed"


async def test_an_error_of_a_socket_that_is_open(node, opened, demo):
    """ws says `error` for a message that is too large for it, then closes."""
    gateway = opened()
    async with node:
        await node.run(ON_WS + "more.WebSocket = class extends ws.WebSocket { constructor(url, protocols) { super(url, protocols, {maxPayload: 5000}); } };" + CONNECT, url=gateway.url)
        await seen(node, "open")
        await node.run("globalThis.large = client.request(service, 'echo', {text: 'x'.repeat(6000)}, {ttl: 2000}).catch((error) => error.name)", service=demo)
        await seen(node, "down")
        await node.run(CLOSE)
        assert await node.run("return large") == "NuropbTransportError"
        assert await alive(node) == "closed"
