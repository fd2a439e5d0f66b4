"""Every case of the Autobahn TestSuite against the edge's listener."""

import json
import os
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


def cases(url, *wanted):
    command = [peers_python(), Path(__file__).with_name("run_cases.py"), url, *wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    lines = done.stdout.splitlines()  # kosoku tells of failures in lines of its own
    assert lines and lines[-1].startswith("["), done.stdout + done.stderr
    return json.loads(lines[-1])


def bad(results):
    return [result for result in results if result[1] not in GOOD or result[2] not in GOOD]


def test_framing_and_closing(echo):
    """Without compression, which is off by default."""
    results = cases(echo(), *(f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 9, 10)))  # there is no 8
    assert len(results) == 301
    assert not bad(results)


def test_framing_where_compression_was_negotiated(echo):
    """The same rules hold for frames that are not compressed; sections 9 and 10 are about size, and the same."""
    results = cases(echo("--compression"), *(f"{section}.*" for section in range(1, 8)))
    assert len(results) == 246
    assert not bad(results)


@pytest.mark.parametrize("flags", [["--compression"], ["--compression", "--context-takeover"]], ids=["each message by itself", "with context takeover"])
def test_compression(echo, flags):
    """All kinds of data and offers; of the eighteen sizes of messages, a thousand each, two. NUROPB_ALL_CASES=1 takes
    all, and some minutes."""
    sizes = ["*"] if os.environ.get("NUROPB_ALL_CASES") else [1, 4]
    groups = [f"12.{group}" for group in range(1, 6)] + [f"13.{group}" for group in range(1, 8)]
    results = cases(echo(*flags), *(f"{group}.{size}" for group in groups for size in sizes))
    assert len(results) == len(groups) * (18 if sizes == ["*"] else len(sizes))
    assert not bad(results)
