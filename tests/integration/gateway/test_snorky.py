"""Snorky on /ws (nuropb-wire.md section 3): services, channels, their receivers, and the answers to bad messages."""

import asyncio
import json
import signal

import pytest

from support.consumer import Consumer, RawSocket
from support.gateway import Gateway
from support.ports import free_port
from support.snorky import SnorkyClient, envelope, options, post
from support.waiting import eventually


@pytest.fixture(scope="module")
def snorky(broker_url):
    with Gateway(broker_url, **options(edges=4)) as running:
        yield running


def clients(gateway, count=4, token="secret-ann"):
    """Sockets, distributed over the edges in turn."""
    return asyncio.gather(*(SnorkyClient.open(gateway.edges[n % len(gateway.edges)].snorky_url, token) for n in range(count)))


async def test_a_message_reaches_every_subscriber_on_every_edge_once(snorky):
    sockets = await clients(snorky, 8)
    assert await asyncio.gather(*(one.call("pubsub", "subscribe", channel="all") for one in sockets[:7])) == [None] * 7
    assert await sockets[0].call("pubsub", "publish", channel="all", message={"n": 1}) is None
    for one in sockets[:7]:
        assert await one.notification("pubsub") == {"type": "message", "channel": "all", "message": {"n": 1}}
    # A fence: what is published next comes next, so nothing came twice, and nothing to the eighth.
    await sockets[7].call("pubsub", "subscribe", channel="all")
    await sockets[7].call("pubsub", "publish", channel="all", message=2)
    for one in sockets:
        assert (await one.notification("pubsub"))["message"] == 2
        await one.close()


async def test_a_channel_is_any_value(snorky):
    async with await SnorkyClient.open(snorky.edges[0].snorky_url) as one, await SnorkyClient.open(snorky.edges[1].snorky_url) as other:
        for written, equal in (({"a": 1, "b": [None, "x"]}, '{"b": [null, "\\u0078"], "a": 1.0}'), (["room", 7], '["room",70e-1]'), (None, "null"), (12.5, "1250e-2")):
            await one.call("pubsub", "subscribe", channel=written)
            await other.send('{"service":"pubsub","message":{"command":"publish","params":{"channel":%s,"message":"m"}}}' % equal)
            assert await one.notification("pubsub") == {"type": "message", "channel": json.loads(equal), "message": "m"}
            assert (await other.other()) == {"service": "pubsub", "message": {"type": "response", "data": None}}, "no callId, so none in the answer"
        await one.call("pubsub", "subscribe", channel=True)
        await other.call("pubsub", "publish", channel=1, message="not for true")
        await other.call("pubsub", "publish", channel=True, message="for true")
        assert (await one.notification("pubsub"))["message"] == "for true"


async def test_errors_are_the_originals(snorky):
    async with await SnorkyClient.open(snorky.edges[0].snorky_url) as one:
        assert await one.refused("pubsub", "unsubscribe", channel="x") == "Not subscribed"
        await one.call("pubsub", "subscribe", channel="x")
        assert await one.refused("pubsub", "subscribe", channel="x") == "Already subscribed"
        await one.call("pubsub", "unsubscribe", channel="x")
        assert await one.refused("pubsub", "unsubscribe", channel="x") == "Not subscribed"
        assert await one.refused("pubsub", "nonsense") == "Unknown command"
        assert await one.refused("pubsub", "subscribe") == "Invalid params"
        assert await one.refused("pubsub", "subscribe", channel=1, more=2) == "Invalid params"
        assert await one.refused("pubsub", "publish", channel=1) == "Invalid params"
        assert await one.refused("news", "publish", channel="x", message=1) == "Not authorized"
        assert await one.refused("nowhere", "publish", channel="x", message=1) == "Unknown service"


