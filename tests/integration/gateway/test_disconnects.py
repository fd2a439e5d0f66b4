"""Clients that vanish and clients that don't read affect no other client."""

import asyncio
import json
import os
import pwd
import resource

import pytest

from support.consumer import Consumer, RawSocket
from support.manual_service import ManualService
from support.services import unique
from support.waiting import eventually

MIB = 1024 * 1024


def cpu_ms(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return 10 * sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))


def state(gateway):
    body = gateway.edges[0].health()[1]
    return body["sessions"], body["pending"]


async def test_a_reset_with_requests_pending_leaves_nothing_behind(gateways, broker_url):
    gateway = gateways()
    sockets, each = 20, 5
    async with ManualService(broker_url, unique("held")) as service:
        gone = [await Consumer.open(gateway.url) for _ in range(sockets)]
        for number, consumer in enumerate(gone):
            for _ in range(each):
                await consumer.begin(service.name, "hold", {"of": number})
        calls = await service.next_calls(sockets * each)
        assert state(gateway) == (sockets, sockets * each)
        for consumer in gone:
            consumer.reset()
        await eventually(lambda: state(gateway) == (0, 0), lambda: f"all is forgotten: {state(gateway)}")

        # Others take their slots; the late answers must not come to them.
        heirs = [await Consumer.open(gateway.url) for _ in range(sockets)]
        for call in calls:
            service.answer(call, result="for one who is gone")
        for consumer in heirs:
            answer = await consumer.begin(service.name, "mine")
            service.answer(await service.next_call(), result="mine")
            assert (await answer)["result"] == "mine"
            assert consumer.others.empty()
        await asyncio.gather(*(consumer.close() for consumer in heirs))
        await eventually(lambda: state(gateway) == (0, 0), lambda: f"all is forgotten: {state(gateway)}")


async def test_gone_during_the_handshake(gateway):
    """Before, during and right after the upgrade; the result of the authentication finds no session."""
    before = state(gateway)[0]
    upgrade = RawSocket.upgrade(Authorization="Bearer secret-ann")
    for size in (0, 1, len(upgrade) // 2, len(upgrade) - 1, len(upgrade)):
        for _ in range(5):
            raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port)
            if size:
                await raw.send(upgrade[:size])
            raw.writer.transport.abort()
    async with await Consumer.open(gateway.url):
        pass
    await eventually(lambda: state(gateway)[0] == before, lambda: f"no session is left: {state(gateway)}")


@pytest.mark.limit(90)
async def test_a_slow_reader_is_closed_and_nobody_else_feels_it(gateways, demo):
    gateway = gateways(settings={"limits": {"send_queue_bytes": MIB}})
    slow = await RawSocket.connect("127.0.0.1", gateway.edges[0].port, receive_buffer=4096, limit=65536)
    async with slow, await Consumer.open(gateway.url) as bystander:
        await slow.send(slow.upgrade(Authorization="Bearer secret-ann"))
        await slow.response()
        await slow.read_frame()
        assert state(gateway)[0] == 2
        # It asks for some 40 MiB and reads none of it: more than the kernel's buffers and its queue may hold.
        value = "x" * (MIB // 2)
        frame = slow.frame(json.dumps({"type": "request", "payload": {"service": demo, "method": "echo", "params": {"value": value}, "trace_id": "t"}}))
        slow.writer.transport.set_write_buffer_limits(high=100 * MIB)
        for _ in range(80):
            slow.writer.write(frame)

        while state(gateway)[0] == 2:
            assert await bystander.result(demo, "echo", {"value": 1}) == {"value": 1}
            await asyncio.sleep(0.01)

        # What it finds when it reads again: a close frame that says why, or the end of the connection.
        try:
            code, reason = await slow.read_close()
            assert code == 4001 and reason
        except (asyncio.IncompleteReadError, ConnectionError):
            gateway.edges[0].process.wait_for_log("4001|slow")
        assert await bystander.result(demo, "echo", {"value": 2}) == {"value": 2}
    await eventually(lambda: state(gateway) == (0, 0), lambda: f"all is forgotten: {state(gateway)}")


async def test_a_socket_that_breaks_the_protocol_is_alone_in_it(gateway, demo):
    async with await Consumer.open(gateway.url) as bystander:
        for rubbish in (b"\xff" * 64, b"\x83\x80\0\0\0\0", b"\x81\x05hello", RawSocket.frame(b"x" * 126, opcode=9), b"\x81\xff" + b"\xff" * 12):
            raw = await RawSocket.connect("127.0.0.1", gateway.edges[0].port)
            async with raw:
                await raw.send(raw.upgrade(Authorization="Bearer secret-ann"))
                assert await raw.response() == 101
                await raw.read_frame()
                await raw.send(rubbish)
                try:
                    code, _ = await raw.read_close()
                    assert code in (1002, 1007, 1009), code
                except (asyncio.IncompleteReadError, ConnectionError):
                    pass
        assert await bystander.result(demo, "echo", {"value": 1}) == {"value": 1}


async def test_out_of_descriptors_it_goes_on_later(gateways, demo):
    """In the edge's process, because a check of UBSan needs descriptors in that situation."""
    # Only of a process of our own user may we change the limits.
    gateway = gateways(settings={"hardening": {"edge_user": pwd.getpwuid(os.geteuid()).pw_name}})
    pid = gateway.edges[0].process.pid
    async with await Consumer.open(gateway.url) as consumer:
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = {int(number) for number in os.listdir(f"/proc/{pid}/fd")}
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(set(range(len(used) + 1)) - used), before[1]))
        waiting = await RawSocket.connect("127.0.0.1", gateway.edges[0].port)  # by the kernel, until the edge has one for it
        async with waiting:
            spent = cpu_ms(pid)
            assert await consumer.result(demo, "slow", {"ms": 500}), "those who are in go on"
            assert cpu_ms(pid) - spent < 200, "it spins over those it can't take in"
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            await waiting.send(waiting.upgrade(Authorization="Bearer secret-bob"))
            assert await waiting.response() == 101
