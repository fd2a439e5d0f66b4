"""The original's ServiceContainer and ours, as two instances of one service: the same key, the same word, in both roles.
And a mesh that nuropb-ctl has made, as the original finds it."""

import os
import re
import subprocess
import uuid

import pytest

from support.broker import with_parts
from support.consumer import Consumer
from support.gateway import Gateway
from support.paths import ROOT, binary, peers_python
from support.processes import Process
from support.services import python_service, unique
from support.waiting import wait_until

LEASE_OF_THE_ORIGINAL = 15  # seconds; it has no setting for it


@pytest.fixture
def url(managed_broker):
    return with_parts(managed_broker.url, vhost=f"mesh-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def python_container(managed_broker, url, etcd, folder):
    """Starts one of a service: python_container(name), with an `instance`."""
    started = []

    def start(name):
        instance = uuid.uuid4().hex
        script = ROOT / "tests" / "interop" / "peers" / "container.py"
        command = [peers_python(), script, url, managed_broker.management_url + "api", "127.0.0.1", etcd.port, name, instance]
        process = Process(f"python-container-{len(started)}", command, folder)
        process.instance = instance
        started.append(process)
        return process
    yield start
    for process in started:
        process.kill()  # it knows no other end


def ours(managed_broker, url, etcd, name):
    settings = {"etcd": {"urls": [etcd.url], "lease_s": 6}, "amqp": {"management_url": managed_broker.management_url}}
    return Gateway(url, edges=0, name=name, settings=settings, wait_ready=False)


def test_theirs_leads_and_ours_follows_then_leads(managed_broker, url, etcd, python_container):
    name = unique("both")
    theirs = python_container(name)
    theirs.wait_for_log("^started True", timeout=120)
    assert re.findall(r"^state (\S+)", theirs.log(), re.MULTILINE)[-1] == "running-leader", theirs.log()
    key = f"/nuropb/{name}/leader"
    assert etcd.get(key) == theirs.instance
    with ours(managed_broker, url, etcd, name) as gateway:
        gateway.meshd.wait_for_log(f"container running-follower .*leader is {theirs.instance}")
        gateway.meshd.wait_for_log("broker ready")
        theirs.kill()
        gateway.meshd.wait_for_log("container running-leader from=taking-leadership", timeout=6 * LEASE_OF_THE_ORIGINAL)
        assert etcd.get(key) == re.search(r"instance=(\w+)", gateway.meshd.log())[1]


def test_ours_leads_and_theirs_follows_then_leads(managed_broker, url, etcd, python_container):
    name = unique("both")
    key = f"/nuropb/{name}/leader"
    with ours(managed_broker, url, etcd, name) as gateway:
        gateway.meshd.wait_for_log("container running-leader")
        theirs = python_container(name)
        theirs.wait_for_log("^started True", timeout=120)
        assert re.findall(r"^state (\S+)", theirs.log(), re.MULTILINE)[-1] == "running-follower", theirs.log()
        assert etcd.get(key) != theirs.instance
        # The original's watch is a thread of its own, which may start after it says that it has started.
        gateway.meshd.kill()
        wait_until(lambda: etcd.get(key) == theirs.instance, lambda: f"theirs has the key:\n{theirs.tail()}", 90)


async def test_a_mesh_that_we_made_suits_the_original(managed_broker, url, folder, gateways):
    name = unique("python")
    environment = {**os.environ, "NUROPB_AMQP_URLS": url}
    made = subprocess.run([binary("nuropb-ctl"), "mesh", "configure", "--service", name, "--management-url", managed_broker.management_url, "--event-binding", "news.#"],
                          env=environment, capture_output=True, text=True, timeout=150)
    assert made.returncode == 0, made.stderr
    with python_service(url, folder, name) as service:
        gateway = gateways(url=url)
        async with await Consumer.open(gateway.url) as ann:
            assert await ann.result(service.service, "add", {"a": 1, "b": 2}) == 3
    again = subprocess.run([binary("nuropb-ctl"), "mesh", "configure", "--service", name, "--management-url", managed_broker.management_url, "--event-binding", "news.#"],
                           env=environment, capture_output=True, text=True, timeout=150)
    assert again.returncode == 0 and again.stdout.endswith("everything exists\n"), again.stdout + again.stderr