async def test_publishing_by_policy(snorky):
    async with await SnorkyClient.open(snorky.edges[0].snorky_url, "secret-ann") as ann, await SnorkyClient.open(snorky.edges[1].snorky_url, "secret-bob") as bob:
        await bob.call("ruled", "subscribe", channel="open/1")
        await ann.call("ruled", "publish", channel="open/1", message="hello")
        assert (await bob.notification("ruled"))["message"] == "hello"
        assert await bob.refused("ruled", "publish", channel="open/1", message="hello") == "Not authorized"
        assert await ann.refused("ruled", "publish", channel="closed", message="hello") == "Not authorized"
        assert await ann.refused("ruled", "publish", channel=["open"], message="hello") == "Not authorized"


async def test_a_socket_that_is_gone_is_subscribed_to_nothing(snorky):
    for _ in range(3):
        async with await SnorkyClient.open(snorky.edges[0].snorky_url) as one:
            await one.call("pubsub", "subscribe", channel="x")
    async with await SnorkyClient.open(snorky.edges[0].snorky_url) as one:  # in the same slot
        assert await one.refused("pubsub", "unsubscribe", channel="x") == "Not subscribed"


@pytest.mark.parametrize("text, service, call_id, error", [
    ("nonsense", "gateway", None, "Invalid JSON"),
    ("[]", "gateway", None, "Invalid message: not an object"),
    ("{}", "gateway", None, "Invalid message: no 'service'"),
    ('{"service":7,"message":{}}', "gateway", None, "Invalid message: 'service' is not a string"),
    ('{"service":"pubsub"}', "pubsub", None, "Invalid message: no 'message'"),
    ('{"service":"pubsub","message":[]}', "pubsub", None, "Invalid message: 'message' is not an object"),
    ('{"service":"pubsub","message":{"callId":{"a":1}}}', "pubsub", {"a": 1}, "Invalid message: no 'command'"),
    ('{"service":"pubsub","message":{"callId":"c","command":"subscribe"}}', "pubsub", "c", "Invalid message: no 'params'"),
    ('{"service":"pubsub","message":{"callId":"c","command":["a"],"params":{}}}', "pubsub", "c", "Unknown command"),
    ('{"service":"pubsub","message":{"callId":"c","command":"subscribe","params":7}}', "pubsub", "c", "Invalid params"),
    ('{"service":"pubsub","message":{"command":"subscribe","params":[]}}', "pubsub", None, "Invalid params"),
    ("[" * 300 + "]" * 300, "gateway", None, "Invalid JSON"),
])
async def test_what_the_original_drops_is_answered(snorky, text, service, call_id, error):
    async with await SnorkyClient.open(snorky.edges[0].snorky_url) as one:
        await one.send(text)
        frame = await one.other()
        assert frame["service"] == service
        assert (frame["message"]["type"], frame["message"]["callId"]) == ("error", call_id)
        assert frame["message"]["message"].startswith(error)
        assert await one.refused("pubsub", "unsubscribe", channel="x") == "Not subscribed"  # and the socket goes on


async def test_a_socket_has_so_many_channels_and_no_more(gateways):
    gateway = gateways(**options(snorky={"channels_per_session": 3}))
    async with await SnorkyClient.open(gateway.edges[0].snorky_url) as one:
        for n in range(3):
            await one.call("pubsub", "subscribe", channel=n)
        assert "channels_per_session" in await one.refused("pubsub", "subscribe", channel=3)
        await one.call("pubsub", "unsubscribe", channel=0)
        await one.call("pubsub", "subscribe", channel=3)
        assert await one.refused("pubsub", "subscribe", channel="x" * 2000) == "The channel is longer than 1024 bytes"


async def refused_with(edge, path="/ws", **headers):
    async with await RawSocket.connect("127.0.0.1", edge.port) as raw:
        await raw.send(RawSocket.upgrade(path=path, **headers))
        return await raw.response()


async def test_nobody_without_a_token(snorky):
    assert await refused_with(snorky.edges[0]) == 401
    one = await SnorkyClient.open(snorky.edges[0].snorky_url, "secret-of-nobody")
    assert await one.closed() == 4501


