"""Faults between meshd and its broker while both run: the network, queues, a channel, memory."""

import asyncio
import json
from collections import Counter
from urllib.parse import urlsplit

import pytest

from support.broker import connection, with_parts
from support.consumer import Consumer, RawSocket
from support.cut import Cut
from support.manual_service import ManualService
from support.metrics import value
from support.resuming import Resuming
from support.services import demo_service, unique
from support.waiting import eventually

OPEN = 'default = ["request", "command", "describe", "event", "subscribe"]\n'


def options(url=None, **more):
    return {**({"url": url} if url else {}), "files": {"policy.toml": OPEN}, "settings": {"auth": {"policy_file": "policy.toml"}}, **more}


def way_to(url):
    address = urlsplit(url)
    return Cut(address.hostname, address.port)


def brokers(gateway):
    """The broker's state in each edge's segment."""
    return {edge.health()[1].get("broker") for edge in gateway.edges}


async def pending(gateway, count):
    await eventually(lambda: sum(edge.health()[1]["pending"] for edge in gateway.edges) == count, lambda: f"{count} pending: {[edge.health() for edge in gateway.edges]}")


async def is_ready(gateway):
    await eventually(lambda: brokers(gateway) == {"ready"}, lambda: f"all are ready: {brokers(gateway)}\n{gateway.meshd.tail(10)}")


async def outcome(future, timeout=45):
    return await asyncio.wait_for(future, timeout)


async def known(consumer, service):
    """Fetches the service's description first, so that the request does not wait for it."""
    first = await consumer.begin(service.name, "first")
    service.answer(await service.next_call(), result=0)
    await outcome(first)


async def test_what_the_broker_had_not_confirmed_is_unknown_and_what_waits_goes_on(broker_url, gateways):
    async with way_to(broker_url) as way:
        gateway = await started(gateways, with_parts(broker_url, port=way.port), edges=4)
        async with ManualService(broker_url, unique("cut")) as service:
            ann, bob, cid = [await Consumer.open(edge.url) for edge in gateway.edges[:3]]
            await known(ann, service)
            held = await ann.begin(service.name, "held", ttl=60_000)
            held_call = await service.next_call()
            await ann.request(service.name + "-nobody", "x")  # an answer of the broker's: what went before is confirmed
            way.hang()
            on_the_way = await ann.begin(service.name, "on the way", ttl=60_000)
            await eventually(lambda: b'"on the way"' in way.lost, lambda: f"meshd has sent it: {way.lost}")
            await pending(gateway, 2)
            way.cut()
            assert (await outcome(on_the_way))["error"]["outcome"] == "unknown"
            await eventually(lambda: brokers(gateway) == {"away"}, lambda: f"every segment says so: {brokers(gateway)}")
            patient = await bob.begin(service.name, "patient", ttl=60_000)
            hasty = (await cid.request(service.name, "hasty", ttl=300))["error"]
            assert hasty["error"] == "NuropbTimeoutError" and "outcome" not in hasty, hasty
            service.answer(held_call, result="held")
            way.mend()
            await is_ready(gateway)
            call = await service.next_call()
            assert call.method == "patient"
            service.answer(call, result="patient")
            assert (await outcome(held))["result"] == "held" and (await outcome(patient))["result"] == "patient"
            assert service.calls.empty(), "neither the hasty one nor the one that hung"
            for consumer in (ann, bob, cid):
                assert consumer.open_still and all(len(seen) == 1 for seen in consumer.answers.values()) and consumer.others.empty()
                await consumer.close()


async def started(gateways, url, **more):
    """The proxy runs on this event loop, so nothing may block it to wait for the gateway."""
    gateway = gateways(**options(url, wait_ready=False, **more))
    await is_ready(gateway)
    return gateway


async def test_a_topic_that_the_broker_refuses_is_said_and_the_rest_goes_on(private_broker, gateways):
    """A denied bind is the answer to the request; after a reconnect, the subscribers are told."""
    user = unique("limited")

    def may_read(pattern):
        private_broker.ctl("--quiet", "set_topic_permissions", user, "nuropb-events-exchange", ".*", pattern)
    private_broker.ctl("--quiet", "add_user", user, "limited-password")
    private_broker.ctl("--quiet", "set_permissions", user, ".*", ".*", ".*")
    may_read("^(?!secret)")
    gateway = await started(gateways, with_parts(private_broker.url, user=user, password="limited-password"))
    async with await Consumer.open(gateway.url) as ann, await Resuming.open(gateway.url, "secret-bob") as bob:
        for topic in ("open.a", "later.a"):
            await ann.done("subscribe", topic=topic)
            await bob.done("subscribe", topic=topic)
        assert await ann.refused("subscribe", topic="secret.a") == "NuropbTransportError"
        await ann.done("event", topic="later.a", event=1)
        assert (await ann.other())["payload"]["event"] == 1
        await asyncio.to_thread(may_read, "^(?!secret|later)")
        await asyncio.to_thread(private_broker.ctl, "--quiet", "close_all_connections", "another one, please")
        told = {"error": "NuropbTransportError", "description": "Topic later.a: the broker refuses the topic"}
        assert await ann.other() == told
        await bob.until(lambda: bob.others, "it is told, too")
        assert [{name: value for name, value in message.items() if name != "seq"} for message in bob.others] == [told]
        await is_ready(gateway)
        assert await bob.done("event", topic="open.a", event=2) is None
        assert (await ann.other())["payload"] == {"topic": "open.a", "event": 2}
        await bob.until(lambda: bob.events == [("later.a", 1), ("open.a", 2)], lambda: str(bob.events))
        assert await ann.refused("subscribe", topic="later.a") == "NuropbTransportError"
        bob.check()


