"""Commands, events, describes and subscriptions of consumers, by policy, against a real broker and services."""

import asyncio
import json
import signal

import pika
import pytest

from support.consumer import Consumer
from support.manual_service import ManualService
from support.services import unique
from support.waiting import eventually

OPEN = 'default = ["request", "command", "describe", "event", "subscribe"]\n'


@pytest.fixture
def gateways_by_policy(gateways, folder):
    def start(policy=OPEN, **more):
        file = folder / "policy.toml"
        file.write_text(policy)
        settings = more.pop("settings", {})
        settings.setdefault("auth", {})["policy_file"] = str(file)
        gateway = gateways(settings=settings, **more)
        gateway.policy_file = file
        return gateway
    return start


def publish_as_a_service(url, topic, event, target=None, context=None):
    """An event as the Python peer puts it on the wire."""
    body = {"tag": "event", "topic": topic, "event": event, "context": context or {}, "trace_id": "t", "correlation_id": "c", "target": target}
    headers = {"nuropb_protocol": "0.1.1", "nuropb_version": "0.1.8", "nuropb_type": "event", "trace_id": "t", "encrypted": ""}
    connection = pika.BlockingConnection(pika.URLParameters(url))
    with connection:
        channel = connection.channel()
        channel.confirm_delivery()
        properties = pika.BasicProperties(content_type="application/json", correlation_id="c", headers=headers)
        channel.basic_publish("nuropb-events-exchange", topic, json.dumps(body).encode(), properties)


async def test_without_a_policy_only_requests_are_taken(gateway, demo):  # provokes: NuropbAuthorizationError, NuropbHandlingError
    ann = await Consumer.open(gateway.url)
    assert await ann.refused("command", service=demo, method="echo", params={}) == "NuropbAuthorizationError"
    assert await ann.refused("describe", service=demo) == "NuropbAuthorizationError"
    assert await ann.refused("event", topic="a.b", event=1) == "NuropbAuthorizationError"
    assert await ann.refused("subscribe", topic="#") == "NuropbAuthorizationError"
    assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
    answer = await ann.request(demo, "_private")
    assert answer["error"] == {"error": "NuropbHandlingError", "description": "Unknown method _private"}
    await ann.close()


async def test_a_command_is_done_when_the_broker_has_it(gateways_by_policy, broker_url):  # provokes: NuropbNotDeliveredError
    gateway = gateways_by_policy()
    ann = await Consumer.open(gateway.url)
    async with ManualService(broker_url, unique("commanded")) as service:
        await ann.done("command", service=service.name, method="run", params={"x": 1})
        call = await service.next_call()
        assert (call.body["tag"], call.body["method"], call.body["params"]) == ("command", "run", {"x": 1})
        assert call.body["context"]["user_id"] == "ann"
    assert await ann.refused("command", service="nobody-here", method="run", params={}) == "NuropbNotDeliveredError"
    await ann.close()


async def test_describe(gateways_by_policy, demo):
    ann = await Consumer.open(gateways_by_policy().url)
    description = await ann.done("describe", service=demo)
    assert description["service_name"] == demo
    assert {"echo", "add", "slow", "fail"} <= set(description["methods"])
    await ann.close()


async def test_events_reach_those_who_subscribed(gateways_by_policy, broker_url):
    gateway = gateways_by_policy(edges=2)
    topic = unique("news")
    ann, bob = await Consumer.open(gateway.url), await Consumer.open(gateway.edges[1].url, token="secret-bob")
    await ann.done("subscribe", topic=f"{topic}.#")
    await ann.done("subscribe", topic=f"{topic}.sport")
    await bob.done("subscribe", topic=f"{topic}.*")

    publish_as_a_service(broker_url, f"{topic}.sport", {"goal": 1}, context={"Authorisation": "another user's token"})
    for each in (ann, bob):
        assert await each.event() == {"topic": f"{topic}.sport", "event": {"goal": 1}}, "without its context"
    publish_as_a_service(broker_url, f"{topic}.a.b", 2)
    assert (await ann.event())["event"] == 2
    publish_as_a_service(broker_url, f"{topic}.c", 3, target=["bob", "cat"])
    assert await bob.event() == {"topic": f"{topic}.c", "event": 3, "target": ["bob", "cat"]}

    await bob.done("event", topic=f"{topic}.d", event=["from", "bob"], target=["ann"])
    assert await ann.event() == {"topic": f"{topic}.d", "event": ["from", "bob"], "target": ["ann"]}
    await ann.done("unsubscribe", topic=f"{topic}.#")
    await ann.done("event", topic=f"{topic}.e", event=None)
    assert (await bob.event())["event"] is None
    assert ann.others.empty() and bob.others.empty()
    await ann.close()
    await bob.close()


