"""The metrics of a gateway under load, over TCP; and that the deployed dashboards and alerts use existing metrics."""

import json
import os
import re
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from support.consumer import Consumer
from support.ctl import ctl
from support.exposition import parse, promtool
from support.gateway import Gateway
from support.metrics import ask, families, value
from support.paths import ROOT
from support.ports import free_port
from support.resuming import Resuming
from support.services import demo_service, unique
from support.waiting import eventually, wait_until

DEPLOY = ROOT / "deploy"
STAGES = ["broker", "edge_in", "edge_out", "request_ring", "return_ring", "service"]

@pytest.fixture(scope="module")
def world(broker_url, module_folder):
    """A gateway with two edges that is scraped over TCP, and a service."""
    settings = {"metrics": {"listen": f"127.0.0.1:{free_port()}"}, "limits": {"pending_per_session": 2}}
    with demo_service(broker_url, module_folder) as demo, Gateway(broker_url, edges=2, settings=settings) as gateway:
        gateway.service = demo.service
        gateway.at = f"http://{settings['metrics']['listen']}"
        yield gateway


def get(gateway, target, **options):
    try:
        with urllib.request.urlopen(urllib.request.Request(gateway.at + target, **options), timeout=40) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


def outcomes(gateway):
    return {dict(labels)["outcome"]: count for (_, labels), count in families(gateway)["requests_total"].samples.items()}


async def test_every_request_has_one_outcome(world):
    before = outcomes(world)
    pending_before = value(world, "requests_pending")
    async with await Consumer.open(world.url) as ann:
        for i in range(5):
            assert await ann.result(world.service, "echo", {"n": i}) == {"n": i}
        assert (await ann.request(world.service, "fail", {}))["error"]
        assert (await ann.request(unique("nobody"), "m", {}))["error"]["error"] == "NuropbNotDeliveredError"
        assert (await ann.request(world.service, "slow", {"ms": 60_000}, ttl=200))["error"]["error"] == "NuropbTimeoutError"
        assert await ann.refused("event", topic="t.x", event={}) == "NuropbAuthorizationError"
        waiting = [await ann.begin(world.service, "slow", {"ms": 60_000}) for _ in range(2)]
        await eventually(lambda: value(world, "requests_pending") == pending_before + 2, lambda: ask(world)[1])
        assert (await ann.request(world.service, "echo", {}))["error"]["error"] == "NuropbTransportError"
        assert not any(one.done() for one in waiting)
    expected = {"ok": 5, "error": 1, "not_delivered": 1, "timeout": 1, "denied": 1, "refused": 1, "abandoned": 2, "unknown": 0}
    await eventually(lambda: {name: outcomes(world)[name] - before[name] for name in before} == expected, lambda: f"{before}\n{outcomes(world)}")
    await eventually(lambda: value(world, "requests_pending") == pending_before, "nothing is pending")


async def test_stages_and_their_sum(world):
    def counts():
        page = families(world)
        assert sorted({dict(labels)["stage"] for _, labels in page["stage_seconds"].samples}) == STAGES
        whole = page["request_seconds"]
        return ({stage: page["stage_seconds"].value("_count", stage=stage) for stage in STAGES} | {"whole": whole.value("_count")},
                {stage: page["stage_seconds"].value("_sum", stage=stage) for stage in STAGES} | {"whole": whole.value("_sum")})
    before, sums_before = counts()
    async with await Consumer.open(world.edges[1].url) as bob:
        for _ in range(3):
            await bob.result(world.service, "slow", {"ms": 100})
    await eventually(lambda: all(counts()[0][stage] == before[stage] + 3 for stage in before), lambda: f"{before}\n{counts()[0]}")
    sums = {stage: counts()[1][stage] - sums_before[stage] for stage in before}
    # It is the service that takes its time; and no stage counts what another has counted.
    assert 0.29 < sums["service"] <= sums["whole"] + 1e-6, sums
    assert sum(sums[stage] for stage in STAGES) <= sums["whole"] + 3 * 10e-6, sums
    assert value(world, "unmeasured_requests_total") == 0


async def test_numbered_answers_have_all_stages(world):
    before = {stage: families(world)["stage_seconds"].value("_count", stage=stage) for stage in STAGES}
    async with await Resuming.open(world.url) as ann:
        kept = 1  # asking for it is a request of its own, which no service answers
        await ann.answer(await ann.request(world.service, "echo", {}))
    counts = lambda: {stage: families(world)["stage_seconds"].value("_count", stage=stage) - before[stage] for stage in STAGES}
    expected = {stage: 1 for stage in STAGES} | {"edge_in": 1 + kept, "edge_out": 1 + kept}
    await eventually(lambda: counts() == expected, lambda: f"{expected}\n{counts()}")


