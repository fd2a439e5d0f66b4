"""The JavaScript client against a real gateway: what an app relies on, in Node and in Chromium."""

import json

import pytest

from support.authorities import Issuer
from support.ctl import ctl
from support.cut import Cut
from support.javascript import JsError
from support.manual_service import ManualService
from support.metrics import value as metric
from support.services import unique
from support.waiting import eventually

CONNECT = """
  globalThis.seen = [];
  globalThis.client = connect(url, {token: "secret-ann", minDelay: 20, maxDelay: 200, ...(globalThis.more ?? {})});
  for (const name of ["open", "down", "lost", "close", "message", "error", "expiring"]) {
    client.on(name, (what) => seen.push([name, what instanceof Error ? what.message : what]));
  }
"""
CLOSE = "client.close()"


@pytest.fixture
def issuer():
    with Issuer() as running:
        yield running


async def seen(js, name, count=1):
    """What the client has told so far, once it has told `name` so often."""
    found = []

    async def look():
        found[:] = [what for told, what in await js.run("return seen") if told == name]
        return len(found) >= count
    await eventually(look, lambda: f"{count} {name}: {found}")
    return found


async def parked(gateway, count):
    await eventually(lambda: metric(gateway, "sessions_parked") == count, f"{count} sessions wait")


async def test_all_that_it_can_say(js, opened, demo):
    gateway = opened(js)
    async with js:
        assert await js.run(CONNECT + "return [await client.request(service, 'add', {a: 1, b: 2}), client.session.user_id, client.state]", url=gateway.url, service=demo) == [3, "ann", "open"]
        text = {"text": "ünïcödé 🙂 \u2028"}
        assert await js.run("return client.request(service, 'echo', text)", service=demo, text=text) == text
        assert await js.run("return client.command(service, 'echo', text)", service=demo, text=text) is None
        assert (await js.run("return client.describe(service)", service=demo))["service_name"] == demo
        topic = unique("news")
        events = await js.run("""
          const got = [], all = [];
          const off = await client.subscribe(topic + ".*", (event, whole) => got.push([event, whole.topic]));
          const other = await client.subscribe(topic + ".#", (event) => all.push(event));
          await client.publish(topic + ".sport", {goal: 1});
          await client.publish(topic + ".sport", {goal: "for ann"}, {target: ["ann"]});
          await client.publish(topic + ".sport", {goal: "for bob"}, {target: ["bob"]});
          await new Promise((done) => { const wait = client.on("event", ({event}) => { if (event === "fence") { wait(); done(); } }); client.publish(topic + ".fence", "fence"); });
          await off();
          await new Promise((done) => { const wait = client.on("event", ({event}) => { if (event === "last") { wait(); done(); } }); client.publish(topic + ".last", "last"); });
          return [got, all];
        """, topic=topic)
        assert events == [[[{"goal": 1}, f"{topic}.sport"], [{"goal": "for ann"}, f"{topic}.sport"], ["fence", f"{topic}.fence"]],
                          [{"goal": 1}, {"goal": "for ann"}, "fence", "last"]]
        for message in ({"news": 1}, "to everybody", [1], {"seq": 7, "type": "x"}, None, {"seq": 1}):
            ctl(gateway, "send", "--user", "ann", json.dumps(message))
        assert await seen(js, "message", 6) == [{"news": 1}, "to everybody", [1], {"seq": 7, "type": "x"}, None, {"seq": 1}]
        assert (await js.run("return seen.filter(([name]) => name !== 'message').map(([name]) => name)")) == ["open"]
        await js.run(CLOSE)
        await parked(gateway, 0)
        with pytest.raises(JsError, match="closed by its user"):
            await js.run("return client.request('any', 'thing')")


