"""A client that loses its socket resumes its session on any edge and misses nothing: in order and exactly once."""

import asyncio
import json
import random
import signal

import pytest

from support.consumer import Consumer
from support.manual_service import ManualService
from support.metrics import value as metric
from support.paths import binary
from support.resuming import ResumeFailed, Resuming
from support.services import unique
from support.waiting import eventually


OPEN = 'default = ["request", "command", "describe", "event", "subscribe"]\n'


@pytest.fixture
def gateways(gateways, folder):
    """Gateways whose policy allows clients everything."""
    def start(settings=None, **more):
        file = folder / "policy.toml"
        file.write_text(OPEN)
        settings = dict(settings or {})
        settings["auth"] = {"policy_file": str(file)}
        return gateways(settings=settings, **more)
    return start


async def failure(consumer, url, **members):
    with pytest.raises(ResumeFailed) as failed:
        await consumer.resume(url, **members)
    return failed.value.reason


async def parked(gateway, count):
    await eventually(lambda: metric(gateway, "sessions_parked") == count, f"{count} sessions wait")


async def subscribed(consumer, topic):
    await consumer.done("subscribe", topic=topic)


async def publish(publisher, topic, values):
    for value in values:
        await publisher.done("event", topic=topic, event=value)


@pytest.mark.parametrize("loss", ["socket cut", "edge killed", "edge drained"])
async def test_what_was_missed_and_what_is_still_to_come(gateways, broker_url, loss):
    gateway = gateways(edges=3, settings={"drain": {"limit_ms": 0}})
    topic = unique("news")
    async with ManualService(broker_url, unique("slow")) as service, await Consumer.open(gateway.edges[2].url, token="secret-bob") as bob:
        ann = await Resuming.open(gateway.edges[0].url)
        await subscribed(ann, topic)
        await publish(bob, topic, [1, 2])
        await ann.until(lambda: len(ann.events) == 2, "two events")
        during = await ann.request(service.name, "during")
        after = await ann.request(service.name, "after")
        calls = await service.next_calls(2)
        if loss == "socket cut":
            await ann.lost()
        elif loss == "edge killed":
            gateway.edges[0].process.kill()
            await ann.closed()
        else:
            gateway.edges[0].process.signal(signal.SIGTERM)
            assert await ann.closed() == 1001
        await parked(gateway, 1)
        await publish(bob, topic, [3, 4])
        service.answer(calls[0], result="during")
        await ann.resume(gateway.edges[1].url)
        assert ann.pending in ([after], [during, after]), "what was answered meanwhile is not pending"
        await publish(bob, topic, [5])
        service.answer(calls[1], result="after")
        assert (await ann.answer(during))["result"] == "during" and (await ann.answer(after))["result"] == "after"
        await ann.until(lambda: len(ann.events) == 5, "five events")
        assert ann.events == [(topic, n) for n in range(1, 6)] and not ann.unnumbered
        again = await ann.request(service.name, "again")
        service.answer(await service.next_call(), result="again")
        assert (await ann.answer(again))["result"] == "again", "it is a session like any other"
        assert service.calls.empty(), "nothing ran twice"
        ann.check()
        await ann.close()
        await parked(gateway, 0)


async def test_the_deadline_of_a_session_that_waits_is_kept(gateways, broker_url):
    gateway = gateways(edges=2)
    async with ManualService(broker_url, unique("silent")) as service:
        ann = await Resuming.open(gateway.edges[0].url)
        began = asyncio.get_running_loop().time()
        asked = await ann.request(service.name, "never", ttl=4000)
        call = await service.next_call()
        await ann.lost()
        await parked(gateway, 1)
        await asyncio.sleep(max(0, began + 4.2 - asyncio.get_running_loop().time()))  # the deadline is a time
        service.answer(call, result="too late")
        await ann.resume(gateway.edges[1].url)
        answer = await ann.answer(asked)
        assert answer["error"]["error"] == "NuropbTimeoutError"
        ann.check()
        await ann.close()


async def test_what_a_dead_edge_had_written_goes_its_way(gateways, broker_url):
    """The request is unread in the ring when the edge is killed."""
    gateway = gateways(edges=2)
    async with ManualService(broker_url, unique("ring")) as service:
        ann = await Resuming.open(gateway.edges[0].url)
        first = await ann.request(service.name, "first")  # so that its description is known
        service.answer(await service.next_call(), result=0)
        await ann.answer(first)
        gateway.meshd.signal(signal.SIGSTOP)
        asked = [await ann.request(service.name, "asked", {"n": n}) for n in range(5)]
        await eventually(lambda: gateway.edges[0].health()[1]["pending"] == 5, "they are in the ring")
        gateway.edges[0].process.kill()
        await ann.closed()
        gateway.meshd.signal(signal.SIGCONT)
        await parked(gateway, 1)
        await ann.resume(gateway.edges[1].url)
        assert ann.pending == asked
        for call in await service.next_calls(5):
            service.answer(call, result=call.params["n"])
        assert [(await ann.answer(trace_id))["result"] for trace_id in asked] == list(range(5))
        ann.check()
        await ann.close()


