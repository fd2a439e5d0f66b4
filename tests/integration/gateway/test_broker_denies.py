"""A RabbitMQ that permits no transient queue that is not exclusive, as is announced for a version to come: everything of ours connects
and serves there, says once what it does otherwise, and does not ask for it again and again."""

import json
import os
import subprocess

import pytest

from support.broker import Broker, connection
from support.consumer import Consumer
from support.gateway import Gateway
from support.metrics import value
from support.paths import binary
from support.roots import DENIED, rabbitmq_root
from support.services import cpp_service, demo_service, unique

LESSON = "the broker forbids transient queues that are not exclusive"


@pytest.fixture(scope="module")
def denying(scratch):
    node = Broker(scratch / "denying-broker", root=rabbitmq_root(), lines=[DENIED])
    node.start()
    yield node
    node.stop()


def queue(node, name):
    """(durable, type, arguments) of a queue."""
    listed = json.loads(node.ctl("-q", "list_queues", "name", "durable", "type", "arguments", "--formatter=json"))
    return next((each["durable"], each["type"], {key: value for key, _, value in each["arguments"]} if isinstance(each["arguments"], list) else each["arguments"])
                for each in listed if each["name"] == name)


def is_bounded(node, name):
    durable, kind, arguments = queue(node, f"nuropb-{name}-dl")
    assert durable and kind == "classic", (durable, kind)
    assert "10000" in str(arguments) and "268435456" in str(arguments) and "604800000" in str(arguments), arguments


async def test_gateway_and_services_connect_and_serve(denying, folder):
    with Gateway(denying.url, files={"policy.toml": 'default = ["request", "describe"]\n'}, settings={"auth": {"policy_file": "policy.toml"}}) as gateway, demo_service(denying.url, folder) as demo, cpp_service(denying.url, folder) as service:
        ann = await Consumer.open(gateway.edges[0].url)
        assert await ann.result(demo.service, "add", {"a": 40, "b": 2}) == 42
        described = await ann.begin_verb("describe", service=gateway.name)
        assert (await described)["error"] is None
        assert gateway.meshd.log().count(LESSON) == 1 and "nuropb 0.1.8" in gateway.meshd.log()
        assert gateway.meshd.log().count("541 ") == 1, "it was asked for once"
        assert value(gateway, "amqp_queue_forms_total") == 1
        for process in (demo, service):
            assert process.log().count(LESSON) == 1, process.log()
        for name in (gateway.name, demo.service, service.service):
            is_bounded(denying, name)
        assert gateway.edges[0].ready()
        # The broker comes back, and what was learned is known.
        denying.ctl("close_all_connections", "try")
        gateway.meshd.wait_for_log(r"broker not ready")
        gateway.until_ready()
        assert gateway.meshd.log().count(LESSON) == 1
        await ann.close()


def configure(url, *words):
    return subprocess.run([binary("nuropb-ctl"), "mesh", "configure", *words], env={**os.environ, "NUROPB_AMQP_URLS": url}, capture_output=True, text=True, timeout=60)


def test_mesh_configure_makes_what_the_broker_takes(denying):
    name = unique("configured")
    done = configure(denying.url, "--service", name)
    assert done.returncode == 0 and f"made    queue nuropb-{name}-dl\n" in done.stdout and f"note    {LESSON}" in done.stdout, done.stdout + done.stderr
    is_bounded(denying, name)
    again = configure(denying.url, "--service", name)
    assert again.returncode == 0 and again.stdout.endswith("everything exists\n"), again.stdout + again.stderr
    noted = json.loads(configure(denying.url, "--service", unique("noted"), "--json").stdout)
    assert [note[:len(LESSON)] for note in noted["notes"]] == [LESSON], noted


def test_a_dead_letter_queue_that_is_there_is_used_as_it_is(denying, folder):
    name = unique("there")
    with connection(denying.url) as link:
        link.channel().queue_declare(f"nuropb-{name}-dl", durable=True, arguments={"x-max-length": 5})
    with demo_service(denying.url, folder, name=name) as demo:
        assert "used unchanged" in demo.log() and "5" in str(queue(denying, f"nuropb-{name}-dl")[2])


async def test_who_asks_for_a_transient_one_is_told_what_to_set(denying):
    with Gateway(denying.url, settings={"amqp": {"dead_letter_queue": "transient"}}, wait_ready=False) as gateway:
        gateway.meshd.wait_for_log(r"541 .*amqp\.dead_letter_queue to auto or durable")
    with Gateway(denying.url, settings={"amqp": {"dead_letter_queue": "durable", "service_queue_type": "quorum"}}) as gateway:
        assert "541" not in gateway.meshd.log(), "it was not even tried"
        is_bounded(denying, gateway.name)
        assert queue(denying, f"nuropb-{gateway.name}-sq")[1] == "quorum"
