"""examples/: every consumer with every service, as their first lines say."""

import os
import re
import subprocess

import pytest

from support.broker import declare_exchanges
from support.javascript import NODE_OPTIONS, node as node_path
from support.paths import ROOT, binary, peers_python
from support.processes import Process
from support.services import unique
from support.snorky import options

EXAMPLES = ROOT / "examples"
CONSUMERS = {
    "python": lambda: ["/usr/bin/python3", EXAMPLES / "consumer.py"],
    "javascript": lambda: [node_path(), *NODE_OPTIONS, EXAMPLES / "consumer.mjs"],
    "cpp": lambda: [binary("example_consumer")],
}
SERVICES = {
    "python": lambda: [peers_python(), EXAMPLES / "service.py"],
    "cpp": lambda: [binary("example_service")],
}


def said(command, *words, timeout=40):
    done = subprocess.run([str(word) for word in (*command, *words)], capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout.splitlines()


@pytest.mark.parametrize("service", SERVICES)
def test_consumers_and_services(opened, broker_url, folder, service):
    if service == "python" and os.environ.get("NUROPB_WITHOUT_PEERS"):
        pytest.skip("nuropb could not be installed from PyPI")
    gateway = opened()
    declare_exchanges(broker_url)
    name = unique("orders")
    with Process("service", [*SERVICES[service](), broker_url, name], folder) as process:
        process.wait_for_log("^ready$", timeout=60)
        for consumer, command in CONSUMERS.items():
            if consumer == "javascript" and os.environ.get("NUROPB_WITHOUT_PEERS") and not os.environ.get("NUROPB_NODE"):
                continue
            lines = said(command(), gateway.url, "secret-ann", name)
            assert lines == ["hello ann", "placed apple 2", "refused NuropbValidationError: 100 at most", f"event {name}.placed apple"], consumer
        if service == "cpp":
            assert process.stop() == 0


def test_channels(without_peers, gateways):
    gateway = gateways(**options())
    assert said([node_path(), *NODE_OPTIONS, EXAMPLES / "channels.mjs"], gateway.edges[0].snorky_url, "secret-ann") == ["heard { goal: 1 }", "here: ann"]


def test_the_readme_names_each():
    named = set(re.findall(r"^\| `([\w.]+)` \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE))
    assert named == {file.name for file in EXAMPLES.iterdir()} - {"README.md", "CMakeLists.txt"}