async def test_no_path_no_snorky(gateways):
    gateway = gateways()
    assert await refused_with(gateway.edges[0], Authorization="Bearer secret-ann") == 404
    assert gateway.edges[0].backend_port == 0


async def test_anonymous_only_where_the_config_says_so_and_for_snorky_only(gateways):
    gateway = gateways(**options(snorky={"anonymous": True}))
    edge = gateway.edges[0]
    assert await refused_with(edge, "/websocket") == 401
    async with await SnorkyClient.open(edge.snorky_url, token=None) as nobody:
        await nobody.call("pubsub", "subscribe", channel="x")
        await nobody.call("pubsub", "publish", channel="x", message=1)
        assert (await nobody.notification("pubsub"))["message"] == 1
        assert await nobody.refused("chat", "join", channel="x") == "Not authenticated"
        assert await nobody.refused("ruled", "publish", channel="open", message=1) == "Not authorized"
        assert await nobody.refused("messaging", "registerParticipant", name="") == "Name not allowed"
        # An envelope of the other protocol is none of this one's, and reaches no service of the mesh.
        await nobody.send({"type": "request", "payload": {"service": "demo", "method": "echo", "params": {}, "trace_id": "t"}})
        assert (await nobody.other())["message"]["message"] == "Invalid message: no 'service'"
    one = await SnorkyClient.open(edge.snorky_url, "secret-of-nobody")
    assert await one.closed() == 4501, "a wrong token is not the same as none"


async def test_subscriptions_outlive_a_restart_of_meshd(gateways):
    gateway = gateways(**options(edges=2))
    async with await SnorkyClient.open(gateway.edges[0].snorky_url) as one, await SnorkyClient.open(gateway.edges[1].snorky_url, "secret-bob") as two:
        for socket in (one, two):
            await socket.call("pubsub", "subscribe", channel={"room": 1})
            await socket.call("pubsub", "subscribe", channel="left")
            await socket.call("pubsub", "unsubscribe", channel="left")
            await socket.call("chat", "join", channel="c")
        assert (await one.notification("chat"))["from"] == "bob"
        gateway.meshd.kill()
        gateway.start_meshd()
        gateway.until_ready()
        for socket in (one, two):
            # Right behind what the edge brings back: no race with it.
            assert await socket.refused("pubsub", "subscribe", channel={"room": 1}) == "Already subscribed"
            await socket.call("pubsub", "subscribe", channel="left")
        await one.call("pubsub", "publish", channel={"room": 1}, message="again")
        for socket in (one, two):
            assert (await socket.notification("pubsub"))["message"] == "again", "and no presence was told again"
        await two.call("chat", "send", channel="c", body="still here")
        assert (await one.notification("chat"))["body"] == "still here"


async def test_a_call_that_meshd_never_read_goes_to_the_next_one(gateways):
    """meshd is stopped, so that the call stays in the ring, and then killed."""
    gateway = gateways(**options())
    async with await SnorkyClient.open(gateway.edges[0].snorky_url) as one:
        await one.call("pubsub", "subscribe", channel="x")
        gateway.meshd.signal(signal.SIGSTOP)
        waiting = await one.begin("pubsub", "publish", channel="x", message=1)
        await eventually(lambda: gateway.edges[0].health()[1]["pending"] == 1, "it is in the ring")
        gateway.meshd.kill()
        gateway.start_meshd()
        gateway.until_ready()
        frame = await asyncio.wait_for(waiting, 45)
        assert frame["message"]["type"] == "response"
        assert (await one.notification("pubsub"))["message"] == 1, "its subscription was back before it"
        assert await one.refused("pubsub", "subscribe", channel="x") == "Already subscribed"
        assert one.quiet()


