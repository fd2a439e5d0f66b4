"""examples/: every consumer with every service, as their first lines say."""

import os
import re
import subprocess

import pytest

from support.broker import declare_exchanges
from support.javascript import NODE_OPTIONS, node as node_path
from support.paths import ROOT, WEBSOCKETS, binary, peers_python, with_websockets
from support.ports import free_port
from support.processes import Process
from support.services import unique
from support.snorky import options

EXAMPLES = ROOT / "examples"
CONSUMERS = {
    "python": lambda: ["/usr/bin/python3", EXAMPLES / "consumer.py"],
    "python client": lambda: ["/usr/bin/python3", EXAMPLES / "python_client.py"],
    "javascript": lambda: [node_path(), *NODE_OPTIONS, EXAMPLES / "consumer.mjs"],
    "cpp": lambda: [binary("example_consumer")],
}
SERVICES = {
    "python": lambda: [peers_python(), EXAMPLES / "service.py"],
    "cpp": lambda: [binary("example_service")],
}


def with_client(websockets):
    """The environment of a consumer, with the Python client for the one that asks for it."""
    environment = with_websockets(websockets)
    return {**environment, "PYTHONPATH": os.pathsep.join([str(ROOT / "clients" / "python" / "src"), environment.get("PYTHONPATH", "")])}


def said(command, *words, timeout=40, env=None):
    done = subprocess.run([str(word) for word in (*command, *words)], capture_output=True, text=True, timeout=timeout, env=env)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout.splitlines()


@pytest.mark.parametrize("service", SERVICES)
def test_consumers_and_services(opened, broker_url, folder, service):
    if service == "python" and os.environ.get("NUROPB_WITHOUT_PEERS"):
        pytest.skip("nuropb could not be installed from PyPI")
    gateway = opened()
    declare_exchanges(broker_url)
    name = unique("orders")
    words, environment = ([name], {"AMQP_URL": broker_url}) if service == "python" else ([broker_url, name], None)
    with Process("service", [*SERVICES[service](), *words], folder, environment) as process:
        process.wait_for_log("^ready$", timeout=60)
        for consumer, command in CONSUMERS.items():
            if consumer == "javascript" and os.environ.get("NUROPB_WITHOUT_PEERS") and not os.environ.get("NUROPB_NODE"):
                continue
            for websockets in (WEBSOCKETS if consumer.startswith("python") and not os.environ.get("NUROPB_WITHOUT_PEERS") else (None,)):
                lines = said(command(), gateway.url, "secret-ann", name, env=with_client(websockets))
                assert lines == ["hello ann", "placed apple 2", "refused NuropbValidationError: 100 at most", f"event {name}.placed apple"], (consumer, websockets)
        if service == "cpp":
            assert process.stop() == 0


def test_a_service_without_a_broker_says_so():
    if os.environ.get("NUROPB_WITHOUT_PEERS"):
        pytest.skip("nuropb could not be installed from PyPI")
    for url, said_then in ((None, "AMQP_URL is not set"), (f"amqp://ann:secret@127.0.0.1:{free_port()}/", "can't connect to AMQP_URL")):
        environment = {**os.environ, **({"AMQP_URL": url} if url else {})}
        done = subprocess.run([*map(str, SERVICES["python"]())], capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 1 and said_then in done.stderr and "ready" not in done.stdout, (done.stdout, done.stderr)


def test_channels(without_peers, gateways):
    gateway = gateways(**options())
    assert said([node_path(), *NODE_OPTIONS, EXAMPLES / "channels.mjs"], gateway.edges[0].snorky_url, "secret-ann") == ["heard { goal: 1 }", "here: ann"]


def test_the_readme_names_each():
    named = set(re.findall(r"^\| `([\w.]+)` \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE))
    assert named == {file.name for file in EXAMPLES.iterdir()} - {"README.md", "CMakeLists.txt"}
