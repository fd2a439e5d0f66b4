"""The Python client at /ws: Snorky's channels."""

import asyncio
import json

from support.ctl import ctl
from support.python_client import QUICK, raised
from support.waiting import eventually

from nuropb_gateway_client import NotDelivered, Settings, Snorky, SnorkyError, connect_snorky


async def test_channels_come_back_with_the_socket(opened):
    gateway = opened(edges=2, shared_port=True)
    downs, messages, got, notified = [], [], [], []
    async with Snorky(f"ws://127.0.0.1:{gateway.port}/ws", "secret-ann", Settings(**QUICK)) as snorky:
        snorky.on("down", downs.append)
        snorky.on("message", messages.append)
        pubsub = snorky.service("pubsub")
        pubsub.on(notified.append)
        subscription = await pubsub.subscribe({"room": 1, "of": "a"}, got.append)
        await pubsub.publish({"of": "a", "room": 1.0}, "first")
        await eventually(lambda: got == ["first"] and notified[0]["message"] == "first", lambda: str(got))
        error = await raised(pubsub.call("nothing"))
        assert type(error) is SnorkyError and str(error) == "Unknown command" and not error.retryable
        assert str(await raised(snorky.service("nobody").publish("a", 1))) == "Unknown service"
        ctl(gateway, "send", "--user", "ann", json.dumps({"to": "ann"}))
        await eventually(lambda: messages == [{"to": "ann"}], "what is pushed")
        for edge in gateway.edges:
            edge.process.kill()
            edge.start()
        gateway.until_ready()
        await eventually(lambda: downs and snorky.state == "open", "it is back")
        while len(got) < 2:
            await raised(pubsub.publish({"room": 1, "of": "a"}, "again", ttl=1)) if snorky.state != "open" else await pubsub.publish({"room": 1, "of": "a"}, "again")
            await asyncio.sleep(0.02)
        assert got[1] == "again"
        await subscription.end()
        assert str(await raised(pubsub.call("unsubscribe", {"channel": {"room": 1, "of": "a"}}))) == "Not subscribed"
    assert isinstance(await raised(pubsub.call("subscribe")), NotDelivered)


async def test_a_token_that_is_refused(opened):
    """What was sent to a socket that was closed by a verdict on it was never read, so it goes again with another token."""
    gateway = opened()
    asked = []

    async def provider(why):
        asked.append(why.refused)
        return "secret-ann" if why.refused else "wrong"
    snorky = connect_snorky(gateway.edges[0].snorky_url, provider, Settings(**QUICK))
    try:
        got = []
        await snorky.service("pubsub").publish("a", "which may not run twice")
        await snorky.service("pubsub").subscribe("a", got.append)
        await snorky.service("pubsub").publish("a", {"n": 1})
        await eventually(lambda: got == [{"n": 1}], "it comes")
        assert asked == [False, True]
    finally:
        await snorky.close()
