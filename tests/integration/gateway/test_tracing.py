"""Traces: clients' trace contexts reach services and a collector, and the log lines of one request are found in all logs."""

import asyncio
import json
import re
import secrets

import pika
import pytest

from support.broker import connection
from support.consumer import Consumer
from support.gateway import Gateway
from support.manual_service import ManualService
from support.metrics import value
from support.otlp import Collector
from support.ports import free_port
from support.services import demo_service, unique
from support.snorky import SnorkyClient, options
from support.waiting import eventually, wait_until

OPEN = 'default = ["request", "command", "describe", "event", "subscribe"]\n'


def fresh(sampled=True):
    """(trace id, span id, traceparent)"""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, span, f"00-{trace}-{span}-{'01' if sampled else '00'}"


@pytest.fixture(scope="module")
def collector():
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def traced(broker_url, collector, module_folder):
    settings = {"tracing": {"otlp_url": collector.url, "sample_ratio": "0"}, "auth": {"policy_file": "policy.toml"}}
    with Gateway(broker_url, settings=settings, files={"policy.toml": OPEN}) as gateway:
        yield gateway


async def arrived(consumer, service, **members):
    """A message in the service's queue: (context, AMQP headers)."""
    answer = await consumer.begin(service.name, "m", **members)
    call = await service.next_call()
    service.answer(call)
    await answer
    return call.body["context"], call.properties.headers


async def test_without_a_collector_it_is_passed_on_as_it_came(gateway, broker_url):
    trace, _, parent = fresh()
    async with await Consumer.open(gateway.url) as ann, ManualService(broker_url, unique("traced")) as service:
        context, headers = await arrived(ann, service, traceparent=parent)
        assert context["traceparent"] == parent == headers["traceparent"]
        # The trace_id of NuroPb is what it was.
        assert set(context) == {"user_id", "Authorisation", "trace_id", "traceparent"} and headers["trace_id"] == context["trace_id"]
        for wrong in (None, 7, "", "00-x", parent[:-1], parent.upper(), parent.replace(trace, "0" * 32), "ff" + parent[2:], {"traceparent": parent}):
            context, headers = await arrived(ann, service, traceparent=wrong)
            assert "traceparent" not in context and "traceparent" not in headers, wrong
        context, _ = await arrived(ann, service, traceparent="cc" + parent[2:] + "-later")
        assert context["traceparent"] == parent
    # A handshake's is the parent of what brings none.
    async with await Consumer.open(gateway.url, headers={"traceparent": parent}) as ann, ManualService(broker_url, unique("traced")) as service:
        context, headers = await arrived(ann, service)
        assert context["traceparent"] == parent == headers["traceparent"]
        _, _, another = fresh()
        assert (await arrived(ann, service, traceparent=another))[0]["traceparent"] == another


async def test_spans_and_who_is_whose_child(traced, collector, python):
    trace, span, parent = fresh()
    async with await Consumer.open(traced.url) as ann:
        context = await ann.result(python, "context", traceparent=parent)
    await eventually(lambda: len(collector.of(trace)) == 2, lambda: f"{collector.posts} posts\n{traced.meshd.tail()}")
    server, client = sorted(collector.of(trace), key=lambda one: one.kind)
    assert (server.kind, client.kind) == (2, 3)
    assert server.parent == span and client.parent == server.id
    assert context["traceparent"] == f"00-{trace}-{client.id}-01"
    assert server.name == f"request {python}.context" and server.error is None and client.error is None
    assert server.attributes["rpc.service"] == python and server.attributes["rpc.method"] == "context"
    assert server.attributes["enduser.id"] == "ann" and server.attributes["nuropb.trace_id"] == context["trace_id"]
    assert server.attributes["nuropb.outcome"] == "ok"
    assert server.start <= client.start <= client.end <= server.end
    assert server.resource["service.name"] == traced.name
    await eventually(lambda: value(traced, "spans_exported_total") >= 2 and value(traced, "spans_dropped_total") == 0, "they are counted")