async def test_errors_say_what_may_be_done(node, opened, demo, broker_url):
    gateway = opened(settings={"request": {"ttl_ms": 60000}})
    async with node, ManualService(broker_url, unique("silent")) as service:
        await node.run(CONNECT, url=gateway.url)

        async def failure(source, **values):
            with pytest.raises(JsError) as failed:
                await node.run(f"return {source}", **values)
            assert await node.run("return (await client.request(service, 'echo', {n: 1})).n", service=demo) == 1, "the next one is not concerned"
            return failed.value

        error = await failure("client.request('nobody-of-that-name', 'm')")
        assert (error.name, error.retryable, error.unknownOutcome) == ("NuropbNotDeliveredError", True, False)
        error = await failure("client.request(service, 'fail')", service=demo)
        assert (error.retryable, error.unknownOutcome) == (False, False)
        error = await failure("client.request(5, 'm')")
        assert (error.name, error.message, error.retryable) == ("NuropbValidationError", "'service' is not a string", False)
        error = await failure("client.request(service, 'never', {}, {ttl: 400})", service=service.name)
        assert (error.name, error.retryable, error.unknownOutcome) == ("NuropbTimeoutError", False, True)
        error = await failure("client.request(service, 'aborted', {}, {signal: AbortSignal.abort()})", service=service.name)
        assert error.name == "AbortError"
        error = await failure("""(async () => {
            const abort = new AbortController(), answer = client.request(service, 'stopped', {}, {signal: abort.signal});
            abort.abort(new RangeError("enough"));
            return answer;
        })()""", service=service.name)
        assert (error.name, error.message) == ("RangeError", "enough")
        called = []
        while "stopped" not in called:
            called.append((await service.next_call()).method)
        assert "aborted" not in called, "what was aborted before it was sent was not sent"
        await node.run("globalThis.last = client.request(service, 'unanswered').catch((error) => error.unknownOutcome)", service=service.name)
        await service.next_call()
        assert await node.run("client.close(); return last") is True


async def test_what_is_said_without_a_connection_waits(node, opened, demo):
    gateway = opened()
    edge = gateway.edges[0]
    async with node:
        await node.run("globalThis.more = {queue: 3}" + CONNECT, url=gateway.url)
        await seen(node, "open")
        edge.process.kill()
        await seen(node, "down")
        said = await node.run("""
          globalThis.waiting = [1, 2].map((n) => client.request(service, "echo", {n}));
          const tell = (error) => `${error.name}: ${error.message}, ${error.retryable}`;
          const late = await client.request(service, "echo", {}, {ttl: 20}).catch(tell);
          waiting.push(client.request(service, "echo", {n: 3}));
          return [late, await client.request(service, "echo").catch(tell), await client.subscribe("a", () => {}).catch(tell)];
        """, service=demo)
        full = "NuropbTransportError: not sent: too much waits for a connection, true"
        assert said == ["NuropbTimeoutError: no connection in time; it was not sent, true", full, full]
        # The same port, or the client would not find it.
        gateway.settings["listen"]["port"] = edge.port
        gateway.write_config()
        edge.start()
        assert await node.run("return Promise.all(waiting)") == [{"n": 1}, {"n": 2}, {"n": 3}]
        await node.run(CLOSE)


async def test_a_gateway_that_says_nothing_is_left(node, opened, demo):
    """At the handshake, and later: the network goes away without a word."""
    gateway = opened()
    async with node, Cut("127.0.0.1", gateway.edges[0].port) as way:
        await node.run("globalThis.more = {connectTimeout: 300, heartbeat: 100, grace: 100};" + CONNECT, url=f"ws://127.0.0.1:{way.port}/websocket")
        assert await node.run("return client.request(service, 'echo', {n: 1})", service=demo) == {"n": 1}
        way.hang()
        async def reasons():
            return {down["reason"] for down in await seen(node, "down", 0)} >= {"nothing was heard for as long as a call may take", "no session in time"}
        await eventually(reasons, "it gave up the socket, and then one that did not begin")
        way.mend()
        assert await node.run("return client.request(service, 'echo', {n: 2})", service=demo) == {"n": 2}
        await node.run(CLOSE)


