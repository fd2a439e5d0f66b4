"""Detached sessions, and what happens meanwhile: pushes, operators, too many messages, two resumes at once; and the same
over JSON lines."""

import asyncio

import pytest

from support.consumer import Consumer
from support.ctl import ctl
from support.manual_service import ManualService
from support.metrics import value as metric
from support.resuming import LineResuming, ResumeFailed, Resuming
from support.services import unique
from support.snorky import KEY, KEYS, OTHER_KEY, envelope, post
from support.waiting import eventually

OPEN = {"policy.toml": 'default = ["request", "command", "describe", "event", "subscribe"]\n'}
POLICY = {"auth": {"policy_file": "policy.toml"}}


async def parked(gateway, count):
    await eventually(lambda: metric(gateway, "sessions_parked") == count, f"{count} sessions wait")


async def on_thread(work, *words, **more):
    return await asyncio.to_thread(work, *words, **more)


async def why(consumer, url, **members):
    with pytest.raises(ResumeFailed) as failed:
        await consumer.resume(url, **members)
    return failed.value.reason


async def test_pushes_to_one_that_waits(gateways):
    """By an operator, by a backend, by topic: in the order in which they were sent, exactly once."""
    gateway = gateways(edges=2, settings={**POLICY, "backend": {"port": 0, "key_file": "keys.toml"}}, files={**OPEN, "keys.toml": KEYS}, secrets={KEY, OTHER_KEY})
    topic = unique("news")
    async with await Consumer.open(gateway.edges[1].url, token="secret-bob") as bob:
        ann = await Resuming.open(gateway.edges[0].url)
        for one in (ann, bob):
            await one.done("subscribe", topic=topic)
        await ann.lost()
        await parked(gateway, 1)
        before = len(ann.messages)
        send = [
            lambda n: on_thread(ctl, gateway, "send", "--user", "ann", f'{{"n":{n}}}'),
            lambda n: on_thread(ctl, gateway, "send", "--session", ann.session_id, str(n)),
            lambda n: on_thread(ctl, gateway, "send", "--all", f"[{n}]"),
            lambda n: on_thread(post, gateway.edges[1], envelope("gateway", "send_to_all", message={"backend": n})),
        ]

        for n in range(3):
            for one in send:
                await one(n)
            await bob.done("event", topic=topic, event=n)
            expected = {"type": "event", "payload": {"topic": topic, "event": n}}
            while await bob.other() != expected:  # then meshd has had it, and next comes what is said next
                pass
        await ann.resume(gateway.edges[1].url)
        await ann.until(lambda: ann.seq >= ann.last_of_log, "what was missed")
        wrapped = lambda message: {"type": "message", "payload": message}
        assert ann.messages[before:] == [message for n in range(3) for message in (
            {"n": n}, wrapped(n), wrapped([n]), {"backend": n}, {"type": "event", "payload": {"topic": topic, "event": n}})]
        assert (await on_thread(ctl, gateway, "send", "--user", "ann", '"still here"'))["connections"] == 1
        await ann.until(lambda: ann.messages[-1] == wrapped("still here"), "it is there as any other")
        ann.check()
        await ann.close()


async def test_a_replay_that_is_larger_than_the_ring_while_more_comes(gateways):
    """And the edge dies during the delivery: the next edge continues where that one ended."""
    gateway = gateways(edges=3, files=OPEN, settings={
        **POLICY, "rings": {"return_bytes": 1 << 18}, "limits": {"message_bytes": 16_384, "send_queue_bytes": 32 << 20}, "resume": {"mailbox_bytes": 16 << 20}})
    topic = unique("large")
    text = "x" * 15_000
    async with await Consumer.open(gateway.edges[2].url, token="secret-bob") as bob:
        async def publish(numbers):
            waiting = []
            for n in numbers:
                waiting.append(await bob.begin_verb("event", topic=topic, event=[n, text]))
            assert all(answer["error"] is None for answer in await asyncio.gather(*waiting))
        ann = await Resuming.open(gateway.edges[0].url)
        await ann.done("subscribe", topic=topic)
        await ann.lost()
        await parked(gateway, 1)
        await publish(range(150))
        await eventually(lambda: metric(gateway, "mailbox_bytes") > 150 * 15_000, "all of it waits")
        await ann.resume(gateway.edges[0].url)
        more = asyncio.create_task(publish(range(150, 250)))
        await ann.until(lambda: ann.events, "the first of what it missed")
        gateway.edges[0].process.kill()
        await ann.closed()
        had = len(ann.events)
        await ann.resume(gateway.edges[1].url)
        await ann.until(lambda: len(ann.events) >= 250, lambda: f"all events: {len(ann.events)}, {had} before the edge died")
        await more
        assert [event for _, event in ann.events] == [[n, text] for n in range(250)]
        ann.check()
        await ann.close()