async def test_deleted_queues_come_back_and_subscriptions_with_them(broker_url, gateways):
    gateway = gateways(**options(edges=2))
    topic = unique("deleted")
    async with ManualService(broker_url, unique("kept")) as service:
        ann, bob = [await Consumer.open(edge.url) for edge in gateway.edges]
        await known(ann, service)
        await bob.done("subscribe", topic=f"{topic}.#")
        lost = await ann.begin(service.name, "lost", ttl=6000)
        call = await service.next_call()
        instance = (gateway.folder / "run" / "instance").read_text().strip()
        queues = [f"nuropb-{gateway.name}-sq", f"nuropb-{gateway.name}-{instance}-rq"]
        with connection(broker_url) as link:
            channel = link.channel()
            for queue in queues:
                channel.queue_declare(queue, passive=True)
                channel.queue_delete(queue)
            service.answer(call, result="into nowhere")
        await eventually(lambda: gateway.meshd.log().count("cancelled a consumer") >= 2, lambda: gateway.meshd.tail(10))

        async def serve():
            while True:
                service.answer(await service.calls.get(), result="again")
        serving = asyncio.create_task(serve())

        async def answered():
            return (await ann.request(service.name, "again", ttl=1000))["result"] == "again"
        await eventually(answered, "answers come again")
        serving.cancel()
        of_lost = await outcome(lost)  # whichever was there first: the answer, or the new queue
        assert of_lost["result"] == "into nowhere" or of_lost["error"]["error"] == "NuropbTimeoutError", of_lost
        assert (await ann.done("describe", service=gateway.name))["service_name"] == gateway.name, "its own queue is there again"
        await ann.done("event", topic=f"{topic}.one", event=1)
        assert (await bob.event())["event"] == 1
        for consumer in (ann, bob):
            assert consumer.open_still and all(len(seen) == 1 for seen in consumer.answers.values())
            await consumer.close()


async def test_deleted_event_queues_are_bound_again(private_broker, gateways):
    gateway = gateways(**options(private_broker.url, edges=2))
    topic = unique("deleted")
    ann, bob = [await Consumer.open(edge.url) for edge in gateway.edges]
    for n in range(20):
        await bob.done("subscribe", topic=f"{topic}.{n}")
    listed = json.loads(await asyncio.to_thread(private_broker.ctl, "--quiet", "--formatter", "json", "list_queues", "name"))
    ours = [queue["name"] for queue in listed if queue["name"].startswith(f"nuropb-{gateway.name}-") and queue["name"].endswith("-eq")]
    assert len(ours) == 1, listed
    with connection(private_broker.url) as link:
        link.channel().queue_delete(ours[0])

    async def comes():
        await ann.done("event", topic=f"{topic}.19", event="last")
        try:
            return (await bob.event(0.3))["event"] == "last"
        except asyncio.TimeoutError:
            return False
    await eventually(comes, "events come again")
    seen = set()

    async def every_pattern_is_bound_again():
        """One after the other; no client notices."""
        for n in set(range(19)) - seen:
            await ann.done("event", topic=f"{topic}.{n}", event=n)
        while not bob.others.empty():
            seen.add((await bob.event())["event"])
        return seen >= set(range(19))
    await eventually(every_pattern_is_bound_again, lambda: f"every pattern is bound again: {seen}")
    await ann.close()
    await bob.close()


def limit_messages(broker, size):
    """RabbitMQ 4 reads the limit from the second place. Connections made from now on have it."""
    broker.ctl("eval", f"application:set_env(rabbit, max_message_size, {size}), persistent_term:put(max_message_size, {size}).")