async def test_a_request_that_was_never_taken_is_neither_answered_nor_pending(gateways, private_broker):
    """The broker is away, so the edge holds the request back; then the edge is killed."""
    gateway = gateways(url=private_broker.url, edges=2)
    ann = await Resuming.open(gateway.edges[0].url)
    private_broker.kill()
    await eventually(lambda: gateway.edges[0].health()[1]["broker"] == "away", "the broker is away")
    asked = await ann.request("any", "thing")
    gateway.edges[0].process.kill()
    await ann.closed()
    await parked(gateway, 1)
    await ann.resume(gateway.edges[1].url)
    assert asked not in ann.pending and not ann.answers[asked]
    await ann.close()


async def test_a_half_open_socket_is_taken_over(gateways, demo):  # provokes: 4503
    gateway = gateways(edges=2)
    old = await Resuming.open(gateway.edges[0].url)
    new = Resuming()
    new.session_id, new.token, new.seq = old.session_id, old.token, old.seq
    await new.resume(gateway.edges[1].url)
    assert await old.closed() == 4503
    asked = await new.request(demo, "echo", {"value": 1})
    assert (await new.answer(asked))["result"] == {"value": 1}
    new.check()
    await new.close()


async def test_whose_token_it_is_and_how_often_it_counts(gateways):
    gateway = gateways(edges=2, settings={"resume": {"window_ms": 120_000}})
    ann = await Resuming.open(gateway.edges[0].url)
    first = ann.token
    await ann.lost()
    await parked(gateway, 1)

    bob = Resuming("secret-bob")
    bob.token = first
    assert await failure(bob, gateway.url, token=first) == "other_user"
    assert await failure(bob, gateway.url, token=first[:-2] + "00") == "unknown"
    assert await failure(bob, gateway.url, token="x" * 5000) == "unknown"

    # The answer that brought the second token was lost: the first one goes on to count.
    await ann.resume(gateway.edges[1].url)
    await ann.lost()
    await parked(gateway, 1)
    await ann.resume(gateway.edges[0].url, token=first)
    other = Resuming()
    assert await failure(other, gateway.edges[1].url, token=first) == "in_use", "twice at once"
    # It has the second, as it says something that only the second socket heard.
    await ann.done("resume")
    await ann.lost()
    await parked(gateway, 1)
    assert await failure(other, gateway.edges[1].url, token=first, seq=ann.seq) == "used"
    assert await failure(other, gateway.edges[1].url, token=ann.token, seq=ann.seq + 1) == "bad_seq"
    await ann.resume(gateway.edges[1].url)
    await ann.close()
    # Its consumer has left: nothing waits.
    assert await failure(other, gateway.edges[1].url, token=ann.token, seq=ann.seq) == "ended"
    for consumer in (bob, other):
        await consumer.close()
    ann.check()


async def test_bounds(gateways):
    """A window, a mailbox's bytes, all mailboxes' bytes, sessions that wait."""
    gateway = gateways(edges=2, settings={"resume": {"window_ms": 300, "mailbox_bytes": 8192, "total_bytes": 12_000, "sessions": 2}})
    topic = unique("flood")
    fresh = Resuming()
    await fresh.connect(gateway.url)

    async def why(consumer):
        with pytest.raises(ResumeFailed) as failed:
            await fresh.take_up(token=consumer.token, seq=consumer.seq)
        return failed.value.reason

    gone = await Resuming.open(gateway.url)
    await gone.lost()
    await eventually(lambda: metric(gateway, "sessions_given_up_total") == 1, "its window is over")
    assert await why(gone) == "expired"

    gateway.settings["resume"]["window_ms"] = 120_000
    gateway.write_config()
    gateway.meshd.stop()
    gateway.start_meshd()
    gateway.until_ready()

    async def publish_and_hear(values):
        """When bob has received it, meshd has also put it into mailboxes."""
        await publish(bob, topic, values)
        assert [(await bob.event())["event"] for _ in values] == values

    async with await Consumer.open(gateway.url, token="secret-bob") as bob:
        await bob.done("subscribe", topic=topic)
        ann = [await Resuming.open(gateway.url) for _ in range(3)]
        for one in ann:
            await subscribed(one, topic)
            await one.lost()
        await parked(gateway, 2)
        assert await why(ann[0]) == "too_many"
        await publish_and_hear(["x" * 900] * 4)
        await ann[1].resume(gateway.url)
        await ann[1].until(lambda: len(ann[1].events) == 4, "what fits is there")
        await ann[1].lost()
        await parked(gateway, 2)
        await publish_and_hear(["x" * 900] * 4)
        assert await why(ann[2]) == "missed_too_much", "all together have more than total_bytes, and it has most of it"
        await ann[1].resume(gateway.url)
        await ann[1].until(lambda: len(ann[1].events) == 8, "who has less keeps it")
        await ann[1].lost()
        await parked(gateway, 2)
        await publish_and_hear(["x" * 900] * 12)
        assert await why(ann[1]) == "missed_too_much", "more than mailbox_bytes"
        assert metric(gateway, "mailbox_bytes") <= 12_000
    asked = await fresh.send("describe", service="nobody")
    fresh.reader = asyncio.create_task(fresh.read())
    assert (await fresh.answer(asked))["error"], "the socket went on as the session that it is"
    await fresh.close()