async def test_rubbish_harms_nobody(node, opened, demo):
    gateway = opened()
    async with node:
        await node.run(CONNECT, url=gateway.url)
        await seen(node, "open")
        pushes = [{"type": "response"}, {"type": "event"}, {"type": "event", "payload": {"topic": "hello"}}, {"error": "X", "description": "y"}, {"type": "response", "payload": {"trace_id": "nobody's"}}]
        for message in pushes:
            ctl(gateway, "send", "--user", "ann", json.dumps(message))
        assert await seen(node, "error") == ["y"]
        with pytest.raises(JsError, match="BigInt"):
            await node.run("return client.request(service, 'echo', {n: 1n})", service=demo)
        heard = await node.run("""
          client.on("event", () => { throw new Error("a mistake of the app"); });
          return new Promise((done) => { client.on("event", ({topic}) => done(topic)); client.subscribe("a.b", () => {}).then(() => client.publish("a.b", 1)); });
        """)
        assert heard == "a.b", "another listener hears it none the less"
        assert await node.run("return [await client.request(service, 'echo', {n: 2}), client._calls.size]", service=demo) == [{"n": 2}, 0]
        assert await seen(node, "message") == [{"type": "response"}, {"type": "event"}]
        await node.run(CLOSE)


@pytest.mark.parametrize("how", ["resumed", "meshd was killed too", "without resume"])
async def test_a_lost_socket(node, opened, broker_url, how):
    """One request is under way, and one that may run twice. What becomes of them, and of the subscription."""
    gateway = opened(edges=2, shared_port=True)
    topic = unique("lost")
    async with node, ManualService(broker_url, unique("held")) as service:
        await node.run("globalThis.more = more;" + CONNECT + """
          globalThis.events = [];
          await client.subscribe(topic, (event) => events.push(event));
          globalThis.answers = ["plain", "idempotent"].map((name) => client.request(service, name, {}, {idempotent: name === "idempotent"}).catch((error) => `${error.name}, ${error.unknownOutcome}`));
        """, url=gateway.url, topic=topic, service=service.name, more={"resume": how != "without resume"})
        calls = {call.method: call for call in await service.next_calls(2)}
        if how == "meshd was killed too":
            gateway.meshd.kill()
        for edge in gateway.edges:
            edge.process.kill()
        await seen(node, "down")
        if how == "resumed":
            await parked(gateway, 1)
            for name, call in calls.items():
                service.answer(call, result=name)
        elif how == "meshd was killed too":
            gateway.start_meshd()
        for edge in gateway.edges:
            edge.start()
        gateway.until_ready()
        await seen(node, "open", 2)
        if how == "resumed":
            assert await node.run("return Promise.all(answers)") == ["plain", "idempotent"] and service.calls.empty()
        else:
            again = await service.next_call()
            assert again.method == "idempotent"
            service.answer(again, result="again")
            assert await node.run("return Promise.all(answers)") == ["NuropbTransportError, true", "again"] and service.calls.empty()
        assert [what["reason"] for what in await seen(node, "lost", 0)] == (["unknown"] if how == "meshd was killed too" else [])
        assert [what["resumed"] for what in await seen(node, "open", 2)] == [False, how == "resumed"]
        # The subscription is there again.
        await node.run("""
          globalThis.number = 0;
          const beat = setInterval(() => client.publish(topic, ++number).catch(() => {}), 20);
          while (!events.length) await new Promise((done) => setTimeout(done, 5));
          clearInterval(beat);
        """, topic=topic)
        await node.run(CLOSE)