async def test_what_the_broker_refuses_of_one_consumer_costs_that_one_only(private_broker, gateways):
    limit = await asyncio.to_thread(private_broker.ctl, "eval", "application:get_env(rabbit, max_message_size).")
    await asyncio.to_thread(limit_messages, private_broker, 50_000)
    try:
        gateway = gateways(**options(private_broker.url, edges=2))
        topic, ran = unique("channel"), Counter()
        async with ManualService(private_broker.url, unique("channel")) as service:
            ann, bob = [await Consumer.open(edge.url) for edge in gateway.edges]
            await known(ann, service)

            async def serve():
                while True:
                    call = await service.calls.get()
                    ran[call.params["n"]] += 1
                    service.answer(call, result=call.params["n"])
            serving = asyncio.create_task(serve())
            await bob.done("subscribe", topic=topic)
            asked = [await bob.begin(service.name, "x", {"n": n}) for n in range(20)]
            guilty = await ann.begin(service.name, "x", {"n": "guilty", "text": "x" * 60_000})
            asked += [await bob.begin(service.name, "x", {"n": n}) for n in range(20, 40)]
            error = (await outcome(guilty))["error"]
            assert error["error"] == "NuropbTransportError" and "outcome" not in error and "larger than" in error["description"], error
            for n, future in enumerate(asked):
                answer = await outcome(future)
                assert answer["error"] is None and answer["result"] == n and ran[n] == 1, answer
            again = await ann.request(service.name, "x", {"n": "guilty", "text": "x" * 70_000})
            assert "50000 bytes" in again["error"]["description"], again
            assert await bob.result(service.name, "x", {"n": 40}) == 40
            assert ran["guilty"] == 0 and max(ran.values()) == 1
            assert value(gateway, "amqp_channels_closed_total") == 1, "the broker is asked once"
            assert value(gateway, 'amqp_refused_messages_total{about="size"}') == 2
            serving.cancel()
            await ann.done("event", topic=topic, event="all is well")
            assert (await bob.event())["event"] == "all is well"
            gateway.meshd.wait_for_log("the broker closed a channel")
            assert "broker not ready" not in gateway.meshd.log()
            for consumer in (ann, bob):
                assert consumer.open_still and all(len(seen) == 1 for seen in consumer.answers.values())
                await consumer.close()
    finally:
        size = "".join(digit for digit in limit if digit.isdigit())
        await asyncio.to_thread(limit_messages, private_broker, size)


@pytest.mark.limit(90)
async def test_a_blocked_broker_stops_the_reading_of_sockets_on_every_edge(private_broker, gateways, folder):
    """Backpressure instead of queues: the edge stops reading from the sockets."""
    gateway = gateways(**options(private_broker.url, edges=4))
    with demo_service(private_broker.url, folder) as demo:
        async with await Consumer.open(gateway.url) as ann:
            assert await ann.result(demo.service, "echo", {"n": 1}) == {"n": 1}
            await asyncio.to_thread(private_broker.ctl, "set_vm_memory_high_watermark", "0.000001")
            try:
                async def blocked():
                    await ann.request(demo.service, "echo", {"n": 2}, ttl=200)  # a connection is blocked when it publishes
                    return brokers(gateway) == {"blocked"}
                await eventually(blocked, lambda: f"every segment says so: {brokers(gateway)}")
                raws = []
                for edge in gateway.edges:
                    raw = await RawSocket.connect("127.0.0.1", edge.port)
                    await raw.send(RawSocket.upgrade(Authorization="Bearer secret-bob"))
                    assert await raw.response() == 101 and (await raw.read_frame())[0] == 1
                    raws.append(raw)
                sent = [0] * len(raws)

                async def fill(n):
                    filler = "x" * 30_000
                    while sent[n] < 2000:
                        request = {"type": "request", "payload": {"service": demo.service, "method": "echo", "params": {"filler": filler}, "trace_id": str(sent[n]), "ttl": 60_000}}
                        await raws[n].send(RawSocket.frame(json.dumps(request)))
                        sent[n] += 1
                filling = [asyncio.create_task(fill(n)) for n in range(len(raws))]
                before = None
                while before != sent:  # until nothing goes any more; what the kernel holds differs by machine
                    before = list(sent)
                    await asyncio.sleep(0.5)
                assert all(0 < count < 1000 for count in sent), f"of 60 MB each: {sent}"
                assert all(edge.health()[1]["pending"] <= 2 for edge in gateway.edges), "what is not sent is not taken"
                for task in filling:  # more than limits.pending_per_session may not wait once it goes on
                    task.cancel()
                await asyncio.gather(*filling, return_exceptions=True)
            finally:
                await asyncio.to_thread(private_broker.ctl, "set_vm_memory_high_watermark", "0.4")
            await is_ready(gateway)
            for n, raw in enumerate(raws):
                opcode, payload = await raw.read_frame()
                assert opcode == 1 and json.loads(payload)["payload"]["error"] is None, payload[:200]
            for raw in raws:
                await raw.close()
            assert await ann.result(demo.service, "echo", {"n": 3}) == {"n": 3}
