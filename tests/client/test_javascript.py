"""The JavaScript client against a real gateway: what its calls, errors and pauses are in JavaScript. What every client does is in
tests/clients."""

import pytest

from support.ctl import ctl
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


async def seen(js, name, count=1):
    """The client's notifications so far, once there are `count` of `name`."""
    found = []

    async def look():
        found[:] = [what for told, what in await js.run("return seen") if told == name]
        return len(found) >= count
    await eventually(look, lambda: f"{count} {name}: {found}")
    return found


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


async def test_a_handshake_that_is_never_let_in_says_what_to_look_at(node, opened, demo):
    gateway = opened()
    async with node:
        await node.run("globalThis.more = {minDelay: 1, maxDelay: 5}" + CONNECT, url=gateway.url + "/elsewhere")
        downs = await seen(node, "down", 4)
        hint = f"never connected to {gateway.url}/elsewhere: is the gateway running, is this page's origin in listen.origins, is there a token?"
        assert [down["reason"] == hint for down in downs[:4]] == [False, False, True, True], downs
        assert all(isinstance(down["delay"], int) for down in downs)
        late = await node.run("return client.request(service, 'echo', {}, {ttl: 20}).catch((error) => error.message)", service=demo)
        assert late == f"no connection in time; it was not sent; {hint}"
        await node.run(CLOSE)


async def test_nothing_is_retryable_once_it_is_closed_for_good(node, opened, demo):
    gateway = opened()
    tell = "const tell = ({name, message, code, retryable, unknownOutcome}) => [name, message, code ?? null, retryable, unknownOutcome];"
    async with node:
        assert await node.run(tell + """
          const client = connect(url, {token: "wrong"});
          const early = client.request(service, "echo").catch(tell), why = await new Promise((done) => client.on("close", done));
          return [await early, await client.request(service, "echo").catch(tell), tell(why), why.reason ?? null];
        """, url=gateway.url, service=demo) == [
            ["NuropbTransportError", "not sent: closed with 4501 token refused", 4501, False, False],
            ["NuropbTransportError", "not sent: closed with 4501 token refused", 4501, False, False],
            ["NuropbTransportError", "closed with 4501 token refused", 4501, False, False], None,
        ]
        assert await node.run(tell + """
          const client = connect(url, {token: "secret-ann"});
          const closed = new Promise((done) => client.on("close", done));
          client.close();
          return [(await closed).reason, await client.request(service, "echo").catch(tell)];
        """, url=gateway.url, service=demo) == ["closed", ["NuropbTransportError", "not sent: closed by its user", None, False, False]]


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


async def test_when_it_comes_back(node, opened, demo):
    gateway = opened()
    async with node:
        await node.run("Math.random = () => 0.5;" + CONNECT, url=gateway.url)
        # At once, after a pause, or, if the client has nothing to do, not before it has.
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
