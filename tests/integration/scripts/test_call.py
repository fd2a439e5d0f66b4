"""scripts/call: one request from the command line; the exit code is its outcome."""

import json
import subprocess

import pytest

from support.paths import ROOT
from support.ports import free_port


def call(*words):
    return subprocess.run([ROOT / "scripts" / "call", *words], capture_output=True, text=True, timeout=90)


def test_an_answer(gateway, demo):
    text = "é€😀 " * 1000
    done = call(gateway.url, "secret-ann", demo, "echo", json.dumps({"text": text}))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[1].removeprefix("answer"))["payload"]["result"] == {"text": text}


@pytest.mark.parametrize("size", [0, 10, 100, 200, 65_000, 66_000])
def test_sizes_around_the_forms_of_a_length(gateway, demo, size):
    done = call(gateway.url, "secret-ann", demo, "echo", json.dumps({"text": "x" * size}))
    assert done.returncode == 0 and f'"result": {{"text": "{"x" * size}"}}' in done.stdout, done.stderr


def test_an_error_of_the_service(gateway, demo):
    done = call(gateway.url, "secret-ann", demo, "fail", '{"message": "on purpose"}')
    assert done.returncode == 1 and "on purpose" in done.stdout


def test_refusals_say_why(gateway):
    done = call(gateway.url, "nobody's", "demo", "echo")
    assert done.returncode == 1 and "4501" in done.stderr, done.stderr
    done = call(gateway.url.replace("/websocket", "/elsewhere"), "secret-ann", "demo", "echo")
    assert done.returncode == 1 and "404" in done.stderr and "/websocket" in done.stderr, done.stderr


def test_nobody_there():
    port = free_port()
    done = call(f"ws://127.0.0.1:{port}/websocket", "secret-ann", "demo", "echo")
    assert done.returncode == 1 and done.stderr == f"scripts/call: can't connect to 127.0.0.1:{port}: Connection refused\n"


def test_a_mistake_is_named():
    assert "the URL must start with ws://" in call("http://127.0.0.1:1/", "t", "s", "m").stderr
    done = call("ws://127.0.0.1:1/", "t", "s", "m", "{a: 1}")
    assert done.returncode == 2 and done.stderr.startswith("scripts/call: PARAMS is not JSON: ") and "{a: 1}" in done.stderr, done.stderr


@pytest.mark.parametrize("words", [(), ("one",), ("http://127.0.0.1:1/", "t", "s", "m"), ("ws://127.0.0.1:1/", "t", "s", "m", "{no json")])
def test_mistakes(words):
    done = call(*words)
    assert done.returncode in (1, 2) and done.stderr and "Traceback" not in done.stderr