async def test_who_ignores_all_this(gateways, demo, broker_url):
    """Beside a session that is not resumable: it has no numbers and no mailbox."""
    gateway = gateways(edges=1)
    topic = unique("plain")
    async with await Consumer.open(gateway.url) as plain, await Resuming.open(gateway.url) as kept:
        await plain.done("subscribe", topic=topic)
        await subscribed(kept, topic)
        await publish(plain, topic, [1])
        message = await plain.other()
        assert message == {"type": "event", "payload": {"topic": topic, "event": 1}}
        await kept.until(lambda: kept.events == [(topic, 1)], "its event")
        token = plain.hello["payload"]["event"]["resume"]["token"]
        plain.reset()
        await eventually(lambda: metric(gateway, "sessions") == 1, "its end is known")
        assert metric(gateway, "mailboxes") == 1
        fresh = Resuming()
        assert await failure(fresh, gateway.url, token=token) == "unknown"
        await fresh.close()
        kept.check()


async def test_what_was_subscribed_to_before_goes_along(gateways):
    """A session may become resumable at any time: from then on its mailbox does what its edge did before."""
    gateway = gateways(edges=2)
    topic = unique("before")
    async with await Consumer.open(gateway.edges[1].url, token="secret-bob") as bob:
        async with await Resuming.open(gateway.edges[0].url, keep=False) as ann, await Consumer.open(gateway.edges[0].url) as beside:
            await beside.done("subscribe", topic=topic)
            await ann.send("subscribe", topic=topic, trace_id="subscribed")
            await ann.keep()
            await ann.answer("subscribed")
            await publish(bob, topic, [1])
            await ann.until(lambda: ann.events == [(topic, 1)], lambda: f"its event: {ann.events}")
            await ann.lost()
            await parked(gateway, 1)
            await publish(bob, topic, [2])
            await ann.resume(gateway.edges[1].url)
            await ann.until(lambda: ann.events == [(topic, 1), (topic, 2)], lambda: f"what it missed: {ann.events}")
            assert [(await beside.other())["payload"]["event"] for _ in range(2)] == [1, 2]
            await ann.done("unsubscribe", topic=topic)
            assert metric(gateway, "topics") == 1
            await publish(bob, topic, [3])
            assert (await beside.other())["payload"]["event"] == 3
            await beside.done("unsubscribe", topic=topic)
            assert ann.events == [(topic, 1), (topic, 2)] and metric(gateway, "topics") == 0
            ann.check()


async def test_off(gateways):  # provokes: NuropbResumeFailed
    gateway = gateways(edges=1, settings={"resume": {"enabled": False}})
    async with await Consumer.open(gateway.url) as ann:
        assert set(ann.hello["payload"]["event"]) == {"session_id", "user_id", "username"}
        assert await ann.refused("resume") == "NuropbResumeFailed"