async def test_rates_are_refused_in_snorkys_words(gateways):
    gateway = gateways(**options(limits={"messages_per_s": 1, "messages_burst": 5}))
    async with await SnorkyClient.open(gateway.edges[0].snorky_url) as one:
        frames = await asyncio.gather(*[await one.begin("pubsub", "publish", channel="x", message=n) for n in range(8)])
        refused = [frame["message"]["message"] for frame in frames if frame["message"]["type"] == "error"]
        assert refused and all("limits.messages_per_s" in text for text in refused)
    gateway = gateways(**options(limits={"user_messages_per_s": 1, "user_messages_burst": 5}))
    async with await SnorkyClient.open(gateway.edges[0].snorky_url) as one:
        frames = await asyncio.gather(*[await one.begin("pubsub", "publish", channel="x", message=n) for n in range(8)])
        refused = [frame["message"]["message"] for frame in frames if frame["message"]["type"] == "error"]
        assert refused and all("limits.user_messages_per_s" in text for text in refused)


async def test_local_delivery_needs_no_broker(gateways):
    gateway = gateways(f"amqp://guest:guest@127.0.0.1:{free_port()}/", wait_ready=False, **options(edges=2))
    await eventually(lambda: all(edge.attached() for edge in gateway.edges), "the edges are attached")
    assert gateway.edges[0].health()[1]["broker"] == "away"
    async with await SnorkyClient.open(gateway.edges[0].snorky_url) as one, await SnorkyClient.open(gateway.edges[1].snorky_url) as two:
        await one.call("pubsub", "subscribe", channel="x")
        await two.call("pubsub", "publish", channel="x", message="without it")
        assert (await one.notification("pubsub"))["message"] == "without it"
        assert post(gateway.edges[1], envelope("news_backend", "publish", channel="x", message=1))[0] == 200


async def test_who_does_not_read_is_closed_and_harms_nobody(gateways):
    gateway = gateways(**options(limits={"send_queue_bytes": 256 * 1024}))
    edge = gateway.edges[0]
    raw = await RawSocket.connect("127.0.0.1", edge.port, receive_buffer=4096)
    async with raw, await SnorkyClient.open(edge.snorky_url) as one:
        await raw.send(RawSocket.upgrade(path="/ws", Authorization="Bearer secret-bob"))
        assert await raw.response() == 101
        await raw.send(RawSocket.frame(json.dumps(envelope("pubsub", "subscribe", channel="big"))))
        await raw.read_frame()
        await one.call("pubsub", "subscribe", channel="big")
        for n in range(40):
            await one.call("pubsub", "publish", channel="big", message="x" * 100_000)
            assert len((await one.notification("pubsub"))["message"]) == 100_000
        await eventually(lambda: edge.health()[1]["sessions"] == 1, "the slow one is disconnected")


async def test_both_protocols_on_one_port(snorky, demo):
    edge = snorky.edges[0]
    async with await Consumer.open(edge.url) as consumer, await SnorkyClient.open(edge.snorky_url) as one:
        await one.call("pubsub", "subscribe", channel="x")
        assert await consumer.result(demo, "echo", {"a": 1}) == {"a": 1}
        await one.call("pubsub", "publish", channel="x", message=1)
        assert (await one.notification("pubsub"))["message"] == 1
        assert consumer.others.empty()


async def test_names_are_their_users(snorky):
    async with await SnorkyClient.open(snorky.edges[0].snorky_url, "secret-ann") as ann, await SnorkyClient.open(snorky.edges[1].snorky_url, "secret-bob") as bob:
        assert await bob.refused("messaging", "registerParticipant", name="ann") == "Name not allowed"
        await ann.call("messaging", "registerParticipant", name="ann")
        await bob.call("messaging", "registerParticipant", name="bob")
        assert await bob.call("messaging", "listParticipants") == ["ann", "bob"]
        assert await bob.refused("messaging", "registerParticipant", name="ann") == "Name already registered"
        assert await bob.refused("messaging", "unregisterParticipant", name="ann") == "Invalid participant"
        await ann.call("messaging", "send", sender="ann", dest="bob", body={"hello": 1})
        assert await bob.notification("messaging") == {"type": "message", "sender": "ann", "dest": "bob", "body": {"hello": 1}}
        assert await bob.refused("messaging", "send", sender="ann", dest="bob", body=1) == "Invalid sender"
        assert await bob.refused("messaging", "send", sender="bob", dest="eve", body=1) == "Unknown destination"
        await ann.call("messaging", "unregisterParticipant", name="ann")
        assert await ann.refused("messaging", "unregisterParticipant", name="ann") == "Unknown participant"
        await bob.call("names", "registerParticipant", name="whatever")
    async with await SnorkyClient.open(snorky.edges[2].snorky_url, "secret-ann") as ann:
        async def gone():
            return await ann.call("messaging", "listParticipants") == []
        await eventually(gone, "a socket that closes leaves its names")