async def test_what_processes_cost(world):
    """Memory and descriptors, compared with /proc."""
    def rss(process):
        return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    def fds(edge, name="open"):
        return families(world)[f"worker_{name}_fds"].value(worker=str(slot_of(edge)))

    def slot_of(edge):
        return next(worker["slot"] for worker in ctl(world, "status")["workers"] if worker["pid"] == edge.process.pid)
    page = families(world)
    assert 0.5 < page["resident_memory_bytes"].value() / rss(world.meshd) < 2
    assert abs(page["open_fds"].value() - len(world.meshd.descriptors())) <= 3
    for edge in world.edges:
        assert 0.5 < page["worker_resident_memory_bytes"].value(worker=str(slot_of(edge))) / rss(edge.process) < 2
        soft = int(re.search(r"Max open files\s+(\d+)", Path(f"/proc/{edge.process.pid}/limits").read_text())[1])
        assert fds(edge, "max") == soft
    edge = world.edges[0]
    consumers = [await Consumer.open(edge.url) for _ in range(20)]
    await eventually(lambda: abs(fds(edge) - len(edge.process.descriptors())) <= 4 and fds(edge) > 25, lambda: f"{fds(edge)}, {edge.process.descriptors()}")
    for consumer in consumers:
        await consumer.close()
    await eventually(lambda: fds(edge) < 25 and abs(fds(edge) - len(edge.process.descriptors())) <= 4, lambda: f"{fds(edge)}, {edge.process.descriptors()}")


async def test_who_is_refused_and_why(world):
    def failures():
        return {dict(labels)["reason"]: count for (_, labels), count in families(world)["auth_failures_total"].samples.items()}
    before = failures()
    with pytest.raises(Exception, match="401"):
        await Consumer.open(world.url, token=None)
    refused = await Consumer.open(world.url, token="nobody-has-this-token", hello=False)
    assert (await refused.closed())[0] == 4501
    await eventually(lambda: {reason: count - before[reason] for reason, count in failures().items() if count != before[reason]} == {"no_token": 1, "refused": 1},
                     lambda: f"{before}\n{failures()}")


def test_over_tcp_it_tells_and_does_nothing(world):
    status, page = get(world, "/metrics")
    assert status == 200 and parse(page).keys() == parse(ask(world)[1]).keys()
    assert get(world, "/healthz")[0] == 200
    status, text = get(world, "/readyz")
    assert status == 200 and json.loads(text) == {"status": "ok", "ready": True, "edges": 2, "draining": 0, "broker": "ready"}
    assert ask(world, target="/readyz") == (200, text)
    for target, options, expected in [("/", {}, 404), ("/operations/sessions", {}, 404), ("/operations/sessions", {"data": b"{}"}, 413),
                                      ("/metrics", {"method": "DELETE"}, 405), ("/operations/sessions", {"method": "POST"}, 405), ("/metrics?x", {}, 200)]:
        assert get(world, target, **options)[0] == expected, target  # a body is not even read
    # Those who say nothing, or nothing that is HTTP, hold up nobody.
    silent = [socket.create_connection(world.at.removeprefix("http://").split(":")) for _ in range(8)]
    silent[0].sendall(b"\x16\x03\x01" * 4000)
    assert get(world, "/metrics")[0] == 200
    for one in silent:
        one.close()


async def test_a_dead_edge_takes_no_counts_with_it(broker_url, gateways, folder):
    with demo_service(broker_url, folder) as demo:
        gateway = gateways(edges=2)
        async with await Consumer.open(gateway.edges[0].url) as ann:
            await ann.result(demo.service, "echo", {"n": 1})
        await eventually(lambda: outcomes(gateway)["ok"] == 1, "it is counted")
        page = families(gateway)
        slot = next(labels for (_, labels), count in page["worker_requests_total"].samples.items() if count == 1)
        generation = page["worker_generation"].samples["nuropb_gateway_worker_generation", slot]
        gateway.edges[0].process.kill()
        await eventually(lambda: families(gateway)["worker_up"].samples["nuropb_gateway_worker_up", slot] == 0, "it is gone")
        assert outcomes(gateway)["ok"] == 1
        gateway.edges[0].start()
        gateway.until_ready()
        page = families(gateway)
        assert page["worker_up"].samples["nuropb_gateway_worker_up", slot] == 1
        assert page["worker_restarts_total"].samples["nuropb_gateway_worker_restarts_total", slot] == 1
        assert page["worker_generation"].samples["nuropb_gateway_worker_generation", slot] != generation
        assert outcomes(gateway)["ok"] == 1