async def test_meshd_dies_and_the_numbers_go_on(gateways, broker_url):
    gateway = gateways(edges=2)
    topic = unique("news")
    async with ManualService(broker_url, unique("held")) as service:
        ann = await Resuming.open(gateway.edges[0].url)
        await subscribed(ann, topic)
        held = [await ann.request(service.name, "held", {"n": n}) for n in range(3)]
        calls = await service.next_calls(3)
        await ann.lost()
        await parked(gateway, 1)
        await ann.resume(gateway.edges[1].url)
        own = await ann.request(service.name, "own")
        own_call = await service.next_call()
        await ann.done("event", topic=topic, event=0)  # the broker has confirmed what went before it
        await ann.until(lambda: ann.events, "it is subscribed")
        # meshd commits an answer before it notes that the request is settled: another answer shows that it has done both.
        await ann.done("unsubscribe", topic="-")
        gateway.meshd.kill()
        await eventually(lambda: not any(edge.attached() for edge in gateway.edges), "meshd is away")
        gateway.start_meshd()
        gateway.until_ready()
        for call in (*calls, own_call):
            service.answer(call, result=1)
        # Asked by an earlier socket, of a meshd that is dead: nobody knows their address any more.
        for trace_id in held:
            assert (await ann.answer(trace_id))["error"]["outcome"] == "unknown"
        assert (await ann.answer(own))["result"] == 1, "asked by this socket, and published"
        await ann.done("event", topic=topic, event=1)
        await ann.until(lambda: ann.events == [(topic, 0), (topic, 1)], "it is subscribed still")
        await ann.lost()
        await parked(gateway, 1)
        await ann.resume(gateway.edges[0].url)
        await ann.done("event", topic=topic, event=2)
        await ann.until(lambda: len(ann.events) == 3, "and again")
        assert not ann.unnumbered
        ann.check()
        # What waits when meshd dies is lost with it, and says so.
        await ann.lost()
        await parked(gateway, 1)
        gateway.meshd.kill()
        await eventually(lambda: not any(edge.attached() for edge in gateway.edges), "meshd is away")
        gateway.start_meshd()
        gateway.until_ready()
        assert await failure(ann, gateway.url) == "unknown"
        await ann.close()


async def test_an_answer_that_an_edge_gives_back_is_the_only_one(gateways):
    """A new meshd may hear an answer before it has read that the one who waits for it has numbered messages: it goes to the
    edge, and comes back for a number."""
    gateway = gateways(edges=1)
    command = [str(word) for word in (binary("nuropb-hostile-edge"), gateway.folder / "run" / "meshd.sock", "answer-given-back", "secret-ann")]
    edge = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    heard = json.loads((await asyncio.wait_for(edge.communicate(), 90))[0])
    assert [(number, answers) for number, answers, _ in heard] == [(1, 1), (2, 7), (3, 0), (4, 8)], heard
    assert [text for *_, text in heard][1:3] == [{"given": "back"}, {"made": "up"}]
    assert heard[3][2]["payload"]["error"]["error"] == "NuropbTimeoutError", "and only the other one is late"


@pytest.mark.limit(120)
async def test_cut_at_random_moments_under_load(gateways, broker_url):
    """Numbered events at full speed, requests all the time, sockets that are cut: each event once and in order, each request
    with one outcome, and run at most once."""
    gateway = gateways(edges=3)
    chance = random.Random(5)
    topic = unique("ledger")
    total = 3000
    ran = []
    async with ManualService(broker_url, unique("ledger")) as service, await Consumer.open(gateway.edges[2].url, token="secret-bob") as bob:
        async def serve():
            while True:
                call = await service.next_call(120)
                ran.append(call.params["n"])
                service.answer(call, result=call.params["n"])

        async def tell():
            waiting = []
            for n in range(total):
                waiting.append(await bob.begin_verb("event", topic=topic, event=n))
                if len(waiting) == 50:
                    assert all(answer["error"] is None for answer in await asyncio.gather(*waiting))
                    waiting.clear()
        ann = await Resuming.open(gateway.edges[0].url)
        ann.ack_every = 50
        await subscribed(ann, topic)
        serving, telling = asyncio.create_task(serve()), asyncio.create_task(tell())
        asked, again = {}, 0
        n = 0
        try:
            for cut in range(20):
                for _ in range(chance.randrange(1, 12)):
                    asked[await ann.request(service.name, "count", {"n": n})] = n
                    n += 1
                    await asyncio.sleep(chance.random() * 0.01)
                await ann.lost()
                if chance.random() < 0.3:
                    # Lost again before the answer came.
                    await ann.connect(gateway.edges[chance.randrange(3)].url)
                    await ann.ws.send('{"type":"resume","payload":{"token":"%s","seq":%d}}' % (ann.token, ann.seq))
                    ann.reader = None
                    await ann.lost()
                await ann.resume(gateway.edges[chance.randrange(3)].url)
                # Neither in the log nor pending: it was never taken, and may be asked again.
                log_end = ann.last_of_log
                await ann.until(lambda: ann.seq >= log_end, "what was missed")
                for trace_id in [trace_id for trace_id in asked if not ann.answers.get(trace_id) and trace_id not in ann.pending]:
                    assert asked[trace_id] not in ran, "what was never taken did not run"
                    await ann.send("request", trace_id, service=service.name, method="count", params={"n": asked[trace_id]})
                    again += 1
            await telling
            for trace_id, number in asked.items():
                assert (await ann.answer(trace_id))["result"] == number
            await ann.until(lambda: len(ann.events) >= total, lambda: f"all events: {len(ann.events)}")
        finally:
            serving.cancel()
        assert [event for _, event in ann.events] == list(range(total))
        assert sorted(ran) == list(range(n)), "each ran once"
        ann.check()
        await ann.close()