async def test_commands_events_and_errors(traced, collector, broker_url, folder):
    with demo_service(broker_url, folder) as demo:
        async with await Consumer.open(traced.url) as ann:
            traces = {name: fresh(sampled=name != "unsampled") for name in ("unsampled", "fail", "nobody", "command", "event", "late")}
            await ann.request(demo.service, "echo", traceparent=traces["unsampled"][2])  # its spans would be there before the others'
            await ann.request(demo.service, "fail", traceparent=traces["fail"][2])
            await ann.request(unique("nobody"), "m", traceparent=traces["nobody"][2])
            await ann.done("command", service=demo.service, method="echo", params={}, traceparent=traces["command"][2])
            await ann.done("event", topic="t.traced", event={}, traceparent=traces["event"][2])
            # Time enough to be sent, so that it has both spans, however slow the machine.
            await ann.request(demo.service, "slow", {"ms": 60_000}, ttl=2000, traceparent=traces["late"][2])
    found = lambda name: {(span.kind, span.error) for span in collector.of(traces[name][0])}
    expected = {"fail": {(2, "error"), (3, "error")}, "nobody": {(2, "not_delivered"), (3, "not_delivered")}, "command": {(2, None), (4, None)},
                "event": {(2, None), (4, None)}, "late": {(2, "timeout"), (3, "timeout")}, "unsampled": set()}
    await eventually(lambda: {name: found(name) for name in traces} == expected, lambda: str({name: found(name) for name in traces}))


async def test_traces_that_begin_here_and_a_collector_that_is_away(gateways, broker_url, folder):
    port = free_port()
    gateway = gateways(settings={"tracing": {"otlp_url": f"http://127.0.0.1:{port}/v1/traces", "queued_spans": 16, "timeout_ms": 500}})
    with demo_service(broker_url, folder) as demo:
        async with await Consumer.open(gateway.url) as ann:
            for _ in range(600):
                await ann.result(demo.service, "echo")
            # Nobody waits for it, and what does not fit is dropped and counted.
            await eventually(lambda: value(gateway, "spans_dropped_total") > 0, "some are dropped")
            gateway.meshd.wait_for_log("spans can't be exported")
            with Collector(port) as collector:
                await eventually(lambda: collector.spans, lambda: gateway.meshd.tail())
                gateway.meshd.wait_for_log("spans are exported again")
                assert all(span.parent is None for span in collector.spans if span.kind == 2)
                collector.status = 400
                await ann.result(demo.service, "echo")
                dropped = value(gateway, "spans_dropped_total")
                await eventually(lambda: value(gateway, "spans_dropped_total") > dropped, "what is refused for good is dropped")


async def test_headers_for_the_collector(gateways, collector, broker_url, folder):
    gateway = gateways(settings={"tracing": {"otlp_url": collector.url, "headers_file": "headers"}}, files={"headers": "Authorization: Bearer first-secret\nx-team: us\n"},
                       secrets={"first-secret", "second-secret"})
    file = gateway.folder / "headers"

    async def sent():
        """The headers of an exported span's request."""
        trace, _, parent = fresh()
        await ann.request(unique("nobody"), "m", traceparent=parent)
        await eventually(lambda: collector.of(trace), lambda: gateway.meshd.tail())
        return collector.headers.get("authorization"), collector.headers.get("x-team")
    async with await Consumer.open(gateway.url) as ann:
        assert await sent() == ("Bearer first-secret", "us")
        (gateway.folder / "new").write_text("Authorization: Bearer second-secret\n")
        (gateway.folder / "new").rename(file)
        assert await sent() == ("Bearer second-secret", None)
        # While there are none that can be used, the former ones go on.
        file.write_text("Bearer third-secret\n")
        assert await sent() == ("Bearer second-secret", None)
    assert "headers for the collector could not be reloaded" in gateway.meshd.log() and "third-secret" not in gateway.meshd.log()


def publish(url, topic, event, context):
    """Publishes like a service that handles a request of that context."""
    body = {"tag": "event", "topic": topic, "event": event, "context": context, "trace_id": "t", "correlation_id": "c", "target": None}
    headers = {"nuropb_protocol": "0.1.1", "nuropb_version": "0.1.8", "nuropb_type": "event", "trace_id": "t", "encrypted": ""}
    with connection(url) as link:
        link.channel().basic_publish("nuropb-events-exchange", topic, json.dumps(body).encode(), pika.BasicProperties(content_type="application/json", correlation_id="c", headers=headers))


