"""The Python client against a real gateway: streams of events over sessions that end. What every client does is in tests/clients."""

import asyncio

from support.ctl import ctl
from support.cut import Cut
from support.python_client import Watched, raised
from support.services import unique


async def test_a_stream_over_a_lost_session(opened):
    """It goes on, and its next event says that some may be missing."""
    gateway = opened()
    topic = unique("lost")
    async with Cut("127.0.0.1", gateway.edges[0].port) as way, Watched(gateway.url, "secret-bob") as other:
        async with Watched(f"ws://127.0.0.1:{way.port}/websocket", resume=False) as client, client.events(topic) as stream:
            await other.publish(topic, "before")
            assert (await stream.__anext__()).gap is None
            way.cut()
            await client.seen("down")
            way.mend()
            coming = asyncio.ensure_future(stream.__anext__())
            while not coming.done():
                await other.publish(topic, "after")
                await asyncio.wait({coming}, timeout=0.02)
            assert ((await coming).data, coming.result().gap) == ("after", "the socket was lost, and the session with it")
            await other.publish(topic, "last")
            while (event := await stream.__anext__()).data != "last":
                assert event.gap is None
            assert event.gap is None


async def test_a_stream_ends_with_its_client(opened):
    gateway = opened()
    async with Watched(gateway.url) as client:
        session = (await client.seen("open"))[0]["session_id"]
        async with client.events("a.b") as events:
            ctl(gateway, "kick", "--session", session, "--code", "4503", "--reason", "resumed elsewhere")
            error = await raised(events.__anext__())
            assert error.code == 4503 and error is client.failure
        assert [str(why) for why in await client.seen("close")] == ["closed with 4503 resumed elsewhere"]
        assert client.state == "closed"