async def test_an_operator_ends_it(gateways):
    gateway = gateways(edges=2)
    ann = await Resuming.open(gateway.edges[0].url)
    await ann.lost()
    await parked(gateway, 1)
    assert ctl(gateway, "kick", "--user", "ann", "--code", 4000, code=3)["connections"] == 0, "who may come again goes on to wait"
    assert metric(gateway, "sessions_parked") == 1
    assert ctl(gateway, "kick", "--user", "ann", "--code", 4600)["connections"] == 1
    await parked(gateway, 0)
    assert await why(ann, gateway.edges[1].url) == "ended"
    await ann.close()

    # While it is about to come back: the socket goes, and with it the session.
    ann = await Resuming.open(gateway.edges[0].url)
    await ann.lost()
    await parked(gateway, 1)
    await ann.connect(gateway.edges[1].url)
    assert ctl(gateway, "kick", "--user", "ann")["connections"] == 2
    await asyncio.wait_for(ann.ws.wait_closed(), 45)
    assert ann.ws.close_code == 1000
    assert await why(ann, gateway.edges[1].url) == "ended"
    await ann.close()

    # Told to come again, it may.
    ann = await Resuming.open(gateway.edges[0].url)
    assert ctl(gateway, "kick", "--user", "ann", "--code", 4000)["connections"] == 1
    assert await ann.closed() == 4000
    await ann.resume(gateway.edges[1].url)
    ann.check()
    await ann.close()


async def test_two_at_once(gateways):
    """If several clients use a token at the same time, one gets the session, and the others get the reason."""
    gateway = gateways(edges=3)
    ann = await Resuming.open(gateway.edges[0].url)
    for _ in range(3):
        await ann.lost()
        await parked(gateway, 1)
        rivals = []
        for edge in gateway.edges:
            rival = Resuming()
            rival.session_id, rival.token, rival.seq = ann.session_id, ann.token, ann.seq
            await rival.connect(edge.url)
            rivals.append(rival)
        stranger = Resuming("secret-bob")
        await stranger.connect(gateway.edges[0].url)
        reasons = await asyncio.gather(*(one.take_up(token=ann.token, seq=ann.seq) for one in (*rivals, stranger)), return_exceptions=True)
        assert reasons.pop().reason == "other_user"
        won = [rival for rival, reason in zip(rivals, reasons) if not isinstance(reason, Exception)]
        assert len(won) == 1 and sorted(reason.reason for reason in reasons if isinstance(reason, Exception)) == ["in_use", "in_use"], reasons
        for one in (*rivals, stranger):
            if one is not won[0]:
                await one.ws.close()
        ann = won[0]
        await ann.done("resume")
    ann.check()
    await ann.close()


async def test_who_loses_many_sockets_crowds_out_nobody(gateways):
    gateway = gateways(edges=2, settings={"resume": {"sessions": 4}})
    ann = await Resuming.open(gateway.edges[0].url)
    await ann.lost()
    await parked(gateway, 1)
    crowd = []
    for n in range(6):
        crowd.append(await Resuming.open(gateway.edges[1].url, token="secret-bob"))
        await crowd[-1].lost()
        await eventually(lambda: metric(gateway, "sessions_parked_total") == 2 + n, "it waits")
    assert await why(crowd[0], gateway.edges[0].url) == "too_many"
    await crowd[0].close()
    await ann.resume(gateway.edges[1].url)
    ann.check()
    await ann.close()


@pytest.mark.parametrize("loss", ["socket cut", "edge killed"])
async def test_over_json_lines(gateways, broker_url, loss):
    name = unique("lines")
    gateway = gateways(edges=2, files=OPEN, settings={**POLICY, "lines": {"enabled": True, "port": 0, "service_name": name}})
    topic = unique("news")
    async with ManualService(broker_url, unique("slow")) as service, await Consumer.open(gateway.edges[1].url, token="secret-bob") as bob:
        ann = await LineResuming.open(gateway.edges[0])
        await ann.done("subscribe", topic=topic)
        asked = [await ann.request(service.name, "slow") for _ in range(2)]
        calls = await service.next_calls(2)
        if loss == "socket cut":
            await ann.lost()
        else:
            gateway.edges[0].process.kill()
            await asyncio.wait_for(ann.reader, 45)
        await parked(gateway, 1)
        service.answer(calls[0], result=0)
        await bob.done("event", topic=topic, event=1)
        assert ctl(gateway, "send", "--handler", "lines", "--user", "ann", '{"line":1}')["connections"] == 1
        web = Resuming()
        assert await why(web, gateway.edges[1].url, token=ann.token, seq=ann.seq) == "unknown", "its token is for lines"
        await web.close()
        await ann.resume(gateway.edges[1])
        assert set(ann.pending) <= set(asked)
        await ann.until(lambda: ann.events == [(topic, 1)] and {"line": 1} in ann.messages, lambda: f"what it missed: {ann.messages}")
        assert (await ann.answer(asked[0]))["result"] == 0
        # It ends its side: what an earlier socket has asked is still awaited.
        ann.end()
        service.answer(calls[1], result=[1, 2])
        assert (await ann.answer(asked[1]))["result"] == [1, 2]
        await asyncio.wait_for(ann.reader, 45)
        assert ann.ws.close_code is None and not ann.unnumbered
        ann.check()
        await ann.ws.close()