async def test_what_a_session_that_was_resumed_goes_on_with(node, opened, demo, broker_url):
    """What may happen on the way: a request that nobody took, one that is still under way, a message to the old session and the
    new one, and numbers that come twice."""
    gateway = opened()
    topic = unique("way")
    async with node, ManualService(broker_url, unique("slow")) as service:
        await node.run("""
          globalThis.net = {};
          globalThis.more = {WebSocket: class extends WebSocket {
            async send(text) {
              const {type, payload} = JSON.parse(text);
              if (net.loses && payload.method === net.loses) return;
              if (type === "resume" && net.opens) await net.opens(net.asked = true);
              super.send(text);
            }
            set onmessage(take) {
              super.onmessage = take && ((message) => { take(message); if (net.repeats && JSON.parse(message.data).seq) take(message); });
            }
          }};
        """ + CONNECT + """
          globalThis.events = [];
          await client.subscribe(topic, (event) => events.push(event));
          globalThis.under = client.request(service, "under-way");
        """, url=gateway.url, topic=topic, service=service.name)
        under_way = await service.next_call()
        await node.run("""
          net.loses = "never-taken";
          globalThis.never = client.request(service, "never-taken");
          net.loses = null;
          const open = new Promise((done) => { net.open = done; });
          net.opens = () => open;
        """, service=service.name)
        ctl(gateway, "kick", "--user", "ann", "--code", "4200", "--reason", "come again")

        async def asks():
            return await node.run("return net.asked ?? false")
        await eventually(asks, "it asks for its session")
        ctl(gateway, "send", "--user", "ann", '"to both sessions"')
        await node.run("net.open()")
        assert (await seen(node, "open", 2))[1]["resumed"] is True
        again = await service.next_call()
        assert again.method == "never-taken"
        service.answer(again, result="taken")
        service.answer(under_way, result="waited for")
        assert await node.run("return Promise.all([never, under])") == ["taken", "waited for"]
        assert await node.run("""
          net.repeats = true;
          for (const n of [1, 2, 3]) await client.publish(topic, n);
          while (events.at(-1) !== 3) await new Promise((done) => setTimeout(done, 5));
          await client.request(demo, "echo");
          return events;
        """, topic=topic, demo=demo) == [1, 2, 3]
        # What it has seen it says, so that the gateway need not keep it.
        before = metric(gateway, "mailbox_bytes")
        await node.run("await client.request(demo, 'echo', large)", demo=demo, large={"text": "x" * 100_000})
        await eventually(lambda: metric(gateway, "mailbox_bytes") <= before, lambda: f"{before}, {metric(gateway, 'mailbox_bytes')}")
        assert await seen(node, "message") == ["to both sessions"] and service.calls.empty()
        await node.run(CLOSE)


async def test_a_session_that_is_taken_elsewhere_is_not_taken_back(node, opened):
    gateway = opened()
    async with node:
        await node.run(CONNECT, url=gateway.url)
        session = (await seen(node, "open"))[0]["session_id"]
        ctl(gateway, "kick", "--session", session, "--code", "4503", "--reason", "resumed elsewhere")
        assert await seen(node, "close") == ["closed with 4503 resumed elsewhere"]
        assert await node.run("return [client.state, client.failure.code]") == ["closed", 4503]
        # Whoever wants to can begin anew.
        await node.run("client.open()")
        assert (await seen(node, "open", 2))[1]["resumed"] is False
        ctl(gateway, "kick", "--user", "ann", "--code", "4200", "--reason", "come again")
        assert (await seen(node, "open", 3))[2]["resumed"] is True
        await node.run(CLOSE)


async def test_when_it_comes_back(node, opened, demo):
    gateway = opened()
    async with node:
        await node.run("Math.random = () => 0.5;" + CONNECT, url=gateway.url)
        # At once, after a pause, or, when nobody wants anything of it, not before somebody does.
        for number, (code, delay) in enumerate((("4200", 10), ("4005", 100)), 1):
            await seen(node, "open", number)
            ctl(gateway, "kick", "--user", "ann", "--code", code)
            assert (await seen(node, "down", number))[-1]["delay"] == delay
        await seen(node, "open", 3)
        ctl(gateway, "kick", "--user", "ann", "--code", "4004")
        assert "delay" not in (await seen(node, "down", 3))[-1] and await node.run("return client.state") == "idle"
        assert await node.run("return client.request(service, 'echo', {n: 1})", service=demo) == {"n": 1}
        await node.run("return client.subscribe('a.b', () => {})")
        ctl(gateway, "kick", "--user", "ann", "--code", "4004")
        await seen(node, "open", 5)
        await node.run(CLOSE)


