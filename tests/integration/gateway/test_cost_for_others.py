"""What one client writes costs the broker, services and other clients no more than a bound (docs/tasks/limits.md), and what a service
knows of one request is of no use for another one."""

import json

import pika
import pytest

from support.consumer import Consumer
from support.manual_service import ManualService
from support.services import unique

OPEN = 'default = ["request", "command", "describe", "event", "subscribe"]\n'


@pytest.fixture
def open_gateway(gateways, folder):
    (folder / "policy.toml").write_text(OPEN)
    return gateways(settings={"auth": {"policy_file": str(folder / "policy.toml")}})


async def test_the_broker_is_asked_for_the_shortest_pattern(open_gateway, demo):  # provokes: NuropbValidationError
    name = unique("topic")
    ann = await Consumer.open(open_gateway.url)
    bob = await Consumer.open(open_gateway.url, "secret-bob")
    written = "#." * 60 + name
    await ann.done("subscribe", topic=written)
    await bob.done("subscribe", topic=f"#.{name}")
    await bob.done("event", topic=f"a.b.{name}", event=1)
    for consumer in (ann, bob):
        assert (await consumer.event())["topic"] == f"a.b.{name}"
    # One spelling goes, the binding of the other one stays.
    await ann.done("unsubscribe", topic=written)
    await bob.done("event", topic=f"c.{name}", event=2)
    assert (await bob.event())["topic"] == f"c.{name}"
    await bob.done("unsubscribe", topic=f"#.{name}")
    # What stands for too much is refused by name, and nothing else of the socket's is touched.
    for pattern in ("#.a.#.b.#", ".".join(["a"] * 21), "#.*.x.#.#.*.y.#"):
        assert await ann.refused("subscribe", topic=pattern) == "NuropbValidationError", pattern
    assert await ann.refused("event", topic=".".join(["a"] * 33), event=1) == "NuropbValidationError"
    assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
    await ann.close()
    await bob.close()


async def test_a_number_that_services_cannot_read_stays_outside(gateway, demo):
    ann = await Consumer.open(gateway.url)
    number = "9" * 5000
    for params in (f'{{"a": {number}}}', f'{{"a": [0.{number}]}}', f'{{"a": {{"b": -{number}}}}}', f'{{"a": 1e{number}}}'):
        await ann.send(f'{{"type":"request","payload":{{"service":"{demo}","method":"echo","params":{params},"trace_id":"long"}}}}')
        refused = await ann.other()
        assert refused["error"] == "JSONDecodeError" and "Number too long" in refused["description"], refused
    longest = "9" * 1000
    await ann.send(f'{{"type":"request","payload":{{"service":"{demo}","method":"echo","params":{{"a":{longest}}},"trace_id":"as long as may be"}}}}')
    answer = await ann.other()
    assert answer["payload"]["result"] == {"a": int(longest)}, answer
    await ann.close()


async def test_an_event_names_no_more_users_than_an_edge_can_look_up(open_gateway, demo):
    ann = await Consumer.open(open_gateway.url)
    await ann.done("subscribe", topic="news.*")
    assert await ann.refused("event", topic="news.a", event=1, target=["anm"] * 10_001) == "NuropbValidationError"
    await ann.done("event", topic="news.b", event=1, target=["anm"] * 9_999 + ["ann"])
    assert (await ann.event())["topic"] == "news.b"
    await ann.close()


async def test_a_service_cannot_answer_what_another_one_was_asked(gateway, broker_url):
    ann = await Consumer.open(gateway.url)
    async with ManualService(broker_url, unique("asked")) as asked, ManualService(broker_url, unique("once")) as once:
        await ann.begin(once.name, "anything")
        known = await once.next_call()
        once.answer(known, result="fine")
        waiting = await ann.begin(asked.name, "balance")
        call = await asked.next_call()
        # It knows the queue, an id of its own, and how the addresses in ids are counted.
        seen = known.properties.correlation_id
        address = int(seen[:32], 16)
        body = {"tag": "response", "result": "forged", "error": None, "correlation_id": "", "trace_id": "", "warning": None, "reply_to": ""}
        with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for n in range(1, 100):
                for guess in (f"{address + n:032x}", f"{address + n:032x}{seen[32:]}", f"{address + n:032x}{'0' * len(seen[32:])}"):
                    headers = {"nuropb_protocol": "0.1.1", "nuropb_version": "0.1.8", "nuropb_type": "response", "trace_id": "t", "encrypted": ""}
                    channel.basic_publish("", known.properties.reply_to, json.dumps({**body, "correlation_id": guess}).encode(),
                                          pika.BasicProperties(correlation_id=guess, headers=headers, content_type="application/json"))
        assert any(f"{address + n:032x}" == call.properties.correlation_id[:32] for n in range(1, 100)), "the right address was among them"
        asked.answer(call, result="true")
        assert (await waiting)["result"] == "true"
    await ann.close()


@pytest.mark.parametrize("verb", ["request", "command"])
async def test_who_may_not_describe_may_not_by_another_verb(gateways, folder, demo, verb):
    (folder / "policy.toml").write_text(f'default = ["request", "command"]\n\n[[deny]]\nverbs = ["describe"]\nservices = ["{demo}"]\n')
    gateway = gateways(settings={"auth": {"policy_file": str(folder / "policy.toml")}})
    ann = await Consumer.open(gateway.url)
    assert await ann.refused("describe", service=demo) == "NuropbAuthorizationError"
    assert await ann.refused(verb, service=demo, method="nuropb_describe", params={}) == "NuropbAuthorizationError"
    assert await ann.result(demo, "add", {"a": 1, "b": 2}) == 3
    await ann.close()
