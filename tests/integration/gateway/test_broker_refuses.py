"""What a broker refuses of one client affects only that client: messages above its max_message_size, topics that its
permissions deny, bodies above its frame_max. Others are answered as before, and nothing is asked of the broker again and again."""

import asyncio
import time
from collections import Counter
from urllib.parse import urlsplit

import pytest

from support.broker import Broker, declare_exchanges
from support.consumer import Consumer
from support.gateway import Gateway
from support.metrics import value
from support.services import demo_service

LARGEST, FRAME = 100_000, 8192  # RabbitMQ 4 permits no smaller frame
OTHERS, EVERY, ROUND = 6, 0.25, 3.0  # consumers; seconds between two refusals, and of one measurement
SETTINGS = {"files": {"policy.toml": 'default = ["request", "command", "event", "subscribe"]\n'}, "settings": {"auth": {"policy_file": "policy.toml"}}}


@pytest.fixture(scope="module")
def narrow(scratch):
    node = Broker(scratch / "narrow-broker", lines=[f"max_message_size = {LARGEST}", f"frame_max = {FRAME}"])
    node.start()
    declare_exchanges(node.url)  # RabbitMQ 4.3 knows no permissions of an exchange that is not there
    allowed = "^(?!forbidden)"
    node.ctl("--quiet", "set_topic_permissions", urlsplit(node.url).username, "nuropb-events-exchange", allowed, allowed)
    yield node
    node.stop()


class Others:
    """Clients that send one request after another; each answer must be the correct one."""

    def __init__(self, consumers, service):
        self.consumers, self.service = consumers, service

    async def rate(self):
        begun, answered = time.monotonic(), 0

        async def ask(consumer):
            nonlocal answered
            while time.monotonic() < begun + ROUND:
                assert await consumer.result(self.service, "add", {"a": 40, "b": 2}) == 42
                answered += 1
        await asyncio.gather(*(ask(consumer) for consumer in self.consumers))
        return answered / (time.monotonic() - begun)


async def again_and_again(consumer, send, refusals):
    """Sends four requests a second and counts the outcomes, until it is cancelled."""
    while True:
        answer = await asyncio.wait_for(await send(consumer, sum(refusals.values())), 60)
        refusals[answer["error"]["error"] if answer["error"] else "taken"] += 1
        refusals.last = answer["error"]
        await asyncio.sleep(EVERY)


class Refusals(Counter):
    last = None


ABUSES = {
    "too large": lambda demo: lambda consumer, _: consumer.begin(demo.service, "echo", {"text": "x" * (LARGEST + 100)}),
    "a topic that is denied": lambda demo: lambda consumer, _: consumer.begin_verb("event", topic="forbidden", event={}),
    "always another topic that is denied": lambda demo: lambda consumer, n: consumer.begin_verb("event", topic=f"forbidden.{n}", event={}),
    "subscriptions that are denied": lambda demo: lambda consumer, n: consumer.begin_verb("subscribe", topic=f"forbidden.{n}.#"),
}


@pytest.mark.limit(200)
async def test_others_do_not_notice(narrow, folder):
    with Gateway(narrow.url, edges=2, **SETTINGS) as gateway, demo_service(narrow.url, folder) as demo:
        consumers = [await Consumer.open(gateway.edges[n % 2].url) for n in range(OTHERS + 1)]
        guilty, others = consumers[0], Others(consumers[1:], demo.service)
        await others.rate()  # descriptions are fetched, and all is warm
        for name, abuse in ABUSES.items():
            rates, refusals = {"quiet": [], "abused": []}, Refusals()
            for _ in range(2):
                rates["quiet"].append(await others.rate())
                sending = asyncio.create_task(again_and_again(guilty, abuse(demo), refusals))
                rates["abused"].append(await others.rate())
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            quiet, abused = max(rates["quiet"]), max(rates["abused"])
            print(f"{name}: others' requests a second {quiet:.0f} before, {abused:.0f} meanwhile; {dict(refusals)}, {value(gateway, 'amqp_channels_closed_total')} channels closed so far")
            assert set(refusals) == {"NuropbTransportError"} and "outcome" not in refusals.last, (name, refusals, refusals.last)
            assert sum(refusals.values()) >= 4
            assert abused > quiet / 2, (name, rates)
        assert value(gateway, "amqp_connections_total") == 1, gateway.meshd.log()
        assert value(gateway, 'amqp_refused_messages_total{about="size"}') >= 4
        assert "broker not ready" not in gateway.meshd.log()
        for consumer in consumers:
            await consumer.close()


async def test_the_refusals_say_what_is_refused(narrow, folder):
    with Gateway(narrow.url, edges=2, **SETTINGS) as gateway, demo_service(narrow.url, folder) as demo:
        ann, bob = [await Consumer.open(edge.url) for edge in gateway.edges]
        for consumer in (ann, bob):
            answer = await consumer.request(demo.service, "echo", {"text": "x" * LARGEST})
            assert f"max size {LARGEST}" in answer["error"]["description"], answer
            answer = await (await consumer.begin_verb("event", topic="forbidden", event={}))
            assert "access to topic 'forbidden'" in answer["error"]["description"], answer
            answer = await (await consumer.begin_verb("subscribe", topic="forbidden.#"))
            assert "forbidden.#" in answer["error"]["description"], answer
        assert value(gateway, "amqp_channels_closed_total") == 3, "once for each, no matter which client asks"
        # Just what fits is taken, and everything else goes on.
        text = "x" * (LARGEST - 1000)
        assert await ann.result(demo.service, "echo", {"text": text}) == {"text": text}
        await bob.done("subscribe", topic="allowed")
        await ann.done("event", topic="allowed", event="still there")
        assert (await bob.event())["event"] == "still there"
        await ann.close()
        await bob.close()


async def test_the_order_of_one_consumer_is_kept_while_others_are_refused(narrow):
    """Its events use different channels, depending on their size and topic."""
    with Gateway(narrow.url, edges=2, **SETTINGS) as gateway:
        ann, bob, guilty = [await Consumer.open(gateway.edges[n % 2].url) for n in range(3)]
        await bob.done("subscribe", topic="order.*")
        sending = asyncio.create_task(again_and_again(guilty, lambda consumer, n: consumer.begin_verb("event", topic=f"forbidden.{n}", event={}), Refusals()))
        sent = [await ann.begin_verb("event", topic=f"order.{n % 40}", event={"n": n, "text": "x" * (60_000 if n % 9 == 0 else 6_000 if n % 5 == 0 else 1)}) for n in range(200)]
        assert all(answer["error"] is None for answer in await asyncio.wait_for(asyncio.gather(*sent), 60))
        assert [(await bob.event())["event"]["n"] for _ in range(200)] == list(range(200))
        sending.cancel()
        for consumer in (ann, bob, guilty):
            await consumer.close()
