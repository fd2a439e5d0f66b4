"""What an application gives to the JavaScript client may throw, never settle, settle twice, or be nothing: each of these ends
as a known state of the client, and none ends the process. These are ways that JavaScript has; what every client does is in tests/clients."""

import pytest

from support.javascript import JsError

from .test_javascript import CLOSE, CONNECT, seen

CONNECT_QUICKLY = CONNECT.replace("minDelay: 20, maxDelay: 200", "minDelay: 1, maxDelay: 5, connectTimeout: 300")

# name → (what the provider does twice before it returns a good token, the reason that `down` tells)
PROVIDERS = {
    "is a thenable that never calls back": ("return {then() {}}", "no token in time"),
    "throws nothing": ("throw undefined", "no token: undefined"),
    "rejects with nothing": ("return Promise.reject()", "no token: undefined"),
    "rejects with null": ("return Promise.reject(null)", "no token: null"),
    "rejects with what has no text": ("return Promise.reject(Object.create(null))", "no token: object"),
    "rejects with a symbol": ("return Promise.reject(Symbol('s'))", "no token: Symbol(s)"),
    "is a thenable that throws": ("return {then() { throw 5; }}", "no token: 5"),
    "gives an object": ("return {token: 'secret-ann'}", "no token: it is not a string"),
    "gives bytes later": ("return Promise.resolve(new Uint8Array(3))", "no token: it is not a string"),
}


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_provider_is_asked_again(node, opened, name):
    does, reason = PROVIDERS[name]
    gateway = opened()
    async with node:
        await node.run("globalThis.asked = 0; globalThis.more = {token: () => { if (++asked > 2) return 'secret-ann'; " + does + "; }};" + CONNECT_QUICKLY, url=gateway.url)
        assert (await seen(node, "open"))[0]["user_id"] == "ann"
        assert [down["reason"] for down in await seen(node, "down", 2)] == [reason] * 2
        assert await node.run("return asked") == 3
        await node.run(CLOSE)


async def test_a_promise_that_settles_late_or_twice_counts_once(node, opened):
    """One of an attempt that is over opens no second socket; the first word of a thenable is the one that counts."""
    gateway = opened()
    async with node:
        await node.run("""
          globalThis.sockets = 0;
          globalThis.late = [];
          globalThis.more = {
            WebSocket: class extends WebSocket { constructor(...all) { super(...all); sockets++; } },
            token: () => (late.length < 2 ? new Promise((...both) => late.push(both)) : {then(done, fail) { done("secret-ann"); done("wrong"); fail(new Error("twice")); }}),
          };
        """ + CONNECT_QUICKLY, url=gateway.url)
        await seen(node, "open")
        assert await node.run("late[0][0]('secret-ann'); late[1][1](); await new Promise((done) => setTimeout(done, 20)); return [sockets, client.state]") == [1, "open"]
        assert [name for name, _ in await node.run("return seen")] == ["down", "down", "open"]
        await node.run(CLOSE)


async def test_a_token_of_another_kind_is_the_end(node, opened):
    gateway = opened()
    async with node:
        await node.run("globalThis.more = {token: 5};" + CONNECT, url=gateway.url)
        assert await seen(node, "close") == ["no token: it is not a string"]
        assert await node.run("return client.state") == "closed"


async def test_a_websocket_of_its_own_may_throw(node, opened):
    gateway = opened()
    async with node:
        # At its beginning that is the end, and calls that wait fail with a text.
        assert await node.run("""
          const client = connect(url, {WebSocket: class { constructor() { throw undefined; } }});
          const waiting = client.request("a", "b").catch((error) => error.message);
          const why = await new Promise((done) => client.on("close", done));
          return [why instanceof Error, why.message, await waiting, await client.request("a", "b").catch((error) => error.message)];
        """, url=gateway.url) == [True, "undefined", "not sent: undefined", "not sent: undefined"]
        # At its end it is not needed any more.
        await node.run("""
          globalThis.more = {WebSocket: class extends WebSocket { close(...all) { super.close(...all); throw new Error("a mistake"); } }};
        """ + CONNECT, url=gateway.url)
        await seen(node, "open")
        await node.run(CLOSE)
        assert await seen(node, "close") == ["closed by its user"]


async def test_listeners_and_values_that_fail(node, opened, demo):
    gateway = opened()
    async with node:
        await node.run(CONNECT + """
          client.on("open", async () => { throw new Error("a mistake of the app, later"); });
          client.on("open", () => Promise.reject());
          const odd = {toJSON() { throw undefined; }};
          globalThis.odd = client.request(service, "echo", odd).catch((error) => [error.name, error.message]);
          globalThis.good = client.request(service, "echo", {n: 1});
        """, url=gateway.url, service=demo)
        assert await node.run("return Promise.all([odd, good])") == [["TypeError", "undefined"], {"n": 1}], "both waited for the connection"
        # A subscription to what is no topic is refused; events meanwhile come as always.
        assert await node.run("""
          const wrong = client.subscribe(5, () => {}).catch((error) => error.name);
          const heard = new Promise((done) => { client.subscribe("a.b", done).then(() => client.publish("a.b", 1)); });
          return [await wrong, await heard, client._calls.size, seen.filter(([name]) => name === "down").length];
        """) == ["NuropbValidationError", 1, 0, 0]
        with pytest.raises(JsError, match="enough"):
            await node.run("const signal = AbortSignal.abort(new Error('enough')); return client.request('a', 'b', {}, {signal})")
        await node.run(CLOSE)