async def test_chat_shows_users_and_not_sockets(snorky):
    ann, ann2, bob = await asyncio.gather(*(SnorkyClient.open(snorky.edges[n].snorky_url, token) for n, token in enumerate(("secret-ann", "secret-ann", "secret-bob"))))
    assert await ann.call("chat", "join", channel="c") == {"members": ["ann"]}
    assert await ann.refused("chat", "join", channel="c") == "Already joined"
    assert await bob.call("chat", "join", channel="c") == {"members": ["ann", "bob"]}
    presence = await ann.notification("chat")
    assert presence.pop("timestamp").endswith("+00:00")
    assert presence == {"type": "presence", "from": "bob", "channel": "c", "status": "joined"}
    assert await ann2.call("chat", "join", channel="c") == {"members": ["ann", "bob"]}  # and nobody is told: ann was there
    await bob.call("chat", "send", channel="c", body=[1])
    for one in (ann, ann2, bob):
        message = await one.notification("chat")
        assert message.pop("timestamp")
        assert message == {"type": "message", "from": "bob", "channel": "c", "body": [1]}
    await ann.call("chat", "read", channel="c")
    assert (await ann2.notification("chat"))["type"] == "read"
    await ann.call("chat", "leave", channel="c")
    assert await ann.refused("chat", "send", channel="c", body=1) == "Not joined"
    assert await ann.refused("chat", "leave", channel="c") == "Not joined"
    await ann2.close()
    left = await bob.notification("chat")
    assert (left["from"], left["status"]) == ("ann", "left"), "with the last of her sockets"
    assert ann.quiet()
    await ann.close()
    await bob.close()


async def test_channels_span_gateways(gateways):
    """Two gateways of one service on one broker; a third gateway of another service gets nothing."""
    one = gateways(**options(edges=2))
    two = gateways(name=one.name, **options(edges=2))
    stranger = gateways(**options())
    async with (await SnorkyClient.open(one.edges[1].snorky_url) as here, await SnorkyClient.open(two.edges[1].snorky_url) as there,
                await SnorkyClient.open(stranger.edges[0].snorky_url) as elsewhere):
        for socket in (here, there, elsewhere):
            await socket.call("pubsub", "subscribe", channel=["c"])
            await socket.call("news", "subscribe", channel=["c"])

        async def crossed():
            await here.call("pubsub", "publish", channel=["c"], message="first")
            return not there.quiet()
        await eventually(crossed, "the gateways have found one another")
        await here.call("pubsub", "publish", channel=["c"], message="fence")
        while (await there.notification("pubsub"))["message"] != "fence":
            pass
        await there.call("pubsub", "publish", channel=["c"], message={"n": 1.0})
        while (found := await here.notification("pubsub"))["message"] != {"n": 1}:
            assert found["message"] in ("first", "fence")
        assert post(one.edges[0], envelope("news_backend", "publish", channel=["c"], message="news"))[0] == 200
        assert (await here.notification("news"))["message"] == "news"
        assert (await there.notification("pubsub"))["message"] == {"n": 1}, "its own, once"
        assert (await there.notification("news"))["message"] == "news"
        await elsewhere.call("pubsub", "publish", channel=["c"], message="fence")
        assert (await elsewhere.notification("pubsub"))["message"] == "fence", "and nothing before it"
        assert here.quiet() and there.quiet()