async def test_tokens(node, opened):
    odd = "a token with ünïcödé, / and ="
    gateway = opened(tokens={"secret-ann": {"user_id": "ann"}, odd: {"user_id": "odd"}})
    async with node:
        users = await node.run("""
          const tell = (client) => new Promise((done) => { client.on("open", ({user_id}) => done(user_id)); client.on("close", (why) => done(why.message)); });
          const heard = [], clients = [], told = [];
          const start = (token) => { clients.push(connect(url, {token, minDelay: 1, maxDelay: 5})); told.push(tell(clients.at(-1))); };
          start(odd);
          start("wrong");
          start(async (why) => { heard.push(why.refused); return heard.length < 2 ? "wrong" : "secret-ann"; });
          start(() => "wrong");
          start(({refused}) => (refused ? undefined : "wrong"));
          let asked = 0;
          start(() => { if (++asked < 3) throw new Error("the server of tokens is away"); return "secret-ann"; });
          const users = await Promise.all(told);
          clients.forEach((client) => client.close());
          return [users, heard, asked];
        """, url=gateway.url, odd=odd)
        refused = "closed with 4501 token refused"
        assert users == [["odd", refused, "ann", refused, refused, "ann"], [False, True], 3]


async def test_the_token_in_the_first_message(node, opened):
    gateway = opened(settings={"auth": {"first_message": True}})
    async with node:
        await node.run("globalThis.more = {tokenInMessage: true};" + CONNECT, url=gateway.url)
        assert (await seen(node, "open"))[0]["user_id"] == "ann"
        await node.run(CLOSE)


async def test_a_fresh_token_before_the_old_one_expires(node, opened, issuer):
    """In place, so the session goes on; and where the provider has nothing new, a new socket with what it has then."""
    gateway = opened(settings=issuer.settings())
    tokens = [issuer.token(lasts=4, n=1), issuer.token(lasts=4, n=2), issuer.token()]
    gateway.secrets |= set(tokens)
    async with node:
        await node.run("""
          globalThis.asked = [];
          const given = [0, 1, 1, 2];
          globalThis.more = {token: async ({refused, expiring}) => { asked.push([refused, expiring]); return tokens[given[asked.length - 1]]; }};
        """ + CONNECT, url=gateway.url, tokens=tokens)
        assert (await seen(node, "down"))[0]["code"] == 4401
        opens = await seen(node, "open", 2)
        assert opens[1]["resumed"] and opens[1]["session_id"] == opens[0]["session_id"]
        assert await node.run("return asked") == [[False, False], [False, True], [False, True], [False, False]]
        await node.run(CLOSE)


async def test_snorky(js, opened):
    gateway = opened(js, edges=2, shared_port=True)
    url = f"ws://127.0.0.1:{gateway.port}/ws"
    async with js:
        assert await js.run("""
          globalThis.snorky = connectSnorky(url, {token: "secret-ann", minDelay: 20, maxDelay: 200});
          globalThis.got = [];
          globalThis.downs = 0;
          snorky.on("down", () => downs++);
          const pubsub = snorky.service("pubsub");
          globalThis.off = await pubsub.subscribe({room: 1, of: "a"}, (message) => got.push(message));
          await pubsub.publish({of: "a", room: 1.0}, "first");
          const error = await pubsub.call("nothing").catch((error) => `${error.name}: ${error.message}`);
          const nowhere = await snorky.service("nobody").publish("a", 1).catch((error) => error.message);
          return [got, error, nowhere];
        """, url=url) == [["first"], "SnorkyError: Unknown command", "Unknown service"]
        ctl(gateway, "send", "--user", "ann", '{"to": "ann"}')
        for edge in gateway.edges:
            edge.process.kill()
            edge.start()
        gateway.until_ready()
        await eventually(lambda: js.run("return downs && snorky.state === 'open'"), "it is back")
        said = await js.run("""
          const beat = setInterval(() => snorky.service("pubsub").publish({room: 1, of: "a"}, "again").catch(() => {}), 20);
          while (got.length < 2) await new Promise((done) => setTimeout(done, 5));
          clearInterval(beat);
          await off();
          const refused = await snorky.service("pubsub").call("unsubscribe", {channel: {room: 1, of: "a"}}).catch((error) => error.message);
          snorky.close();
          return [got[1], refused];
        """)
        assert said == ["again", "Not subscribed"]
