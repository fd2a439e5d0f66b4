"""Every case of the Autobahn TestSuite against the edge's listener."""

import json
import subprocess
from pathlib import Path

import pytest

from support.paths import binary, peers_python
from support.processes import Process

GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}


@pytest.fixture
def echo(folder):
    """Starts an echo on the edge's listener: echo(*flags) is its URL."""
    started = []

    def start(*flags):
        server = Process("echo-server", [binary("nuropb-echo-server"), *flags], folder)
        started.append(server)
        return f"ws://127.0.0.1:{server.wait_for_log(r'^port ([0-9]+)$')[1]}"
    yield start
    for server in started:
        assert server.running(), server.tail()
        server.kill()


def cases(url, *left_out):
    command = [peers_python(), Path(__file__).with_name("run_cases.py"), url, *left_out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    lines = done.stdout.splitlines()  # kosoku tells of failures in lines of its own
    assert lines and lines[-1].startswith("["), done.stdout + done.stderr
    return json.loads(lines[-1])


def bad(results):
    return [result for result in results if result[1] not in GOOD or result[2] not in GOOD]


def test_framing_and_closing(echo):
    """Sections 1 to 10 of the cases, without compression: it is off unless the config turns it on."""
    results = cases(echo(), "12.*", "13.*")
    assert len(results) == 301
    assert not bad(results)