def ready(gateway):
    def both_pages():
        status, text = ask(gateway, target="/readyz")
        return (status, text) if ask(gateway, target="/healthz") == (200, text) else None  # it may change in between
    status, text = wait_until(both_pages, "both pages say the same")
    return status == 200, json.loads(text)["status"]


def test_ready_no_longer_than_an_edge_takes_consumers(gateways):
    gateway = gateways(edges=2, settings={"drain": {"grace_ms": 60_000}})
    wait_until(lambda: ready(gateway) == (True, "ok"), lambda: str(ready(gateway)))
    gateway.edges[0].process.signal(signal.SIGTERM)
    wait_until(lambda: value(gateway, 'worker_draining{worker="0"}') == 1, "one drains")
    assert ready(gateway) == (True, "ok")  # there is another
    gateway.edges[1].process.signal(signal.SIGTERM)
    wait_until(lambda: ready(gateway) == (False, "draining"), lambda: str(ready(gateway)))
    assert value(gateway, "ready") == 0 and value(gateway, "workers") == 2  # they live, and would take a consumer still
    for edge in gateway.edges:
        edge.process.signal(signal.SIGTERM)  # twice: who asks again does not want to wait
    wait_until(lambda: ready(gateway) == (False, "no edges"), lambda: str(ready(gateway)))


@pytest.mark.parametrize("needed", [True, False])
def test_ready_without_a_broker_as_configured(gateways, needed):
    gateway = gateways(f"amqp://guest:guest@127.0.0.1:{free_port()}/", settings={"listen": {"ready_with_broker": needed}}, wait_ready=False)
    wait_until(lambda: value(gateway, "workers") == 1, "the edge is attached")
    assert ready(gateway) == (not needed, "no broker" if needed else "ok")
    assert families(gateway)["amqp_state"].value(state="ready") == 0


# What is deployed: names and labels in it are those of a live page.

def expressions():
    """(where, PromQL) of every expression in deploy/."""
    board = json.loads((DEPLOY / "grafana" / "nuropb-gateway.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"]
    text = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    for name, expression in re.findall(r"- alert: (\w+)\n +expr: (?:>-\n)?((?:.+\n)+?) +(?:for|labels):", text):
        yield name, " ".join(expression.split())


def test_dashboard_and_alerts_ask_for_what_is_there(world):
    page = families(world)
    found = list(expressions())
    assert len(found) > 50 and sum(where.startswith("NuropbGateway") for where, _ in found) == (DEPLOY / "prometheus" / "alerts.yml").read_text().count("alert:")
    labels_of_all = {"instance", "job", "le"} | {label for family in page.values() for label in family.labels()}
    for where, expression in found:
        asked = re.findall(r"nuropb_gateway_(\w+)(?:\{([^}]*)\})?", expression)
        assert asked, (where, expression)
        for name, selector in asked:
            family = page.get(name) or page.get(re.sub("_(bucket|sum|count)$", "", name))
            assert family, f"{where}: there is no {name}"
            for label, operator, value_asked in re.findall(r'(\w+)(=~|=)"([^"]*)"', selector):
                assert label in {"instance", *family.labels()}, f"{where}: {name} has no {label}"
                there = {dict(labels).get(label) for _, labels in family.samples}
                if label != "instance":
                    wanted = value_asked.split("|") if operator == "=~" else [value_asked]
                    assert set(wanted) <= there, f"{where}: {name} has no {label} {wanted}, but {there}"
        for grouped in re.findall(r"(?:by|on|group_left) \(([^)]*)\)", expression):
            assert set(grouped.replace(" ", "").split(",")) <= labels_of_all, (where, grouped)
    said = promtool("check", "rules", str(DEPLOY / "prometheus" / "alerts.yml"))
    assert not said or said.returncode == 0, said


def test_the_docs_have_every_metric(world):
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$", (ROOT / "docs" / "tasks" / "metrics.md").read_text(), re.MULTILINE)
    described = {name: (kind, labels.strip(), text.strip()) for name, kind, labels, text in rows}
    live = {f"nuropb_gateway_{name}": (family.type, ", ".join(label for label in family.labels() if label != "le") or "–", family.help)
            for name, family in families(world).items()}
    assert described == live, {name for name in {*described, *live} if described.get(name) != live.get(name)}


def test_alerts_are_explained():
    alerts = set(re.findall("- alert: (\\w+)", (DEPLOY / "prometheus" / "alerts.yml").read_text()))
    assert alerts == set(re.findall(r"^\| `(NuropbGateway\w+)` \|", (ROOT / "docs" / "tasks" / "metrics.md").read_text(), re.MULTILINE))
