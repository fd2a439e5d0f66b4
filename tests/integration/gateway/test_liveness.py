"""Pings, and the silence that ends a socket."""

import asyncio

from support.consumer import Consumer, RawSocket

TOKEN = {"Authorization": "Bearer secret-ann"}


async def opened(gateway):
    raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port)
    await raw.send(RawSocket.upgrade(**TOKEN))
    assert await raw.response() == 101
    assert (await raw.read_frame())[0] == 1
    return raw


async def test_one_that_answers_no_ping_is_closed_with_4003(gateways):  # provokes: 4003
    gateway = gateways(settings={"listen": {"ping_interval_s": 1, "pong_timeout_s": 3}})
    async with await opened(gateway) as dead, await opened(gateway) as talking, await Consumer.open(gateway.url) as answering:
        assert (await dead.read_frame())[0] == 9

        async def chatter():
            while True:
                await talking.send(RawSocket.frame("{}"))
                await asyncio.sleep(0.2)
        chatterer = asyncio.create_task(chatter())  # never pongs, yet is heard
        assert await dead.read_close() == (4003, "no answer to a ping")
        chatterer.cancel()
        assert answering.open_still, "the client library pongs"
        while (await talking.read_frame())[0] != 1:  # on a slow machine it was pinged in between
            pass


async def test_an_idle_one_is_closed_with_4004(gateways):  # provokes: 4004
    gateway = gateways(settings={"listen": {"ping_interval_s": 1, "pong_timeout_s": 5, "idle_timeout_s": 2}})
    async with await Consumer.open(gateway.url) as idle:
        assert await idle.closed() == (4004, "no message for too long")


async def test_pings_of_one_who_does_not_read_do_not_pile_up(gateways):
    gateway = gateways()
    edge = gateway.edges[0]

    def memory():
        with open(f"/proc/{edge.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    raw = await RawSocket.connect("127.0.0.1", edge.port, receive_buffer=4096)
    async with raw:
        await raw.send(RawSocket.upgrade(**TOKEN))
        assert await raw.response() == 101
        before = memory()
        pings = RawSocket.frame(b"", opcode=9) * 5000
        for _ in range(200):  # a million pings, 2 MB of pongs that nobody reads and 200 MB of messages that would hold them
            await raw.send(pings)
        async with await Consumer.open(gateway.url) as other:
            await other.send("{")
            assert await other.other()
        assert memory() - before < 50_000, (before, memory())


async def test_who_says_nothing_wakes_nobody(gateways):
    """Not even before the deadline of their authentication, which has long succeeded."""
    gateway = gateways(settings={"listen": {"ping_interval_s": 0}, "auth": {"verdict_timeout_ms": 600_000}})

    def waits():
        with open(f"/proc/{gateway.edges[0].process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches"))
    async with await Consumer.open(gateway.url), await Consumer.open(gateway.url):
        before = waits()
        await asyncio.sleep(3)  # there is no state to wait for: that nothing happens is what is looked for
        assert waits() - before < 30, "a beat a second is all"