async def test_leaving_at_once_is_answered_twice(gateways_by_policy):
    gateway = gateways_by_policy()
    async with await Consumer.open(gateway.url) as ann:
        topic = unique("brief")
        asked = [await ann.begin_verb(verb, topic=topic) for _ in range(20) for verb in ("subscribe", "unsubscribe")]
        answers = await asyncio.wait_for(asyncio.gather(*asked), 45)
        assert all(answer["error"] is None for answer in answers)


async def test_an_event_carries_its_publisher_and_no_token(gateways_by_policy, broker_url):
    gateway = gateways_by_policy(settings={"events": {"forward_context": True}, "auth": {"context_claims_key": "claims"}},
                                 tokens={"secret-ann": {"user_id": "ann", "username": "Ann", "roles": ["x"]}})
    ann = await Consumer.open(gateway.url)
    topic = unique("whose")
    await ann.done("subscribe", topic=topic)
    await ann.done("event", topic=topic, event=1)
    event = await ann.event()
    assert event["context"]["user_id"] == "ann" and "secret-ann" not in json.dumps(event)
    await ann.close()


async def test_the_policy_is_kept_and_can_change(gateways_by_policy, demo, broker_url):
    gateway = gateways_by_policy(f"""
default = ["request"]
[[allow]]
verbs = ["subscribe", "event"]
users = ["ann"]
topics = ["chat.#"]
[[deny]]
verbs = ["request"]
roles = ["guest"]
services = ["{demo}"]
methods = ["a*"]
""", tokens={"secret-ann": {"user_id": "ann"}, "secret-bob": {"user_id": "bob", "roles": ["guest"]}})
    ann, bob = await Consumer.open(gateway.url), await Consumer.open(gateway.url, token="secret-bob")
    await ann.done("subscribe", topic="chat.*")
    assert await ann.refused("subscribe", topic="#") == "NuropbAuthorizationError"
    assert await bob.refused("subscribe", topic="chat.*") == "NuropbAuthorizationError"
    assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
    assert (await bob.request(demo, "add", {"a": 1, "b": 2}))["error"]["error"] == "NuropbAuthorizationError"
    assert await bob.result(demo, "echo", {"a": 1}) == {"a": 1}

    gateway.policy_file.write_text("nonsense")
    gateway.meshd.signal(signal.SIGHUP)
    await eventually(lambda: "policy not reloaded" in gateway.meshd.log(), lambda: "a mistake is reported")
    await ann.done("event", topic="chat.a", event="still allowed")
    assert (await ann.event())["event"] == "still allowed"

    gateway.policy_file.write_text("default = []\n")
    gateway.meshd.signal(signal.SIGHUP)
    ended = await ann.other()
    assert ended["error"] == "NuropbAuthorizationError" and "chat.*" in ended["description"]
    assert (await ann.request(demo, "echo", {}))["error"]["error"] == "NuropbAuthorizationError"
    publish_as_a_service(broker_url, "chat.b", "not for her any more")
    assert await ann.refused("event", topic="chat.a", event=1) == "NuropbAuthorizationError"
    assert ann.others.empty()
    await ann.close()
    await bob.close()


async def test_subscriptions_outlive_meshd(gateways_by_policy, broker_url):
    gateway = gateways_by_policy()
    ann = await Consumer.open(gateway.url)
    topic = unique("after")
    await ann.done("subscribe", topic=topic)
    gateway.meshd.kill()
    gateway.start_meshd()
    gateway.until_ready()
    # Bound again soon after meshd is back; nobody is told when.
    def arrives():
        publish_as_a_service(broker_url, topic, "again")
        return not ann.others.empty()
    await eventually(arrives, lambda: "events come again")
    assert (await ann.event())["event"] == "again"
    await ann.close()


async def test_a_socket_has_a_bound_of_subscriptions_and_leaves_none_behind(gateways_by_policy, broker_url):
    gateway = gateways_by_policy(settings={"events": {"subscriptions_per_session": 3}})
    ann, bob = await Consumer.open(gateway.url), await Consumer.open(gateway.url, token="secret-bob")
    prefix = unique("many")
    for number in range(3):
        await ann.done("subscribe", topic=f"{prefix}.{number}")
        await ann.done("subscribe", topic=f"{prefix}.{number}")  # idempotent
    assert await ann.refused("subscribe", topic=f"{prefix}.3") == "NuropbTransportError"
    await ann.done("unsubscribe", topic=f"{prefix}.0")
    await ann.done("subscribe", topic=f"{prefix}.3")
    await bob.done("subscribe", topic=f"{prefix}.3")
    ann.reset()
    await eventually(lambda: gateway.edges[0].health()[1]["sessions"] == 1, lambda: "ann is gone")
    publish_as_a_service(broker_url, f"{prefix}.3", "for bob alone")
    assert (await bob.event())["event"] == "for bob alone"
    await bob.close()