async def test_subscriptions_and_events(traced, collector, broker_url):
    """A consumer's event, and a service's that is about a traced request, come with their trace to each receiver."""
    traces = {name: fresh() for name in ("subscribe", "unsubscribe", "refused", "event")}
    topic = unique("traced")
    async with await Consumer.open(traced.url) as ann, ManualService(broker_url, unique("traced")) as service:
        await ann.done("subscribe", topic=topic, traceparent=traces["subscribe"][2])
        assert await ann.refused("subscribe", topic="nuropb-gateway.x", traceparent=traces["refused"][2])
        await ann.done("event", topic=topic, event=1, traceparent=traces["event"][2])
        from_consumer = (await ann.other())["payload"]
        context, _ = await arrived(ann, service, traceparent=fresh(sampled=False)[2])
        await asyncio.to_thread(publish, broker_url, topic, 2, context)
        from_service = (await ann.other())["payload"]
        await asyncio.to_thread(publish, broker_url, topic, 3, {"traceparent": "none"})
        assert await ann.other() == {"type": "event", "payload": {"topic": topic, "event": 3}}
        await ann.done("unsubscribe", topic=topic, traceparent=traces["unsubscribe"][2])
    assert from_service == {"topic": topic, "event": 2, "traceparent": context["traceparent"]}
    seen = lambda: {name: [(span.kind, span.name, span.parent, span.error) for span in sorted(collector.of(trace), key=lambda one: one.kind)][:1] for name, (trace, _, _) in traces.items()}
    expected = {"subscribe": (f"subscribe {topic}", None), "refused": ("subscribe nuropb-gateway.x", "denied"), "unsubscribe": (f"unsubscribe {topic}", None), "event": (f"event {topic}", None)}
    expected = {name: [(2, expected[name][0], traces[name][1], expected[name][1])] for name in traces}
    await eventually(lambda: seen() == expected, lambda: str(seen()))
    producer = [span for span in collector.of(traces["event"][0]) if span.kind == 4]
    assert from_consumer == {"topic": topic, "event": 1, "traceparent": f"00-{traces['event'][0]}-{producer[0].id}-01"}


async def test_calls_of_snorky(gateways, collector):
    made = options(tracing={"otlp_url": collector.url, "sample_ratio": "0"})
    gateway = gateways(**made)
    trace, span, parent = fresh()
    another, _, handshake = fresh()
    async with await SnorkyClient.open(gateway.edges[0].snorky_url, headers={"traceparent": handshake}) as ann:
        await ann.call("pubsub", "subscribe", channel="c")
        await ann.send({"service": "pubsub", "message": {"command": "publish", "params": {"channel": "c", "message": 1}}, "traceparent": parent})
        await eventually(lambda: collector.of(trace) and collector.of(another), lambda: f"{collector.spans}")
    assert [(one.name, one.kind, one.parent, one.attributes["rpc.system"]) for one in collector.of(trace)] == [("snorky pubsub.publish", 2, span, "snorky")]
    assert [one.name for one in collector.of(another)] == ["snorky pubsub.subscribe"]


def lines(text, trace_id):
    return [line for line in text.splitlines() if f'trace_id={trace_id}' in line]


async def test_the_lines_of_one_request(gateways, broker_url, folder):
    gateway = gateways(settings={"log": {"level": "debug", "slow_request_ms": 1500}})
    with demo_service(broker_url, folder) as demo:
        async with await Consumer.open(gateway.url) as ann:
            await ann.result(demo.service, "echo")  # so that the quick one waits for no description
            await ann.result(demo.service, "echo", trace_id="quick-one")
            await ann.result(demo.service, "slow", {"ms": 1600}, trace_id="slow-one")
            await ann.request(demo.service, "slow", {"ms": 60_000}, ttl=1600, trace_id="late-one")
    edge, meshd = gateway.edges[0].process, gateway.meshd
    for trace_id in ("quick-one", "slow-one"):
        wait_until(lambda: len(lines(meshd.log(), trace_id)) == 2 and any("request ended" in line for line in lines(edge.log(), trace_id)), lambda: meshd.tail())
        assert any("request sent" in line for line in lines(edge.log(), trace_id)) and any("request ended" in line for line in lines(edge.log(), trace_id))
    wait_until(lambda: any("slow request" in line for line in lines(edge.log(), "late-one")), lambda: edge.tail())
    slow = {trace_id: [line for line in lines(edge.log(), trace_id) if "slow request" in line] for trace_id in ("quick-one", "slow-one", "late-one")}
    assert [len(found) for found in slow.values()] == [0, 1, 1], slow
    line = slow["slow-one"][0]
    # Others in the same moment would be left out, and counted: there were none.
    assert "left_out=0" in line and "left_out=0" in slow["late-one"][0]
    assert "WARNING" in line and f"service={demo.service} method=slow user_id=ann" in line and "outcome=ok" in line
    times = {name: float(number) for name, number in re.findall(r"(\w*ms)=([\d.]+)", line)}
    assert set(times) == {"ms", "edge_in_ms", "request_ring_ms", "broker_ms", "service_ms", "return_ring_ms", "edge_out_ms"}
    assert 1500 < times["service_ms"] <= times["ms"]
    assert "outcome=timeout" in slow["late-one"][0]


def test_settings_that_are_none(broker_url):
    for wrong in ({"otlp_url": "127.0.0.1:4318"}, {"sample_ratio": "1.5"}, {"sample_ratio": "many"}):
        with pytest.raises(AssertionError, match="meshd ended with 2"):
            Gateway(broker_url, settings={"tracing": wrong}).start()
